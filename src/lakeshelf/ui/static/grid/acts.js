/** What people do to cells and rows: type, clear, fill, paste, copy, insert, delete. */

import { made } from "../ids.js";
import { read, same, shown } from "./cells.js";
import { format, parse } from "./tsv.js";

/** @typedef {import("./cells.js").Column} Column */
/** @typedef {import("./cells.js").Reading} Reading */
/** @typedef {import("./cells.js").Value} Value */
/** @typedef {import("./edits.js").Wanted} Wanted */
/** @typedef {import("./table.js").Table} Table */
/** @typedef {import("./selection.js").Range} Range */
/** @typedef {{index: number, column: Column, text: string, reading: Reading}} Change */

/** Cells above which a paste asks first. */
const MANY = 10_000;
const MOST_COPIED = 10_000;
const ROWS_AT_ONCE = 2_000;
const NAMED = 5;

export class Acts {
  /** @type {{wanted: Wanted[], refused: string[]}} */
  #now = { wanted: [], refused: [] };

  /**
   * @param {Table} table @param {(text: string) => void} say
   * @param {(question: string) => Promise<boolean>} ask
   */
  constructor(table, say, ask) {
    this.table = table;
    this.say = say;
    this.ask = ask;
  }

  /** Whether a cell can be edited; of a row whose key is not complete the key can.
   * @param {Column} column @param {boolean} draft
   */
  isEditable(column, draft) {
    return !column.read_only || (draft && column.key);
  }

  /** Write values into cells whose rows are here; what cannot be is named, and the rest is taken.
   * @param {Change[]} changes @param {string} [what]
   */
  write(changes, what = "") {
    for (const change of changes) this.#change(change);
    this.#end(what && `${changes.length - this.#now.refused.length} of ${changes.length} cells ${what}`);
  }

  /** @param {Range} range */
  clear(range) {
    return this.#fill(range, () => "", "cleared");
  }

  /** The first row of a range into the rows below it. @param {Range} range */
  async down(range) {
    await this.table.pages.all(range.top, range.top);
    const row = this.table.row(range.top);
    if (!row) return;
    const texts = this.table.columns.map((column) => this.table.cell(row, column).value);
    await this.#fill({ ...range, top: range.top + 1 }, (column) => shown(texts[column]), "filled");
  }

