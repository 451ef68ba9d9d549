/** A dataset as rows and cells: pages of a view, the session's edits laid over, what the rules say of them. */

import { call, path } from "./calls.js";
import { broken, own, same, shown } from "./cells.js";
import { Pages, SIZE } from "./pages.js";

/** @typedef {import("./cells.js").Value} Value */
/** @typedef {import("./cells.js").Column} Column */
/** @typedef {import("./pages.js").Page} Page */
/** @typedef {import("./edits.js").Edits} Edits */
/** @typedef {{column: string, op: string, value?: unknown}} Filter */
/** @typedef {{column: string, descending?: boolean}} Sort */
/** @typedef {{filters: Filter[], sort: Sort[], version?: number, snapshot?: string}} Query */
/** @typedef {{severity: string, message: string}} Fault */
/** @typedef {{value: Value, base: Value | undefined, text: string, dirty: boolean, moved: boolean, fault: Fault | undefined}} Seen */
/** @typedef {{id: string, place: [Page, number] | undefined, draft: boolean}} Row */

export class Table extends EventTarget {
  /** @type {Column[]} */
  columns = [];
  /** @type {string[]} Columns of the key in its order; none: the server makes keys. */
  key = [];
  /** @type {Query} */
  query = { filters: [], sort: [] };
  /** @type {string | null} */
  session = null;
  /** Rows of the view, without inserted ones. */
  count = 0;
  /** @type {number | null} */
  version = null;
  /** @type {Map<string, Record<string, Value>>} Rows whose key is not complete, and which only this page knows. */
  drafts = new Map();
  /** @type {number | undefined} Version of the dataset that marks are of. */
  #newest;
  #view = "";

