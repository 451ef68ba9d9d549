/** What people do to cells and rows: type, clear, fill, paste, copy, insert, delete. */

import { made } from "../ids.js";
import { counted } from "../texts.js";
import { read, same, shown } from "./cells.js";
import { format, parse } from "./tsv.js";

/** @typedef {import("./cells.js").Column} Column */
/** @typedef {import("./cells.js").Reading} Reading */
/** @typedef {import("./cells.js").Value} Value */
/** @typedef {import("./edits.js").Wanted} Wanted */
/** @typedef {import("./table.js").Table} Table */
/** @typedef {import("./selection.js").Range} Range */
/** @typedef {{index: number, column: Column, text: string, reading: Reading}} Change */
/** @typedef {{wanted: Wanted[], refused: string[], drafts: Set<string>}} Act What one act comes to; others may begin before it ends. */

/** Cells above which an act asks first, and most of one act: each is held until the server has it. */
const MANY = 10_000;
const MOST = 250_000;
const MOST_COPIED = 10_000;
const ROWS_AT_ONCE = 2_000;
const NAMED = 5;

export class Acts {
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
    const act = begun();
    for (const change of changes) this.#change(act, change);
    this.#end(act, what && `${changes.length - act.refused.length} of ${changes.length} cells ${what}`);
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
    if (!(await this.#may(cells, "cell", "pasted"))) return;
    if (cells === 1) return this.#fill(range, () => pieces[0][0].text, "pasted", pieces[0][0].quoted);
    const width = this.table.columns.length - range.left;
    const come = this.#come(range, pieces);
    const inside = pieces.slice(0, this.table.rows - range.top).map((row) => row.slice(0, width));
    const taken = inside.reduce((sum, row) => sum + row.length, 0);
    const act = begun();
    await this.#each(range.top, inside.length, (index, number) => {
      inside[number].forEach((piece, place) => {
        const column = this.table.columns[range.left + place];
        const reading = read(column, piece.text, piece.quoted);
        this.#change(act, { index, column, text: piece.text, reading });
      });
    });
    const outside = cells - taken;
    if (outside) act.refused.push(`${counted(outside, "cell")} beyond the last row or column: new rows are pasted with their key, or inserted first`);
    const rows = come ? `, ${counted(come, "row")} new` : "";
    this.#end(act, `${cells - outside - act.refused.length + (outside ? 1 : 0)} of ${cells} cells pasted${rows}`);
  }

  /** Rows for what is pasted below the last one, where their key is pasted too; how many. @param {Range} range @param {import("./tsv.js").Piece[][]} pieces */
  #come({ top, left }, pieces) {
    const { columns, drafts, key, rows } = this.table;
    const below = pieces.slice(rows - top);
    const names = columns.slice(left, left + (below[0]?.length ?? 0)).map(({ name }) => name);
    if (!key.length || !key.every((name) => names.includes(name))) return 0;
    for (const _ of below) drafts.set(`draft:${made()}`, {});
    return below.length;
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
    if (!(await this.#may(rows, "row", "deleted"))) return;
    const act = begun();
    await this.#each(top, rows, (index) => {
      const row = this.table.row(index);
      if (row?.draft) this.table.drafts.delete(row.id);
      else if (row && !this.table.isDeleted(row)) act.wanted.push({ op: "delete", row_id: row.id });
    });
    this.#end(act, `${counted(rows, "row")} deleted`);
  }

  /** Whether an act may go on: what is much is asked, what is too much is said. @param {number} count @param {string} of @param {string} what */
  async #may(count, of, what) {
    const many = counted(count, of);
    if (count > MOST) this.say(`Nothing is ${what}: ${many} are more than the ${MOST.toLocaleString("en")} of one step; select fewer, or upload a file`);
    return count <= MANY || (count <= MOST && this.ask(`${many} are to be ${what}. Go on?`));
  }

  /** @param {Range} range @param {(column: number) => string} textOf @param {string} what @param {boolean} [quoted] */
  async #fill({ top, bottom, left, right }, textOf, what, quoted = false) {
    const rows = bottom - top + 1;
    const cells = rows * (right - left + 1);
    if (!(await this.#may(cells, "cell", what))) return;
    const act = begun();
    await this.#each(top, rows, (index) => {
      for (let place = left; place <= right; place += 1) {
        const column = this.table.columns[place];
        const text = textOf(place);
        this.#change(act, { index, column, text, reading: read(column, text, quoted) });
      }
    });
    this.#end(act, `${cells - act.refused.length} of ${cells} cells ${what}`);
  }

  /** @param {number} top @param {number} count @param {(index: number, number: number) => void} what */
  async #each(top, count, what) {
    for (let at = 0; at < count; at += ROWS_AT_ONCE) {
      const to = Math.min(count, at + ROWS_AT_ONCE);
      await this.table.pages.all(top + at, Math.min(top + to, this.table.count) - 1);
      for (let number = at; number < to; number += 1) what(top + number, number);
    }
  }

  /** @param {Act} act @param {Change} change */
  #change(act, { index, column, text, reading }) {
    const row = this.table.row(index);
    if (!row) return this.#refuse(act, `row ${index + 1}`, column, "it could not be read");
    const { value: before } = this.table.cell(row, column);
    if ("value" in reading && same(reading.value, before)) return this.#same(row.id, column, before);
    if (!this.isEditable(column, row.draft)) return this.#refuse(act, row.id, column, column.key ? "the key of a row does not change" : "read only");
    if (!("value" in reading)) {
      if (!row.draft) this.table.edits.refuse(row.id, column.name, before, text, `${reading.refusal}, not ${text.slice(0, 40)}`);
      return this.#refuse(act, row.draft ? "the new row" : row.id, column, `${reading.refusal}, not ${text.slice(0, 40)}`);
    }
    if (row.draft) this.#draft(act, row.id, column, reading.value);
    else act.wanted.push({ op: "set", row_id: row.id, column: column.name, value: reading.value, before });
  }

  /** What was refused before is forgotten by the value that is there. @param {string} id @param {Column} column @param {Value} value */
  #same(id, column, value) {
    const cell = this.table.edits.cells.get(id)?.get(column.name);
    if (cell?.refused) this.table.edits.cells.get(id)?.set(column.name, { value });
  }

  /** A row stays where it is until the act ends. @param {Act} act @param {string} id @param {Column} column @param {Value} value */
  #draft(act, id, column, value) {
    this.table.drafts.set(id, { ...this.table.drafts.get(id), [column.name]: value });
    act.drafts.add(id);
  }

  /** New rows whose keys are complete are sent. @param {Act} act */
  #complete({ wanted, refused, drafts }) {
    const { table } = this;
    const keys = new Set(table.edits.inserted.keys());
    for (const id of drafts) {
      const cells = table.drafts.get(id);
      const key = cells && table.keyOf(cells);
      if (key === undefined) continue;
      if (keys.has(key)) refused.push(`${key} is another new row already: give this one another key`);
      else {
        table.drafts.delete(id);
        wanted.push({ op: "insert", row_id: key, value: cells });
      }
      keys.add(key);
    }
  }

  /** @param {Act} act @param {string} row @param {Column} column @param {string} why */
  #refuse(act, row, column, why) {
    act.refused.push(`${column.label} of ${row}: ${why}`);
  }

  /** @param {Act} act @param {string} what */
  #end(act, what) {
    this.#complete(act);
    const { wanted, refused } = act;
    this.table.edits.step(wanted);
    this.table.dispatchEvent(new Event("change"));
    const named = refused.slice(0, NAMED).join("; ");
    const more = refused.length > NAMED ? `; and ${refused.length - NAMED} more, F8 shows the next` : "";
    const said = what && `${what}. `;
    if (refused.length) this.say(`${said}Refused: ${named}${more}`);
    else if (what) this.say(what);
  }
}

/** @returns {Act} */
function begun() {
  return { wanted: [], refused: [], drafts: new Set() };
}
