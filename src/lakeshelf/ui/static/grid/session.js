/** The session of a dataset that somebody edits: the open one, or a new one with the first edit. */

import { call, path } from "./calls.js";

/** @typedef {{id: string, base_version: number, edits: number, edited_at: string, request: number | null}} Opened */

export class Session {
  /** @type {Opened | undefined} */
  opened;
  /** @type {Promise<Opened> | undefined} */
  #opening;

  /** @param {string} project @param {string} dataset @param {(opened: Opened) => Promise<void>} came */
  constructor(project, dataset, came) {
    this.place = `${path("projects", project, "datasets", dataset)}/live_sessions`;
    this.came = came;
  }

  /** The session that was edited last, if there is one. */
  async find() {
    /** @type {Opened[]} */
    const open = await call("GET", this.place);
    const [latest] = open.sort((one, other) => (one.edited_at < other.edited_at ? 1 : -1));
    this.opened = latest;
    return latest;
  }

  /** Its id; it is opened when somebody needs it, by one tab at a time. @param {boolean} renewed Whether another is needed. */
  async id(renewed) {
    if (this.opened && !renewed) return this.opened.id;
    this.#opening ??= alone(`lakeshelf ${this.place}`, () => this.#open());
    try {
      this.opened = await this.#opening;
    } finally {
      this.#opening = undefined;
    }
    await this.came(this.opened);
    return this.opened.id;
  }

  /** @returns {Promise<Opened>} */
  async #open() {
    return (await this.find()) ?? (await call("POST", this.place));
  }
}

/** One tab at a time, where browsers have locks and may keep something.
 * @template T @param {string} name @param {() => Promise<T>} what @returns {Promise<T>}
 */
async function alone(name, what) {
  let isBegun = false;
  const begin = () => {
    isBegun = true;
    return what();
  };
  try {
    return await navigator.locks.request(name, begin);
  } catch (error) {
    if (isBegun) throw error;
    return what();
  }
}
