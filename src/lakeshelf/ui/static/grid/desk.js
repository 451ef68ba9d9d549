/** What stands around the grid: how much is edited and saved, and what is done with it. */

import { made } from "../ids.js";
import { counted } from "../texts.js";
import { ordered } from "./address.js";
import { Refusal, call, later, path } from "./calls.js";
import { ask, asked, element } from "./dom.js";

/** @typedef {import("./grid.js").Grid} Grid */
/** @typedef {import("./session.js").Session} Session */

const UNSAVED = "Not saved yet";

export class Desk {
  /** @param {Grid} grid @param {Session} session @param {HTMLElement} root @param {string} why Why nothing is edited; empty: it may be. */
  constructor(grid, session, root, why) {
    this.grid = grid;
    this.table = grid.table;
    this.edits = grid.table.edits;
    this.session = session;
    this.count = element("span", { class: "grid-count" });
    this.state = element("span", { class: "grid-state", role: "status" });
    this.panel = element("section", { class: "grid-preview", "aria-label": "Preview", hidden: true });
    this.again = this.#button("Try again", () => this.edits.again());
    this.undo = this.#button("Undo", () => this.edits.undo());
    this.redo = this.#button("Redo", () => this.edits.redo());
    const acts = [
      this.#button("Insert row", () => { grid.insert(); grid.box.focus({ preventScroll: true }); }),
      this.#button("Delete rows", () => grid.acts.delete(grid.selection.range)),
      this.undo,
      this.redo,
      this.#button("Preview", () => this.preview(true)),
      this.#button("Submit…", () => this.submit()),
      this.#button("Discard…", () => this.discard()),
    ];
    for (const act of why ? acts : []) {
      act.disabled = true;
      act.title = why;
    }
    const keys = this.#button("Keys", () => this.keys());
    const history = this.#button("Who wrote this", () => this.blame());
    const reason = why ? [element("span", { class: "grid-why" }, why)] : [];
    this.bar = element("div", { class: "grid-bar", role: "toolbar", "aria-label": "Edits", inert: true }, this.count, this.state, this.again, ...acts, history, keys, ...reason);
    this.unkept = element("p", { class: "news", role: "status", hidden: true }, "This browser keeps no edits over a reload: stay until they are saved.");
    root.prepend(this.unkept, this.bar);
    root.append(this.panel);
    this.why = why;
    /** @type {Promise<void>} */
    this.sorted = Promise.resolve();
    /** Whether what is left on the page is left on purpose. */
    this.isDone = false;
    this.#listen();
    this.#tell();
  }

