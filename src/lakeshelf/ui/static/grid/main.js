/** The grid of a page: `<div data-grid data-project=… data-dataset=… data-user=… data-since=… data-why=…>`. */

import { addressed } from "./address.js";
import { call, later, path } from "./calls.js";
import { Desk } from "./desk.js";
import { Edits } from "./edits.js";
import { Grid } from "./grid.js";
import { Session } from "./session.js";
import { Store } from "./store.js";
import { Table } from "./table.js";

/** @typedef {import("./cells.js").Column} Column */

/** @param {HTMLElement} root */
async function mount(root) {
  const { project = "", dataset = "", user = "", since = "", why = "", title = dataset } = root.dataset;
  root.classList.add("grid");
  const session = new Session(project, dataset, async (opened) => {
    const moved = table.version !== opened.base_version;
    table.session = opened.id;
    if (moved) await table.show();
  });
  const edits = new Edits(new Store(`${user}/${project}/${dataset}/${since}`), (renewed) => session.id(renewed));
  const table = new Table(project, dataset, edits);
  const grid = new Grid(root, table, !why, title);
  const desk = new Desk(grid, session, root, why);
  try {
    const [effect] = await Promise.all([beside(edits, session), begin(table, session, grid, !why)]);
    if (edits.taken) effect?.again();
    choices(table);
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

/** Values to choose by are counted once somebody opens them. @param {Table} table */
function choices(table) {
  const place = document.querySelector("[data-facets]");
  if (!(place instanceof HTMLDetailsElement)) return;
  const open = () => {
    if (!place.open) return;
    place.removeEventListener("toggle", open);
    void later(import("./facets.js")).then(({ fill }) => fill(place, table)).catch((error) => {
      const said = place.querySelector("[data-said]");
      if (said) said.textContent = error.message;
    });
  };
  place.addEventListener("toggle", open);
  open();
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
  if (!isOld) void later(import("./news.js"))
    .then(({ follow }) => follow(table, grid.root, definition.definition.version)).catch((error) => table.fail(error));
  await table.show(query);
  grid.begin();
  if (opened) await table.takeUp();
  if (canEdit && !isOld) await table.edits.takeUp();
  if (opened?.edits) table.edits.find((await call("GET", `${path("live_sessions", opened.id)}/preview`)).findings);
}

for (const root of document.querySelectorAll("[data-grid]")) if (root instanceof HTMLElement) void mount(root);
