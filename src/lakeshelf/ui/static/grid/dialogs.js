/** What people are asked and told apart from the grid; loaded when somebody first needs it. */

import { asked, element } from "./dom.js";
import { summary } from "./preview.js";

const KEYS = [
  ["arrows, Page Up, Page Down, Home, End", "move; with Ctrl to the end; with Shift select"],
  ["Ctrl+A", "select all"],
  ["Enter, F2, a letter", "edit; Enter or Tab ends, Esc leaves it as it was"],
  ["Esc", "the active cell alone is selected"],
  ["Delete, Backspace", "no value"],
  ["Ctrl+C, Ctrl+X, Ctrl+V", "copy, cut, paste, also from a spreadsheet"],
  ["Ctrl+D", "the first row of the selection into the others"],
  ["Ctrl+Z; Ctrl+Y, Ctrl+Shift+Z", "undo; redo"],
  ["Insert, Ctrl+Delete", "a new row; delete the selected rows"],
  ["F8", "next finding"],
  ["Ctrl+G", "go to a row"],
  ["F9", "sort by the column: ascending, descending, by key"],
  ["Ctrl+Enter", "preview"],
  ["?", "these keys"],
];

/** Keys that are in force where nothing is edited; of the clipboard only the first is. */
const READING = ["arrows, Page Up, Page Down, Home, End", "Ctrl+A", "Esc", "F8", "Ctrl+G", "F9", "?"];

/** What a submission says of itself; undefined: it is not submitted.
 * @param {import("./preview.js").Preview} shown @param {string} left What stays behind; empty: nothing.
 */
export async function submission(shown, left) {
  const title = bounded(element("input", { name: "title", required: true, autofocus: true }), 200);
  const description = bounded(element("textarea", { name: "description", rows: 3 }), 10000);
  const merges = element("input", { type: "checkbox", name: "merges" });
  const form = element(
    "form",
    { method: "dialog" },
    element("h2", {}, "Submit for review"),
    element("p", {}, summary(shown)),
    ...(left ? [element("p", { class: "warning" }, `! Not among them, and lost with this page: ${left}.`)] : []),
    element("label", {}, "Title", title),
    element("label", {}, "Why", description),
    element("label", { class: "tick" }, merges, "Merge when it is approved"),
    element("p", { class: "acts" }, element("button", { value: "submit", class: "main" }, "Submit"), element("button", { value: "", formnovalidate: true }, "Cancel")),
  );
  if ((await asked("Submit for review", form)) !== "submit") return undefined;
  return { title: title.value, description: description.value, merge_when_approved: merges.checked };
}

/** A field that says when it holds too much; a `maxlength` would cut what is pasted without a word.
 * @template {HTMLInputElement | HTMLTextAreaElement} Field @param {Field} field @param {number} most
 */
function bounded(field, most) {
  field.addEventListener("input", () => {
    const { length } = [...field.value];
    field.setCustomValidity(length > most ? `At most ${most} characters, and not ${length}` : "");
  });
  return field;
}

/** What each key does that is in force. @param {boolean} canEdit */
export function keys(canEdit) {
  const told = canEdit ? KEYS : [...KEYS.filter(([key]) => READING.includes(key)), ["Ctrl+C", "copy"]];
  const rows = told.map(([key, what]) => element("tr", {}, element("th", { scope: "row" }, key), element("td", {}, what)));
  const form = element("form", { method: "dialog" }, element("table", {}, element("tbody", {}, ...rows)), element("button", { autofocus: true }, "Close"));
  return asked("Keys", form);
}
