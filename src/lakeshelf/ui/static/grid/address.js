/** What the address of a dataset asks for. */

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
