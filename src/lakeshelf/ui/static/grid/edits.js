/** Edits of a session: laid over at once, kept by the browser, sent one call after the other, taken back by step. */

import { made } from "../ids.js";
import { Lost, Refusal, call, path } from "./calls.js";
import { own, shown } from "./cells.js";

/** @typedef {import("./cells.js").Value} Value */
/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./store.js").Kept} Kept */
/** @typedef {Record<string, Value>} Row */
/** @typedef {{edit_id: string, op: "set" | "insert" | "delete", row_id: string, column?: string, value?: Value | Row}} Edit */
/** @typedef {{kind: "edits" | "undo", id: string, session: string, edits: Edit[], sent?: boolean}} Batch */
/** @typedef {Omit<Edit, "edit_id"> & {before?: Value}} Wanted */
/** @typedef {{value: Value, refused?: {text: string, message: string}}} Cell */
/** @typedef {{rule: string, severity: string, row_id: string | null, column: string | null, message: string}} Finding */
/** @typedef {{edit: Edit, before: Value | undefined}} Done */
/** @typedef {"saved" | "sending" | "waiting" | "signed out" | "ended"} State */

const PAUSE_MS = 120;
const LONGEST_MS = 30_000;
const ANSWER_MS = 60_000;
/** Most edits of a call; one with a long text counts for several, so that no call is larger than the server takes. */
const MOST = 5_000;
const LONG = 400;

export class Edits extends EventTarget {
  /** @type {Map<string, Map<string, Cell>>} */
  cells = new Map();
  /** @type {Map<string, Row>} Rows that the session inserted, in the order in which they came. */
  inserted = new Map();
  /** @type {Set<string>} */
  deleted = new Set();
  /** @type {Map<string, Finding[]>} */
  findings = new Map();
  /** @type {State} */
  state = "saved";
  /** Why edits wait. */
  reason = "";
  /** Edits that the server has. */
  taken = 0;
  /** @type {Kept[]} */
  #queue = [];
  /** @type {Done[][]} */
  #steps = [];
  /** @type {Done[][]} */
  #undone = [];
  /** @type {Map<string, Value | undefined>} */
  #before = new Map();
  /** @type {Set<string>} */
  #refused = new Set();
  /** @type {Map<string, string>} Name of a new row → the key that the server made for it. */
  #names = new Map();
  /** @type {Promise<unknown>} */
  #keeping = Promise.resolve();
  #tries = 0;
  #busy = false;
  /** Whether rows that are shown have edits that were taken back before this page was opened. */
  #isBehind = false;
  #timer = 0;

  /** @param {Store} store @param {(renewed: boolean) => Promise<string>} session Gives the id of the open session. */
  constructor(store, session) {
    super();
    this.store = store;
    this.session = session;
  }