  /** @param {Range} range @param {string} text */
  async paste(range, text) {
    const pieces = parse(text);
    const cells = pieces.reduce((sum, row) => sum + row.length, 0);
    if (!cells) return;
    if (cells > MANY && !(await this.ask(`Paste ${cells.toLocaleString("en")} cells?`))) return;
    if (cells === 1) return this.#fill(range, () => pieces[0][0].text, "pasted", pieces[0][0].quoted);
    const width = this.table.columns.length - range.left;
    const inside = pieces.slice(0, this.table.rows - range.top).map((row) => row.slice(0, width));
    const taken = inside.reduce((sum, row) => sum + row.length, 0);
    await this.#each(range.top, inside.length, (index, number) => {
      inside[number].forEach((piece, place) => {
        const column = this.table.columns[range.left + place];
        const reading = read(column, piece.text, piece.quoted);
        this.#change({ index, column, text: piece.text, reading });
      });
    });
    const outside = cells - taken;
    if (outside) this.#now.refused.push(`${outside} cells beyond the last row or column: insert rows first`);
    this.#end(`${cells - outside - this.#now.refused.length + (outside ? 1 : 0)} of ${cells} cells pasted`);
  }

  /** The text of a range for the clipboard; undefined: rows of it are not here. @param {Range} range */
  copied(range) {
    const columns = this.table.columns.slice(range.left, range.right + 1);
    const rows = [];
    for (let index = range.top; index <= range.bottom; index += 1) {
      const row = this.table.row(index);
      if (!row) return undefined;
      const values = columns.map((column) => this.table.cell(row, column).value);
      rows.push(values.map((value) => (value === null ? null : shown(value))));
    }
    return format(rows);
  }

  /** Fetch what is to be copied; whether it can be. @param {Range} range */
  async fetch({ top, bottom }) {
    if (bottom - top >= MOST_COPIED) {
      this.say(`At most ${MOST_COPIED} rows are copied: download the dataset instead`);
      return false;
    }
    await this.table.pages.all(top, bottom);
    return true;
  }

  /** A new row behind all others; its place. */
  insert() {
    const { table } = this;
    if (table.key.length) table.drafts.set(`draft:${made()}`, {});
    else table.edits.step([{ op: "insert", row_id: `new:${crypto.getRandomValues(new Uint32Array(1))[0] % 1e9}`, value: {} }]);
    table.dispatchEvent(new Event("change"));
    if (table.key.length) this.say(`A new row: it is sent once it has ${table.key.join(", ")}`);
    return table.rows - 1;
  }

  /** @param {Range} range */
  async delete({ top, bottom }) {
    const rows = bottom - top + 1;
    if (rows > MANY && !(await this.ask(`Delete ${rows.toLocaleString("en")} rows?`))) return;
    await this.#each(top, rows, (index) => {
      const row = this.table.row(index);
      if (row?.draft) this.table.drafts.delete(row.id);
      else if (row && !this.table.isDeleted(row)) this.#now.wanted.push({ op: "delete", row_id: row.id });
    });
    this.#end(`${rows} rows deleted`);
  }

  /** @param {Range} range @param {(column: number) => string} textOf @param {string} what @param {boolean} [quoted] */
  async #fill({ top, bottom, left, right }, textOf, what, quoted = false) {
    const rows = bottom - top + 1;
    const cells = rows * (right - left + 1);
    if (cells > MANY && !(await this.ask(`${cells.toLocaleString("en")} cells are to be ${what}. Go on?`))) return;
    await this.#each(top, rows, (index) => {
      for (let place = left; place <= right; place += 1) {
        const column = this.table.columns[place];
        const text = textOf(place);
        this.#change({ index, column, text, reading: read(column, text, quoted) });
      }
    });
    this.#end(`${cells - this.#now.refused.length} of ${cells} cells ${what}`);
  }

  /** @param {number} top @param {number} count @param {(index: number, number: number) => void} what */
  async #each(top, count, what) {
    for (let at = 0; at < count; at += ROWS_AT_ONCE) {
      const to = Math.min(count, at + ROWS_AT_ONCE);
      await this.table.pages.all(top + at, Math.min(top + to, this.table.count) - 1);
      for (let number = at; number < to; number += 1) what(top + number, number);
    }
  }

  /** @param {Change} change */
  #change({ index, column, text, reading }) {
    const row = this.table.row(index);
    if (!row) return this.#refuse(`row ${index + 1}`, column, "it could not be read");
    const { value: before } = this.table.cell(row, column);
    if ("value" in reading && same(reading.value, before)) return this.#same(row.id, column, before);
    if (!this.isEditable(column, row.draft)) return this.#refuse(row.id, column, column.key ? "the key of a row does not change" : "read only");
    if (!("value" in reading)) {
      if (!row.draft) this.table.edits.refuse(row.id, column.name, before, text, `${reading.refusal}, not ${text.slice(0, 40)}`);
      return this.#refuse(row.draft ? "the new row" : row.id, column, `${reading.refusal}, not ${text.slice(0, 40)}`);
    }
    if (row.draft) this.#draft(row.id, column, reading.value);
    else this.#now.wanted.push({ op: "set", row_id: row.id, column: column.name, value: reading.value, before });
  }

  /** What was refused before is forgotten by the value that is there. @param {string} id @param {Column} column @param {Value} value */
  #same(id, column, value) {
    const cell = this.table.edits.cells.get(id)?.get(column.name);
    if (cell?.refused) this.table.edits.cells.get(id)?.set(column.name, { value });
  }

  /** @param {string} id @param {Column} column @param {Value} value */
  #draft(id, column, value) {
    const { table } = this;
    const cells = { ...table.drafts.get(id), [column.name]: value };
    const key = table.keyOf(cells);
    if (key === undefined) return void table.drafts.set(id, cells);
    table.drafts.delete(id);
    this.#now.wanted.push({ op: "insert", row_id: key, value: cells });
  }

  /** @param {string} row @param {Column} column @param {string} why */
  #refuse(row, column, why) {
    this.#now.refused.push(`${column.label} of ${row}: ${why}`);
  }

  /** @param {string} what */
  #end(what) {
    const { wanted, refused } = this.#now;
    this.#now = { wanted: [], refused: [] };
    this.table.edits.step(wanted);
    this.table.dispatchEvent(new Event("change"));
    const named = refused.slice(0, NAMED).join("; ");
    const more = refused.length > NAMED ? `; and ${refused.length - NAMED} more, F8 shows the next` : "";
    const begun = what && `${what}. `;
    if (refused.length) this.say(`${begun}Refused: ${named}${more}`);
    else if (what) this.say(what);
  }
}
