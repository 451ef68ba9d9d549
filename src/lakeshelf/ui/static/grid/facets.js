/** Values to choose rows by: columns with few of them, each with how often it is there under all other choices. */

import { visible } from "../texts.js";
import { FACET } from "./address.js";
import { call } from "./calls.js";
import { editable } from "./cells.js";

/** @typedef {import("./cells.js").Column} Column */
/** @typedef {import("./table.js").Table} Table */
/** @typedef {{values: {value: import("./cells.js").Value, count: number}[], distinct: number}} Counted */

const FEW = 20;

/** @param {HTMLDetailsElement} place @param {Table} table */
export async function fill(place, table) {
  const said = /** @type {HTMLElement} */ (place.querySelector("[data-said]"));
  const lists = /** @type {HTMLElement} */ (place.querySelector("[data-lists]"));
  said.textContent = "Values are counted.";
  try {
    for (const column of table.columns) {
      const counted = table.key.includes(column.name) ? null : await count(table, column.name);
      if (counted && counted.distinct <= FEW) put(lists, choices(column, counted, picked(table, column.name)));
    }
    said.textContent = lists.hasChildNodes() ? "" : `No column has ${FEW} values or fewer.`;
  } catch (error) {
    said.textContent = `Values could not be counted: ${error instanceof Error ? error.message : error}`;
  }
}

/** Show the values of a column once they are counted, in the place of what was chosen of it before; others still are.
 * @param {HTMLElement} lists @param {HTMLFieldSetElement} box
 */
function put(lists, box) {
  const name = box.querySelector("input")?.name ?? "";
  const before = lists.querySelector(`input[name="${CSS.escape(name)}"]`)?.closest("fieldset");
  if (before) before.replaceWith(box);
  else lists.append(box);
}

/** @param {Table} table @param {string} column @returns {Promise<Counted>} */
async function count(table, column) {
  const filters = table.query.filters.filter((one) => one.op !== "in" || one.column !== column);
  const { version, snapshot } = table.query;
  const of = table.session ? { session: table.session } : { version, snapshot };
  const view = await call("POST", `${table.place}/views`, { body: { filters, sort: [], ...of } });
  const asked = new URLSearchParams({ column, limit: String(FEW) });
  return call("GET", `${table.place}/views/${encodeURIComponent(view.id)}/facets?${asked}`);
}

/** @param {Table} table @param {string} column @returns {Set<string>} */
function picked(table, column) {
  const filters = table.query.filters.filter((one) => one.op === "in" && one.column === column);
  return new Set(filters.flatMap((one) => /** @type {unknown[]} */ (one.value).map((value) => JSON.stringify(value))));
}

/** @param {Column} column @param {Counted} counted @param {Set<string>} picked */
function choices(column, counted, picked) {
  const box = document.createElement("fieldset");
  const legend = document.createElement("legend");
  legend.textContent = column.label;
  box.append(legend);
  for (const { value, count: often } of counted.values) {
    const label = document.createElement("label");
    const tick = document.createElement("input");
    Object.assign(tick, { type: "checkbox", name: FACET + column.name, value: JSON.stringify(value) });
    tick.checked = picked.has(tick.value);
    const words = document.createElement("bdi");
    words.textContent = value === null ? "no value" : visible(editable(value));
    words.className = value === null ? "muted" : "";
    const number = document.createElement("span");
    number.className = "muted";
    number.textContent = ` ${often}`;
    label.append(tick, words, number);
    box.append(label);
  }
  return box;
}