  /** Edits that the server does not have yet. */
  get unsent() {
    return count(this.#queue);
  }

  /** Edits that are in this page alone: a reload loses them. */
  get loose() {
    return count(this.#queue.filter(({ n }) => n < 0 || this.store.isShut));
  }

  /** Cells whose text is no value: nobody but this page knows it. @returns {Generator<[string, string]>} */
  *refused() {
    for (const [row, cells] of this.cells) for (const [column, cell] of cells) if (cell.refused) yield [row, column];
  }

  get canUndo() {
    return this.#steps.length > 0;
  }

  get canRedo() {
    return this.#undone.length > 0;
  }

  /** Take up what the browser kept when the page ended. */
  async takeUp() {
    await this.#keeping;
    const kept = await this.store.all();
    const typed = new Set(this.#queue.map(({ id }) => id));
    this.#queue.unshift(...kept.filter(({ id }) => !typed.has(id)));
    this.#layAll();
    this.#isBehind = this.#queue.some(({ kind }) => kind === "undo");
    this.#schedule(0);
  }

  /** What somebody did in one go, and takes back in one go. @param {Wanted[]} wanted */
  step(wanted) {
    if (!wanted.length) return;
    const of = made();
    const done = wanted.map(({ before, ...edit }, place) => ({ edit: { ...edit, edit_id: `${of}.${place}` }, before }));
    this.#steps.push(done);
    this.#undone = [];
    this.#do(done);
  }

  /** A value that is none of its column: it is shown, and not sent.
   * @param {string} row @param {string} column @param {Value} value @param {string} text @param {string} message
   */
  refuse(row, column, value, text, message) {
    this.#cell(row, column, { value, refused: { text, message } });
    this.#tell();
  }

  undo() {
    const done = this.#steps.pop();
    if (!done) return;
    this.#undone.push(done);
    for (const { edit, before } of [...done].reverse()) this.#take(this.#named(edit), before);
    this.#enqueue("undo", done.map(({ edit }) => edit));
  }

  redo() {
    const done = this.#undone.pop();
    if (!done) return;
    const of = made();
    const again = done.map(({ edit, before }, place) => ({ edit: { ...edit, edit_id: `${of}.${place}` }, before }));
    this.#steps.push(again);
    this.#do(again);
  }

  /** Ask again at once what waits; in a session of its own where the one before has ended. */
  async again() {
    if (this.state === "ended") {
      const session = await this.session(true);
      this.#forget();
      for (const batch of [...this.#queue]) await this.#change(batch, () => ({ session, id: made() }));
      this.dispatchEvent(new Event("renewed"));
    }
    this.#tries = 0;
    this.#schedule(0);
  }

  /** Throw away what waits here; what other tabs have typed since is theirs. */
  async drop() {
    await this.#keeping;
    for (const { n } of this.#queue) await this.store.remove(n);
  }

  /** What an ended session had taken is in none that goes on: what waits, and what cannot be sent, is left. */
  #forget() {
    for (const [row, cells] of this.cells) this.cells.set(row, new Map([...cells].filter(([, cell]) => cell.refused)));
    for (const held of [this.inserted, this.deleted, this.findings, this.#names]) held.clear();
    this.#steps = [];
    this.#undone = [];
    this.taken = 0;
    this.#layAll();
  }

  /** What waits, but for what waits to be taken back. */
  #layAll() {
    const of = (/** @type {Batch["kind"]} */ wanted) => this.#queue.filter(({ kind }) => kind === wanted).flatMap(({ edits }) => edits);
    const undone = new Set(of("undo").map((edit) => edit.edit_id));
    for (const edit of of("edits")) if (!undone.has(edit.edit_id)) this.#lay(edit, this.#before.get(edit.edit_id));
  }

  /** Wait until the server has all. */
  async flushed() {
    await this.#keeping;
    this.#schedule(0);
    while (this.#queue.length && (this.state === "saved" || this.state === "sending"))
      await new Promise((resolve) => this.addEventListener("change", resolve, { once: true }));
    return this.#queue.length === 0;
  }

  /** Rules that were found broken. @param {Finding[]} findings */
  find(findings) {
    for (const one of findings) {
      const row = one.row_id ?? "";
      this.findings.set(row, [...(this.findings.get(row) ?? []), one]);
    }
    this.#tell();
  }

  /** @param {Done[]} done */
  #do(done) {
    for (const { edit, before } of done) this.#lay(edit, before);
    this.#enqueue("edits", done.map(({ edit }) => edit));
  }

  /** @param {Edit} edit @param {Value} [before] */
  #lay(edit, before) {
    this.#before.set(edit.edit_id, before);
    if (edit.op === "insert") {
      this.#names.delete(edit.row_id);
      this.#comes(edit.row_id, /** @type {Row} */ (edit.value ?? {}));
    } else if (edit.op === "delete") this.deleted.add(edit.row_id);
    else this.#cell(edit.row_id, String(edit.column), { value: /** @type {Value} */ (edit.value) });
  }

  /** A row comes, or comes back. @param {string} id @param {Row} row */
  #comes(id, row) {
    if (!this.deleted.delete(id)) this.inserted.set(id, row);
    else for (const [name, value] of Object.entries(row)) this.#cell(id, name, { value });
  }

  /** @param {Edit} edit @param {Value | undefined} before @param {Cell["refused"]} [refused] */
  #take({ op, row_id, column }, before, refused) {
    if (op === "insert") this.inserted.delete(row_id);
    else if (op === "delete") this.deleted.delete(row_id);
    else if (before === undefined && !refused) this.cells.get(row_id)?.delete(String(column));
    else this.#cell(row_id, String(column), { value: before ?? null, refused });
  }

  /** @param {string} row @param {string} column @param {Cell} cell */
  #cell(row, column, cell) {
    const cells = this.cells.get(row) ?? new Map();
    this.cells.set(row, cells.set(column, cell));
  }

  /** @param {Batch["kind"]} kind @param {Edit[]} edits */
  #enqueue(kind, edits) {
    /** @type {Kept[]} */
    const kept = [];
    for (const part of calls(edits)) kept.push({ kind, id: made(), session: "", edits: part, n: 0, of: this.store.of });
    this.#queue.push(...kept);
    this.#keeping = this.#keeping.then(() => this.store.add(kept));
    this.#tell();
    this.#schedule(kept.length > 1 ? 0 : PAUSE_MS); // nobody types so much: nothing more is waited for
  }

  /** @param {number} delay */
  #schedule(delay) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#run(), delay);
  }

