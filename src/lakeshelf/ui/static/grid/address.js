/** What the address of a dataset asks for. */

import { element } from "./dom.js";

/** @typedef {import("./table.js").Filter} Filter */
/** @typedef {import("./table.js").Query} Query */

/** What names of parameters begin with that choose values of a column. */
export const FACET = "facet.";

/** `sort=-column`, `filter=column operator value`, `facet.column=value` as JSON, `version`, `snapshot`.
 * @param {URLSearchParams} params @returns {Query}
 */
export function addressed(params) {
  const sort = params.getAll("sort").map((one) => ({ column: one.replace(/^-/, ""), descending: one.startsWith("-") }));
  const filters = params.getAll("filter").filter(Boolean).map((one) => {
    const [column, op = "not_null", ...rest] = one.trim().split(" ");
    return { column, op, value: rest.length ? rest.join(" ") : undefined };
  });
  const version = params.get("version") ? Number(params.get("version")) : undefined;
  return { sort, filters: [...filters, ...chosen(params)], version, snapshot: params.get("snapshot") || undefined };
}

/** Have the address, and what leads on from the page, ask for an order. @param {import("./table.js").Sort[]} sort */
export function ordered(sort) {
  const texts = sort.map(({ column, descending }) => `${descending ? "-" : ""}${column}`);
  history.replaceState(null, "", within(location.href, texts));
  for (const link of document.querySelectorAll("a[data-ordered]"))
    if (link instanceof HTMLAnchorElement) link.href = within(link.href, texts);
  for (const form of document.querySelectorAll("form[data-ordered]")) {
    for (const field of form.querySelectorAll("[name=sort]")) field.remove();
    form.append(...texts.map((value) => element("input", { type: "hidden", name: "sort", value })));
  }
}

/** An address with an order. @param {string} address @param {string[]} texts */
function within(address, texts) {
  const made = new URL(address);
  made.searchParams.delete("sort");
  for (const text of texts) made.searchParams.append("sort", text);
  return made.href;
}

/** Values of columns, a parameter each. @param {URLSearchParams} params @returns {Filter[]} */
function chosen(params) {
  const names = [...new Set(params.keys())].filter((name) => name.startsWith(FACET));
  return names.map((name) => ({ column: name.slice(FACET.length), op: "in", value: params.getAll(name).map(parsed) }));
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
