/** What was not sent yet, kept by the browser: it survives a reload, and other tabs see it. */

/** @typedef {import("./edits.js").Batch} Batch */
/** @typedef {Batch & {n: number, of: string}} Kept */

const NAME = "lakeshelf-edits";
const UNSENT = "unsent";

export class Store {
  /** Whether nothing can be kept: site data are forbidden, or were cleared while the page was open. */
  isShut = false;
  #loose = 0;

  /** @param {string} of Whose edits of which dataset. */
  constructor(of) {
    this.of = of;
    this.opened = open().catch(() => null);
  }

  /** @returns {Promise<Kept[]>} In the order in which they were kept. */
  async all() {
    const kept = await this.#ask("readonly", (unsent) => unsent.getAll());
    return (kept?.result ?? []).filter((/** @type {Kept} */ one) => one.of === this.of);
  }

  /** Keep all batches of one act or none, so that one which a reload cuts off is not half done. Each gets its number;
   * one that cannot be kept has one below zero, and waits in the page alone.
   * @param {Kept[]} batches
   */
  async add(batches) {
    /** @type {IDBRequest[]} */
    const asked = [];
    const isKept = await this.#ask("readwrite", (unsent) => {
      for (const { n, ...batch } of batches) asked.push(unsent.add(batch));
      return asked[0];
    });
    batches.forEach((batch, place) => { batch.n = isKept ? asked[place].result : (this.#loose -= 1); });
  }

  /** Put the first of what is made of some in the place of all that it is made of, in one step, as other tabs have left
   * them. Where there is no room they are as the page has them, and stay.
   * @param {Kept[]} batches @param {(kept: Kept[]) => Kept[]} make
   * @returns {Promise<Kept[] | undefined>} undefined: another tab has sent and removed the first
   */
  async join(batches, make) {
    /** @type {Kept[] | undefined} */
    let made;
    const isKept = batches[0].n > 0 && (await this.#ask("readwrite", (unsent) => {
      const asked = batches.map(({ n }) => unsent.get(n));
      asked[asked.length - 1].onsuccess = () => {
        const held = asked.map(({ result }) => result);
        if (!held[0]) return;
        made = make(held.filter(Boolean));
        for (const { n } of made.slice(1)) unsent.delete(n);
        unsent.put(made[0]);
      };
      return asked[0];
    }, false));
    return isKept ? made : make(batches[0].n < 0 || this.isShut ? batches : [batches[0]]);
  }

  /** @param {number} number */
  remove(number) {
    return this.#ask("readwrite", (unsent) => unsent.delete(number));
  }

  /** @param {IDBTransactionMode} mode @param {(unsent: IDBObjectStore) => IDBRequest} what @param {boolean} isWhole Whether nothing more is asked.
   * @returns {Promise<IDBRequest | undefined>} undefined: it could not be done
   */
  async #ask(mode, what, isWhole = true) {
    const database = await this.opened;
    try {
      const transaction = /** @type {IDBDatabase} */ (database).transaction(UNSENT, mode);
      return await new Promise((resolve) => {
        const asked = what(transaction.objectStore(UNSENT));
        transaction.oncomplete = () => resolve(asked);
        transaction.onabort = () => resolve(undefined);
        if (isWhole) transaction.commit?.();
      });
    } catch {
      this.isShut = true;
      return undefined;
    }
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