  async #run() {
    if (this.#busy || !this.#queue.length) return this.#tell();
    this.#busy = true;
    this.#stand("sending");
    try {
      while (this.#queue.length) {
        const batch = await this.#batch();
        if (batch) await this.#send(batch);
        this.#tries = 0;
        this.#tell();
      }
      this.#stand("saved");
      if (this.#isBehind) this.dispatchEvent(new Event("renewed"));
      this.#isBehind = false;
    } catch (error) {
      this.#waits(error);
    } finally {
      this.#busy = false;
    }
  }

  /** The next call: what was never sent goes together; what was is sent as it was. Undefined: another tab has sent it. */
  async #batch() {
    await this.#keeping;
    const [queued] = this.#queue;
    const session = queued.session || (await this.session(false));
    const joined = await this.store.join(together(this.#queue), (kept) => {
      const [first, ...others] = together(kept);
      if (first.sent) return [first];
      const edits = [first, ...others].flatMap((one) => one.edits).map((edit) => (edit.op === "insert" ? edit : this.#named(edit)));
      return [{ ...first, session, edits, sent: true }, ...others];
    });
    if (!joined) {
      this.taken += queued.edits.length;
      return this.#leaves(queued);
    }
    const [batch, ...others] = joined;
    for (const { n } of others) this.#queue.splice(this.#queue.findIndex((one) => one.n === n), 1);
    return Object.assign(queued, batch);
  }

  /** @param {Kept} batch */
  #leaves(batch) {
    this.#queue.splice(this.#queue.indexOf(batch), 1);
  }

  /** @param {Kept} batch @param {() => Partial<Batch>} what */
  async #change(batch, what) {
    Object.assign(batch, (await this.store.join([batch], ([kept]) => [{ ...kept, ...what() }]))?.[0]);
  }

  /** @param {Kept} batch */
  async #send(batch) {
    const { kind, session, id } = batch;
    const ids = batch.edits.map((edit) => edit.edit_id).filter((one) => !this.#refused.has(one));
    const body = kind === "undo" ? { edit_ids: ids } : { edits: batch.edits };
    try {
      if (kind === "edits" || ids.length)
        this.#answered(batch, await call("POST", path("live_sessions", session, kind), { body, id, longest: ANSWER_MS }));
    } catch (error) {
      if (!(error instanceof Refusal) || stops(error, kind)) throw error;
      if (error.code === "idempotency_mismatch") {
        // another tab sent other edits under this name; each edit has its own, and counts once
        return this.#change(batch, () => ({ id: made() }));
      }
      if (kind === "edits") for (const edit of [...batch.edits].reverse()) this.#refuse(edit, error.message);
      else this.#say(error.message);
    }
    this.#leaves(batch);
    await this.store.remove(batch.n);
  }

