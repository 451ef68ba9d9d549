/** The grid of a page: `<div data-grid data-project=… data-dataset=… data-user=… data-why=…>`. */

import { call, later, path } from "./calls.js";
import { Desk } from "./desk.js";
import { Edits } from "./edits.js";
import { Grid } from "./grid.js";
import { Session } from "./session.js";
import { Store } from "./store.js";
import { Table } from "./table.js";

/** @typedef {import("./cells.js").Column} Column */
/** @typedef {import("./table.js").Query} Query */

/** @param {HTMLElement} root */
async function mount(root) {
  const { project = "", dataset = "", user = "", why = "", title = dataset } = root.dataset;
  root.classList.add("grid");
  const session = new Session(project, dataset, async (opened) => {
    const moved = table.version !== opened.base_version;
    table.session = opened.id;
    if (moved) await table.show();
  });
  const edits = new Edits(new Store(`${user}/${project}/${dataset}`), (renewed) => session.id(renewed));
  const table = new Table(project, dataset, edits);
  const grid = new Grid(root, table, !why, title);
  const desk = new Desk(grid, session, root, why);
  try {
    const [effect] = await Promise.all([beside(edits, session), begin(table, session, grid, !why)]);
    if (edits.taken) effect?.again();
  } catch (error) {
    desk.fail(error);
  }
}

/** The effect of the edits, where jobs follow the dataset. @param {Edits} edits @param {Session} session */
async function beside(edits, session) {
  const place = document.querySelector("[data-effect]");
  if (!(place instanceof HTMLElement)) return undefined;
  const { Effect } = await later(import("./effect.js"));
  return new Effect(edits, session, place);
}

/** @param {Table} table @param {Session} session @param {Grid} grid @param {boolean} canEdit */
async function begin(table, session, grid, canEdit) {
  const query = addressed(new URLSearchParams(location.search));
  const isOld = query.version !== undefined || query.snapshot !== undefined;
  const [definition, opened] = await Promise.all([
    call("GET", `${table.place}/definition`),
    canEdit && !isOld ? session.find() : undefined,
  ]);
  table.columns = definition.columns.filter((/** @type {Column} */ column) => !column.hidden);
  table.key = definition.definition.key.filter((/** @type {string} */ name) => name !== "row_id");
  table.session = opened?.id ?? null;
  table.edits.taken = opened?.edits ?? 0;
  await table.show(query);
  grid.begin();
  if (opened) await table.takeUp();
  if (canEdit && !isOld) await table.edits.takeUp();
  if (opened?.edits) table.edits.find((await call("GET", `${path("live_sessions", opened.id)}/preview`)).findings);
}

/** What an address asks for: `sort=-column`, `filter=column operator value`, `version`, `snapshot`.
 * @param {URLSearchParams} params @returns {Query}
 */
function addressed(params) {
  const sort = params.getAll("sort").map((one) => ({ column: one.replace(/^-/, ""), descending: one.startsWith("-") }));
  const filters = params.getAll("filter").filter(Boolean).map((one) => {
    const [column, op = "not_null", ...rest] = one.trim().split(" ");
    return { column, op, value: rest.length ? rest.join(" ") : undefined };
  });
  const version = params.get("version") ? Number(params.get("version")) : undefined;
  return { sort, filters, version, snapshot: params.get("snapshot") || undefined };
}

for (const root of document.querySelectorAll("[data-grid]")) if (root instanceof HTMLElement) void mount(root);
