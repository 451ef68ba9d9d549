/** Rows of a view by page: those in sight are asked for, those out of sight are no longer waited for. */

import { Lost } from "./calls.js";

/** @typedef {import("./cells.js").Value} Value */
/**
 * @typedef {object} Page
 * @property {number} offset
 * @property {number} count
 * @property {string[]} row_ids
 * @property {Record<string, Value[]>} columns
 * @property {Record<string, Record<string, Value>>} edited
 * @property {string[]} inserted
 * @property {string[]} deleted
 * @property {Record<string, string[]>} changed
 */
/** @typedef {(offset: number, limit: number, signal: AbortSignal) => Promise<Page>} Fetch */

export const SIZE = 200;
const KEPT = 80;
/** After which time a page is asked for again that did not come. */
const AGAIN_MS = 2500;

export class Pages {
  /** @type {Map<number, Page>} */
  #held = new Map();
  /** @type {Map<number, {stop: AbortController, done: Promise<void>}>} */
  #asked = new Map();

  /** @type {Set<number>} Pages that are held as they were, until they have come anew. */
  #old = new Set();
  #times = 0;

  /** @type {Set<number>} Pages that are waited for out of sight. */
  #wanted = new Set();
  /** Pages in sight. */
  #seen = { from: 0, to: 0 };

  /** @param {Fetch} fetch @param {() => void} came @param {(error: unknown) => void} failed */
  constructor(fetch, came, failed) {
    this.fetch = fetch;
    this.came = came;
    this.failed = failed;
  }

  /** The page of a row, and where in it; undefined: it is not here yet.
   * @param {number} row @returns {[Page, number] | undefined}
   */
  at(row) {
    const page = this.#held.get(Math.floor(row / SIZE));
    const place = row % SIZE;
    return page && place < page.row_ids.length ? [page, place] : undefined;
  }

  /** Ask for the pages of rows in sight, and give up waiting for others.
   * @param {number} first @param {number} last
   */
  show(first, last) {
    this.#seen = { from: Math.floor(first / SIZE), to: Math.floor(last / SIZE) };
    for (const [number, asked] of this.#asked)
      if (!this.#isSeen(number) && !this.#wanted.has(number)) asked.stop.abort();
    for (let number = this.#seen.from; number <= this.#seen.to; number += 1) void this.load(number);
  }

  /** @param {number} number */
  #isSeen(number) {
    return this.#seen.from <= number && number <= this.#seen.to;
  }

  /** A page, which is used now and so is kept longer than others. @param {number} number @returns {Promise<void>} */
  load(number) {
    const held = this.#held.get(number);
    if (held && !this.#old.has(number)) {
      this.#held.delete(number);
      this.#held.set(number, held);
      return Promise.resolve();
    }
    const asked = this.#asked.get(number);
    if (asked && !asked.stop.signal.aborted) return asked.done;
    const stop = new AbortController();
    const done = this.#fetched(number, stop);
    this.#asked.set(number, { stop, done });
    return done;
  }

  /** @param {number} number @param {AbortController} stop */
  async #fetched(number, stop) {
    const times = this.#times;
    try {
      const page = await this.fetch(number * SIZE, SIZE, stop.signal);
      if (!stop.signal.aborted) this.#keep(number, page, times === this.#times);
    } catch (error) {
      if (stop.signal.aborted) return;
      this.failed(error);
      if (error instanceof Lost) setTimeout(this.came, AGAIN_MS); // what is drawn is asked for
    } finally {
      if (this.#asked.get(number)?.stop === stop) this.#asked.delete(number);
    }
  }

  /** All pages that hold rows from one to another, fetched where they are not here.
   * @param {number} first @param {number} last
   */
  async all(first, last) {
    const numbers = [];
    for (let number = Math.floor(first / SIZE); number <= last / SIZE; number += 1) numbers.push(number);
    for (const number of numbers) this.#wanted.add(number);
    await Promise.all(numbers.map((number) => this.load(number)));
    for (const number of numbers) this.#wanted.delete(number);
  }

  forget() {
    for (const asked of this.#asked.values()) asked.stop.abort();
    this.#asked.clear();
    this.#held.clear();
    this.#old.clear();
  }

  /** Ask anew for each page that is used; until it comes it stays as it is. */
  renew() {
    this.#times += 1;
    this.#old = new Set(this.#held.keys());
  }

  /** @param {number} number @param {Page} page @param {boolean} isNew */
  #keep(number, page, isNew) {
    this.#held.set(number, page);
    if (isNew) this.#old.delete(number);
    else this.#old.add(number);
    const [oldest] = this.#held.keys();
    if (this.#held.size > KEPT) this.#held.delete(oldest);
    if (this.#isSeen(number)) this.came();
  }
}
