/** What was not sent yet, kept by the browser: it survives a reload, and other tabs see it. */

/** @typedef {import("./edits.js").Batch} Batch */
/** @typedef {Batch & {n: number, of: string}} Kept */

const NAME = "lakeshelf-edits";
const UNSENT = "unsent";

export class Store {
  /** @param {string} of Whose edits of which dataset. */
  constructor(of) {
    this.of = of;
    this.opened = open().catch(() => null);
    this.count = 0;
  }

  /** Whether what is kept survives a reload: some browsers keep nothing in private windows. */
  async lasts() {
    return (await this.opened) !== null;
  }

  /** @returns {Promise<Kept[]>} In the order in which they were kept. */
  async all() {
    const kept = await this.#ask("readonly", (unsent) => unsent.getAll());
    return (kept ?? []).filter((/** @type {Kept} */ one) => one.of === this.of);
  }

  /** Keep all batches of one act or none, so that one which a reload cuts off is not half done. Each gets its number;
   * one for which there is no room has none, and waits in the page alone.
   * @param {Kept[]} batches
   */
  async add(batches) {
    /** @type {IDBRequest[]} */
    const asked = [];
    const isKept = await this.#ask("readwrite", (unsent) => {
      for (const { n, ...batch } of batches) asked.push(unsent.add(batch));
      return asked[0];
    }).then(() => true, () => false);
    batches.forEach((batch, place) => {
      this.count += 1;
      if (isKept) batch.n = /** @type {number} */ (asked[place]?.result ?? this.count);
    });
  }

  /** A batch as it is kept; undefined: another tab has sent and removed it. What no browser keeps is as it was.
   * @param {Kept} batch @returns {Promise<Kept | undefined>}
   */
  async kept(batch) {
    return batch.n && (await this.lasts()) ? this.#ask("readonly", (unsent) => unsent.get(batch.n)) : batch;
  }

  /** Put one batch in the place of some, in one step.
   * @param {number[]} numbers @param {Batch} batch
   */
  async replace(numbers, batch) {
    if (numbers[0]) await this.#ask("readwrite", (unsent) => {
      for (const number of numbers.slice(1)) unsent.delete(number);
      return unsent.put({ ...batch, of: this.of, n: numbers[0] });
    });
  }

  /** @param {number} number */
  remove(number) {
    return this.#ask("readwrite", (unsent) => unsent.delete(number));
  }

  /** @param {IDBTransactionMode} mode @param {(unsent: IDBObjectStore) => IDBRequest} what @returns {Promise<any>} */
  async #ask(mode, what) {
    const database = await this.opened;
    if (!database) return undefined;
    return new Promise((resolve, reject) => {
      const transaction = database.transaction(UNSENT, mode);
      const asked = what(transaction.objectStore(UNSENT));
      transaction.oncomplete = () => resolve(asked.result);
      transaction.onabort = () => reject(transaction.error);
      transaction.commit?.();
    });
  }
}

/** @returns {Promise<IDBDatabase>} */
function open() {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(UNSENT, { keyPath: "n", autoIncrement: true });
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
}