  /** @param {string} project @param {string} dataset @param {Edits} edits */
  constructor(project, dataset, edits) {
    super();
    this.place = path("projects", project, "datasets", dataset);
    this.edits = edits;
    edits.addEventListener("refused", (event) => this.#comesBack(/** @type {CustomEvent} */ (event).detail.edit));
    edits.addEventListener("renewed", () => void this.show().then(() => this.takeUp()).catch((error) => this.fail(error)));
    this.pages = new Pages(
      (offset, limit, signal) => this.#page(offset, limit, signal),
      () => this.#tell(),
      (error) => this.fail(error),
    );
  }

  get rows() {
    return this.count + this.edits.inserted.size + this.drafts.size;
  }

  /** Ask for the rows of a query, or those of now; what is shown stays until they are here.
   * @param {Partial<Query>} [query]
   */
  async show(query = {}) {
    const asked = { ...this.query, ...query };
    const body = this.session ? { filters: asked.filters, sort: asked.sort, session: this.session } : asked;
    const view = await call("POST", `${this.place}/views`, { body });
    this.query = asked;
    this.#view = view.id;
    this.count = view.count;
    this.version = view.version;
    this.pages.forget();
    await this.pages.load(0);
    this.#tell();
  }

  /** Have cells marked that others have changed since the session began. @param {number} newest Version of the dataset. */
  follow(newest) {
    if (newest === (this.#newest ?? this.version)) return;
    this.#newest = newest;
    this.pages.renew();
    this.#tell();
  }

  /** Rows that the session inserted before this page was opened. */
  async takeUp() {
    const { count } = await this.#page(0, 1);
    for (let at = this.count; at < count; at += SIZE) {
      const behind = await this.#page(at, SIZE);
      behind.row_ids.forEach((id, place) => {
        const cells = this.columns.map(({ name }) => [name, behind.columns[name][place]]);
        this.edits.inserted.set(id, Object.fromEntries(cells));
      });
    }
    this.#tell();
  }

  /** @param {number} index @returns {Row | undefined} undefined: it is not here yet. */
  row(index) {
    if (index < this.count) {
      const place = this.pages.at(index);
      return place && { id: place[0].row_ids[place[1]], place, draft: false };
    }
    const behind = index - this.count;
    const { inserted } = this.edits;
    const ids = behind < inserted.size ? inserted.keys() : this.drafts.keys();
    const id = [...ids][behind < inserted.size ? behind : behind - inserted.size];
    return id === undefined ? undefined : { id, place: undefined, draft: behind >= inserted.size };
  }

  /** @param {Row} row @param {Column} column @returns {Seen} */
  cell({ id, place, draft }, column) {
    const { name } = column;
    const cell = this.edits.cells.get(id)?.get(name);
    const new_ = own(draft ? this.drafts.get(id) : this.edits.inserted.get(id), name) ?? null;
    const here = place ? place[0].columns[name][place[1]] : new_;
    const base = place ? own(own(place[0].edited, id), name, here) : undefined;
    const value = cell ? cell.value : here;
    return {
      value,
      base,
      text: cell?.refused ? cell.refused.text : shown(value),
      dirty: base === undefined || !same(value, base),
      moved: own(place?.[0].changed, id)?.includes(name) ?? false,
      fault: this.#fault(id, column, value, cell),
    };
  }

  /** Whether a row is to be deleted. @param {Row} row */
  isDeleted({ id, place }) {
    return this.edits.deleted.has(id) || (place?.[0].deleted.includes(id) ?? false);
  }

  /** Where a row is; undefined: it is not in the view. @param {string} id @returns {Promise<number | undefined>} */
  async position(id) {
    const inserted = [...this.edits.inserted.keys(), ...this.drafts.keys()].indexOf(id);
    if (inserted >= 0) return this.count + inserted;
    const where = `${this.place}/views${path(this.#view)}/position?row_id=${encodeURIComponent(id)}`;
    return (await call("GET", where)).position ?? undefined;
  }

  /** The key of a row from its cells; undefined: it is not complete. @param {Record<string, Value>} cells */
  keyOf(cells) {
    const types = new Map(this.columns.map(({ name, type }) => [name, type]));
    const values = this.key.map((name) => {
      const value = own(cells, name) ?? null;
      const isShort = types.get(name) === "bigint" && Number.isSafeInteger(Number(value));
      return isShort && value !== null ? Number(value) : value;
    });
    if (!this.key.length || values.includes(null)) return undefined;
    return values.length === 1 && types.get(this.key[0]) === "string" ? String(values[0]) : JSON.stringify(values);
  }

  /** A row that could not be inserted is one that is not complete. @param {import("./edits.js").Edit} [edit] */
  #comesBack(edit) {
    if (edit?.op !== "insert") return;
    this.drafts.set(`draft:${edit.edit_id}`, /** @type {Record<string, Value>} */ (edit.value ?? {}));
    this.#tell();
  }

  /** @param {string} id @param {Column} column @param {Value} value @param {import("./edits.js").Cell} [cell] */
  #fault(id, column, value, cell) {
    if (cell?.refused) return { severity: "error", message: cell.refused.message };
    const finding = this.edits.findings.get(id)?.find((one) => one.column === column.name);
    if (finding) return finding;
    const rule = cell ? broken(column, value) : "";
    return rule ? { severity: "error", message: rule } : undefined;
  }

  /** @param {number} offset @param {number} limit @param {AbortSignal} [signal] @returns {Promise<Page>} */
  #page(offset, limit, signal) {
    const asked = new URLSearchParams({ offset: String(offset), limit: String(limit) });
    if (this.session) asked.set("session", this.session);
    return call("GET", `${this.place}/views${path(this.#view)}/rows?${asked}`, { signal }).then((page) => ({
      ...page,
      ...(offset < this.count ? within(page, this.count - offset) : {}),
    }));
  }

  /** Say why something of it did not come. @param {unknown} error */
  fail(error) {
    this.dispatchEvent(new CustomEvent("failed", { detail: error }));
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}

/** The rows of a page that are in the view, without those that the session inserted behind it.
 * @param {Page} page @param {number} most
 */
function within(page, most) {
  return { row_ids: page.row_ids.slice(0, most) };
}