  /** @param {Batch} batch @param {any} answer */
  #answered({ kind, edits }, answer) {
    this.taken += answer.edits.length;
    for (const [name, key] of Object.entries(answer.made)) this.#rename(name, String(key));
    for (const { row_id } of edits) this.findings.delete(own(answer.made, row_id, row_id));
    const byId = new Map(edits.map((edit) => [edit.edit_id, edit]));
    for (const { edit_id, error } of [...answer.refusals].reverse()) {
      const edit = byId.get(edit_id);
      if (edit && kind === "edits") this.#refuse(edit, error.message);
    }
    this.find(answer.findings);
    this.dispatchEvent(new Event("taken"));
  }

  /** @param {Edit} edit @param {string} message */
  #refuse(edit, message) {
    this.#refused.add(edit.edit_id);
    const text = edit.op === "set" ? shown(/** @type {Value} */ (edit.value)) : "";
    this.#take(edit, this.#before.get(edit.edit_id), edit.op === "set" ? { text, message } : undefined);
    if (edit.op !== "set") this.#say(`${edit.row_id.slice(0, 80)}: ${message}`, edit);
  }

  /** @param {string} message @param {Edit} [edit] */
  #say(message, edit) {
    this.dispatchEvent(new CustomEvent("refused", { detail: { message, edit } }));
  }

  /** An edit with its row named as the server has it. @param {Edit} edit @returns {Edit} */
  #named(edit) {
    return { ...edit, row_id: this.#names.get(edit.row_id) ?? edit.row_id };
  }

  /** @param {string} name @param {string} key */
  #rename(name, key) {
    this.#names.set(name, key);
    this.inserted = new Map([...this.inserted].map(([id, row]) => [id === name ? key : id, row]));
    const cells = this.cells.get(name);
    this.cells.delete(name);
    if (cells) this.cells.set(key, cells);
  }

  /** @param {unknown} error */
  #waits(error) {
    this.reason = error instanceof Error ? error.message : String(error);
    if (error instanceof Refusal) return this.#stand(stops(error, "edits") ?? "ended");
    const seconds = error instanceof Lost ? error.seconds : 0;
    this.#tries += 1;
    this.#schedule(Math.max(1000 * seconds, Math.min(LONGEST_MS, 500 * 2 ** this.#tries)));
    this.#stand("waiting");
  }

  /** @param {State} state */
  #stand(state) {
    this.state = state;
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}

/** What a refusal of a whole call means for all edits that wait; undefined: it is about this call.
 * @param {Refusal} error @param {Batch["kind"]} kind @returns {State | undefined}
 */
function stops({ status, code }, kind) {
  if (status === 401 || code === "origin_refused") return "signed out";
  return status === 403 || status === 410 || (status === 404 && kind === "edits") ? "ended" : undefined;
}

/** Edits by call. @param {Edit[]} edits */
function calls(edits) {
  /** @type {Edit[][]} */
  const parts = [];
  let size = MOST;
  for (const edit of edits) {
    const own = sizeOf([edit]);
    size += own;
    if (size <= MOST) parts[parts.length - 1].push(edit);
    else {
      parts.push([edit]);
      size = own;
    }
  }
  return parts;
}

/** Batches that go in one call with the first. @param {Kept[]} batches */
function together([first, ...rest]) {
  const joined = [first];
  let size = sizeOf(first.edits);
  for (const one of rest) {
    size += sizeOf(one.edits);
    if (first.sent || one.sent || first.kind !== "edits" || one.kind !== "edits" || one.n * first.n <= 0 || size > MOST) break;
    joined.push(one);
  }
  return joined;
}

/** @param {Batch[]} batches */
function count(batches) {
  return batches.reduce((sum, { edits }) => sum + edits.length, 0);
}

/** What edits count for in a call. @param {Edit[]} edits */
function sizeOf(edits) {
  const texts = edits.map(({ value }) => (typeof value === "string" ? value : JSON.stringify(value ?? null)));
  return texts.reduce((sum, text) => sum + 1 + Math.floor(text.length / LONG), 0);
}