  #listen() {
    this.grid.addEventListener("begun", () => { this.bar.inert = false; });
    this.grid.addEventListener("preview", () => this.why || void this.#tried(() => this.preview(true)));
    this.grid.addEventListener("keys", () => void this.#tried(() => this.keys()));
    this.grid.addEventListener("jump", () => void this.jump());
    this.grid.addEventListener("next", () => void this.#tried(() => this.next()));
    this.grid.addEventListener("sort", (event) => void this.#tried(() => this.sort(/** @type {CustomEvent} */ (event).detail)));
    this.table.addEventListener("change", () => this.#tell());
    this.table.addEventListener("failed", (event) => this.fail(/** @type {CustomEvent} */ (event).detail));
    this.edits.addEventListener("change", () => this.#tell());
    this.edits.addEventListener("taken", () => this.panel.hidden || void this.#tried(() => this.preview()));
    addEventListener("beforeunload", (event) => this.isDone || !this.#left() || event.preventDefault());
    this.edits.addEventListener("refused", (event) => this.grid.say(`Refused: ${/** @type {CustomEvent} */ (event).detail.message}`));
  }

  /** What the edits would do, judged by all rules. @param {boolean} [asked] Whether somebody wants to read it from its beginning. */
  async preview(asked = false) {
    if (!(await this.#saved())) return;
    const [{ preview }, shown] = await Promise.all([later(import("./preview.js")), this.#ask("preview")]);
    this.edits.findings.clear();
    this.edits.find(shown.findings);
    this.panel.hidden = false;
    this.panel.replaceChildren(...preview(shown, (row, column) => void this.go(row, column)));
    if (!asked) return;
    this.panel.scrollTop = 0;
    this.panel.scrollIntoView({ block: "nearest" });
  }

  async submit() {
    if (!(await this.#saved())) return;
    const [{ submission }, shown] = await Promise.all([later(import("./dialogs.js")), this.#ask("preview")]);
    const body = await submission(shown, this.#left());
    if (!body) return;
    const request = await call("POST", `${path("live_sessions", await this.session.id(false))}/submit`, { body, id: made() });
    this.isDone = true;
    location.assign(`/reviews${path(request.project, String(request.number))}`);
  }

  async discard() {
    if (!(await ask("Throw all edits of this session away?"))) return;
    if (this.session.opened) await call("DELETE", path("live_sessions", this.session.opened.id), { id: made() }).catch(unlessEnded);
    await this.edits.drop();
    this.isDone = true;
    location.reload();
  }

  /** @param {string} id @param {string | null} column */
  async go(id, column) {
    const row = await this.table.position(id);
    const place = this.table.columns.findIndex((one) => one.name === column);
    if (row === undefined) this.grid.say(`${id} is not among the rows that are shown`);
    else this.grid.go(row, Math.max(0, place));
    this.grid.box.focus({ preventScroll: true });
  }

  /** To the next cell that a rule or the contract refuses. */
  async next() {
    const cells = [...this.#faults()];
    const at = this.table.row(this.grid.selection.active.row)?.id;
    const column = this.table.columns[this.grid.selection.active.column]?.name;
    const here = cells.findIndex(([row, name]) => row === at && name === column);
    if (cells.length) await this.go(...cells[(here + 1) % cells.length]);
    else this.grid.say("Nothing was found");
  }

  /** Ascending, then descending, then by key; one after the other, as keys come faster than rows. @param {string} column */
  sort(column) {
    this.sorted = this.sorted.catch(() => {}).then(() => this.#sort(column));
    return this.sorted;
  }

  /** @param {string} column */
  async #sort(column) {
    const [now] = this.table.query.sort;
    const next = now?.column !== column ? [{ column }] : now.descending ? [] : [{ column, descending: true }];
    this.grid.say("Sorting…");
    await this.table.show({ sort: next });
    this.grid.begin();
    this.grid.go(0);
    this.grid.box.focus({ preventScroll: true }); // the header that was pressed is another by now
    const order = next.length ? ` by ${column}${"descending" in next[0] ? ", descending" : ""}` : " by key";
    this.grid.say(`${counted(this.table.count, "row")}${order}`);
    ordered(next);
  }

  async jump() {
    const row = element("input", { type: "number", min: 1, max: this.table.rows, name: "row", autofocus: true, required: true });
    const form = element("form", { method: "dialog" }, element("label", {}, "Go to row", row), element("button", { value: "go" }, "Go"));
    if ((await asked("Go to row", form)) === "go") this.grid.go(row.valueAsNumber - 1);
    this.grid.box.focus({ preventScroll: true });
  }

  /** Who wrote the cells of the active row. */
  blame() {
    const row = this.table.row(this.grid.selection.active.row);
    if (row?.place) location.assign(`${location.pathname}/blame?row_id=${encodeURIComponent(row.id)}`);
  }

  async keys() {
    const { keys } = await later(import("./dialogs.js"));
    await keys(!this.why);
  }

  /** @param {unknown} error */
  fail(error) {
    const hint = error instanceof Refusal && error.details.hint ? `; ${error.details.hint}` : "";
    this.grid.say(`${error instanceof Error ? error.message : error}${hint}`);
  }

  /** What only this page knows, in words; empty: nothing. */
  #left() {
    const [texts, rows, loose] = [[...this.edits.refused()].length, this.table.drafts.size, this.edits.loose];
    return [loose && counted(loose, "edit"), texts && counted(texts, "refused cell"), rows && `${counted(rows, "new row")} without a whole key`].filter(Boolean).join(" and ");
  }

  /** @param {string} what */
  async #ask(what) {
    return call("GET", `${path("live_sessions", await this.session.id(false))}/${what}`);
  }

  async #saved() {
    if (await this.edits.flushed()) return true;
    this.grid.say(`${UNSAVED}: ${counted(this.edits.unsent, "edit")}, since ${this.edits.reason}`);
    return false;
  }

  /** @returns {Generator<[string, string]>} */
  *#faults() {
    yield* this.edits.refused();
    for (const [row, findings] of this.edits.findings) for (const one of findings) if (one.column) yield [row, one.column];
  }

  /** A double click does it once. @param {string} name @param {() => unknown} act */
  #button(name, act) {
    const button = element("button", { type: "button" }, name);
    let isActing = false;
    button.addEventListener("click", () => {
      if (isActing) return;
      isActing = true;
      void this.#tried(async () => act()).finally(() => { isActing = false; });
    });
    return button;
  }

  /** @param {() => Promise<unknown>} act */
  async #tried(act) {
    try {
      await act();
    } catch (error) {
      this.fail(error);
    }
  }

  #tell() {
    const { state, reason, taken, unsent, loose, store } = this.edits;
    this.unkept.hidden = !loose && !store.isShut;
    if (!unsent && this.grid.found.textContent?.startsWith(UNSAVED)) this.grid.say("");
    const errors = [...this.#faults()].length;
    const counts = [counted(this.table.rows, "row")];
    if (taken + unsent) counts.push(counted(taken + unsent, "edit"));
    if (errors) counts.push(`${counted(errors, "finding")} (F8)`);
    this.count.textContent = counts.join(", ");
    const told = {
      saved: taken ? "saved" : "",
      sending: `${unsent} not saved`,
      waiting: `${unsent} not saved: ${reason}; trying again`,
      "signed out": `${unsent} not saved: ${reason}; sign in in another tab, then try again`,
      ended: `${unsent} not saved: ${reason}`,
    };
    this.state.textContent = unsent && state === "saved" ? `${unsent} not saved` : told[state];
    this.state.classList.toggle("error", !["saved", "sending"].includes(state));
    this.again.hidden = !["waiting", "signed out", "ended"].includes(state);
    if (this.why) return;
    this.undo.disabled = !this.edits.canUndo;
    this.redo.disabled = !this.edits.canRedo;
  }
}

/** A session that has ended already is as good as one that is ended. @param {unknown} error */
function unlessEnded(error) {
  if (!(error instanceof Refusal && [404, 410].includes(error.status))) throw error;
}
