/** What edits would do to the table, and what the rules say of it. */

import { counted } from "../texts.js";
import { shown } from "./cells.js";
import { element } from "./dom.js";

/** @typedef {import("./cells.js").Value} Value */
/** @typedef {{row_id: string, column: string | null, op: string, old: any, new: any}} Change */
/** @typedef {{row_id: string, column: string | null, base: any, main: any, staged: any}} Conflict */
/** @typedef {{version: number, counts: Record<string, number>, changes: Change[], conflicts: Conflict[], findings: any[], summary: {blocked: boolean} | null}} Preview */
/** @typedef {(row: string, column: string | null) => void} Go */

const SHOWN = 200;

/** @param {Preview} shown_ */
export function summary({ counts, conflicts, findings, summary: judged }) {
  const sums = Object.entries(counts).filter(([, count]) => count).map(([what, count]) => `${what.replaceAll("_", " ")} ${count}`);
  const found = `${counted(findings.length, "finding")}${judged?.blocked ? ", to be put right first" : ""}`;
  return [sums.join(", ") || "nothing changes", conflicts.length ? counted(conflicts.length, "conflict") : "", found].filter(Boolean).join("; ");
}

/** @param {Preview} shown_ @param {Go} go @returns {HTMLElement[]} */
export function preview(shown_, go) {
  const { version, changes, conflicts, findings } = shown_;
  const head = element("h2", {}, `Preview on snapshot ${version}`);
  const whole = element("a", { href: `${location.pathname}/preview` }, "On a page of its own, with shelves and stores");
  const sums = element("p", {}, `${summary(shown_)}. `, whole);
  const found = findings.slice(0, SHOWN).map((one) => [one.row_id, one.column, one.severity, one.message]);
  const differ = conflicts.slice(0, SHOWN).map((one) => [one.row_id, one.column, text(one.base), text(one.main), text(one.staged)]);
  const changed = changes.map((one) => [one.row_id, one.column ?? one.op, text(one.old), text(one.new)]);
  return [
    head,
    sums,
    ...table("Findings", ["Row", "Column", "Severity", "What"], found, go),
    ...table("Conflicts", ["Row", "Column", "Base", "Main now", "Yours"], differ, go),
    ...table("Changes", ["Row", "Column", "Before", "After"], changed, go),
  ];
}

/** @param {string} title @param {string[]} names @param {(string | null)[][]} rows @param {Go} go @returns {HTMLElement[]} */
function table(title, names, rows, go) {
  if (!rows.length) return [];
  const head = element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name)));
  const lines = rows.map(([row, column, ...rest]) => {
    const link = element("button", { type: "button", class: "link" }, row ?? "");
    link.addEventListener("click", () => row !== null && go(row, column));
    return element("tr", {}, element("td", {}, link), ...[column, ...rest].map((one) => element("td", {}, one ?? "")));
  });
  const inside = element("table", {}, element("caption", {}, title), element("thead", {}, head), element("tbody", {}, ...lines));
  return [element("div", { class: "grid-list", tabindex: 0, role: "region", "aria-label": title }, inside)];
}

/** @param {any} value */
function text(value) {
  return value !== null && typeof value === "object" ? Object.entries(value).map(([name, one]) => `${name} ${shown(/** @type {Value} */ (one))}`).join(", ") : shown(value);
}
