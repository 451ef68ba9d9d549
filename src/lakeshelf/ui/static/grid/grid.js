/** The grid: a table of which only the rows in sight are drawn, with keys, ranges and the clipboard. */

import { visible } from "../texts.js";
import { Acts } from "./acts.js";
import { editable, isNumber, typed } from "./cells.js";
import { ask, element } from "./dom.js";
import { Editor } from "./editor.js";
import { Scrolling } from "./scrolling.js";
import { Selection } from "./selection.js";

/** @typedef {import("./cells.js").Column} Column */
/** @typedef {import("./table.js").Table} Table */
/** @typedef {import("./table.js").Seen} Seen */
/** @typedef {{line: HTMLElement, number: HTMLElement, cells: HTMLElement[], seen: string[]}} Slot */


export class Grid extends EventTarget {
  selection = new Selection();
  /** @type {Slot[]} */
  #slots = [];
  #drawing = 0;
  /** Pixels of the numbers of rows. */
  numbers = 0;

  /** @param {HTMLElement} root @param {Table} table @param {boolean} canEdit @param {string} label */
  constructor(root, table, canEdit, label) {
    super();
    this.root = root;
    this.table = table;
    this.canEdit = canEdit;
    this.acts = new Acts(table, (text) => this.say(text), ask);
    this.head = element("div", { role: "rowgroup", class: "grid-head" });
    this.shift = element("div", { role: "presentation", class: "grid-shift" });
    this.body = element("div", { role: "rowgroup", class: "grid-rows" }, this.shift);
    const inner = element("div", { role: "presentation", class: "grid-all" }, this.head, this.body);
    const named = { role: "grid", tabindex: 0, "aria-label": label, "aria-multiselectable": true };
    this.box = element("div", { ...named, class: "grid-box", "aria-readonly": !canEdit && "true", inert: true }, inner);
    this.found = element("div", { role: "status", "aria-live": "polite", class: "grid-found" });
    this.nothing = element("p", { class: "empty", role: "status", hidden: true });
    this.editor = new Editor(this.body);
    root.append(this.nothing, this.box, this.found);
    this.scrolling = new Scrolling(this.box, inner, () => this.#draw());
    this.#listen();
  }

  /** Draw the columns, which are known now; nothing is done before. */
  begin() {
    this.box.inert = false;
    this.dispatchEvent(new Event("begun"));
    const names = this.table.columns.map((column, place) => this.#header(column, place));
    const corner = element("div", { role: "columnheader", class: "grid-number", "aria-colindex": 1 }, "Row");
    this.head.replaceChildren(element("div", { role: "row", class: "grid-line", "aria-rowindex": 1 }, corner, ...names));
    const widths = this.table.columns.map(width);
    this.numbers = Math.max(52, 36 + 9 * this.table.rows.toLocaleString("en").length);
    this.root.style.setProperty("--numbers", `${this.numbers}px`);
    this.root.style.setProperty("--columns", [this.numbers, ...widths].map((one) => `${one}px`).join(" "));
    this.root.style.setProperty("--width", `${widths.reduce((sum, one) => sum + one, this.numbers)}px`);
    this.box.setAttribute("aria-colcount", String(names.length + 1));
    this.#measure();
  }

  /** See how tall rows are; the one on top stays there. */
  #measure() {
    const { scrolling } = this;
    const { first } = scrolling;
    scrolling.height = parseFloat(getComputedStyle(this.root).getPropertyValue("--row")) || 28;
    scrolling.head = this.head.offsetHeight;
    scrolling.resize(this.table.rows);
    scrolling.go(first * scrolling.height);
    this.resize();
  }

  /** Rows have come or gone. */
  resize() {
    this.box.setAttribute("aria-rowcount", String(this.table.rows + 1));
    this.nothing.hidden = this.table.rows > 0 || !this.table.columns.length;
    this.nothing.textContent = this.#why;
    if (this.scrolling.rows !== this.table.rows) this.scrolling.resize(this.table.rows);
    this.body.style.height = `${this.scrolling.view}px`;
    this.#draw();
  }

  /** Make a cell the active one, in sight. @param {number} row @param {number} [column] */
  go(row, column = this.selection.active.column) {
    this.selection.go({ row: Math.max(0, Math.min(row, this.table.rows - 1)), column });
    this.#moved();
  }

  /** Say something that is no part of a cell. @param {string} text */
  say(text) {
    this.found.textContent = visible(text);
    this.said = this.#spot;
  }

  /** Why no row is shown, and what leads to some. */
  get #why() {
    if (this.table.query.filters.length) return "No row is like this. Choose others above.";
    return this.canEdit ? "There is no row. Insert one, paste some, or upload a file." : "There is no row.";
  }

  get #spot() {
    return `${this.selection.active.row}:${this.selection.active.column}`;
  }

  get #bounds() {
    const page = Math.max(1, Math.floor(this.scrolling.view / this.scrolling.height) - 1);
    return { rows: this.table.rows, columns: this.table.columns.length, page };
  }

  #listen() {
    this.table.addEventListener("change", () => this.resize());
    this.table.edits.addEventListener("change", () => this.resize());
    this.box.addEventListener("keydown", (event) => this.#key(event));
    this.box.addEventListener("mousedown", (event) => this.#press(event));
    this.box.addEventListener("mousemove", (event) => event.buttons === 1 && this.#press(event, true));
    this.box.addEventListener("dblclick", (event) => this.#place(event) && this.edit());
    this.box.addEventListener("copy", (event) => this.#copy(event));
    this.box.addEventListener("cut", (event) => this.#copy(event) && this.canEdit && void this.acts.clear(this.selection.range));
    this.box.addEventListener("paste", (event) => this.#paste(event));
    this.editor.addEventListener("end", (event) => this.#edited(/** @type {CustomEvent} */ (event).detail));
    this.editor.addEventListener("left", (event) => this.#left(/** @type {CustomEvent} */ (event).detail.key));
    new ResizeObserver(() => this.resize()).observe(this.box);
    addEventListener("rows", () => this.box.inert || this.#measure());
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (this.editor.isOpen || event.isComposing) return;
    if (this.selection.key(event, this.#bounds)) this.#moved();
    else if (!this.#command(event)) {
      const types = event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey;
      if (types) this.edit("");
      return;
    }
    event.preventDefault();
  }

  /** @param {KeyboardEvent} event */
  #command(event) {
    const far = event.ctrlKey || event.metaKey;
    const { range } = this.selection;
    const name = `${far ? "Ctrl+" : ""}${event.shiftKey && far ? "Shift+" : ""}${event.key.length === 1 ? event.key.toLowerCase() : event.key}`;
    /** @type {Record<string, () => unknown>} */
    const reading = {
      Escape: () => this.go(this.selection.active.row),
      F8: () => this.dispatchEvent(new Event("next")),
      "Ctrl+Enter": () => this.dispatchEvent(new Event("preview")),
      "Ctrl+g": () => this.dispatchEvent(new Event("jump")),
      F9: () => this.#sort(this.table.columns[this.selection.active.column].name),
      "?": () => this.dispatchEvent(new Event("keys")),
    };
    /** @type {Record<string, () => unknown>} */
    const editing = {
      Enter: () => this.edit(),
      F2: () => this.edit(),
      Delete: () => this.acts.clear(range),
      Backspace: () => this.acts.clear(range),
      "Ctrl+d": () => this.acts.down(range),
      "Ctrl+z": () => this.table.edits.undo(),
      "Ctrl+y": () => this.table.edits.redo(),
      "Ctrl+Shift+z": () => this.table.edits.redo(),
      Insert: () => this.insert(),
      "Ctrl+Delete": () => this.acts.delete(range),
    };
    const act = reading[name] ?? (this.canEdit ? editing[name] : undefined);
    if (!act) return false;
    void act();
    return true;
  }

  /** A new row, with the first cell active that is to be filled. */
  insert() {
    const [first] = this.table.key;
    const isFirst = (/** @type {Column} */ column) => (first ? column.name === first : !column.read_only);
    this.go(this.acts.insert(), Math.max(0, this.table.columns.findIndex(isFirst)));
  }

  /** Edit the active cell. @param {string} [text] What it begins with; none: the value. */
  edit(text) {
    if (!this.canEdit || !this.table.rows) return;
    const { row: index, column: place } = this.selection.active;
    this.scrolling.reveal(index);
    this.#drawn(); // keys come faster than frames
    const row = this.table.row(index);
    const column = this.table.columns[place];
    const cell = this.#slot(index)?.cells[place];
    if (!row || !cell) return this.say(`Row ${index + 1} has not come yet: try again when it is here`);
    if (!this.acts.isEditable(column, row.draft)) return this.say(`${column.label} is read only`);
    const seen = this.table.cell(row, column);
    const begins = text ?? (seen.text === "" ? editable(seen.value) : seen.text);
    this.editor.open(cell, column, index, begins, text === undefined);
  }

  /** @param {{index: number, column: Column, text: string, key: string}} end */
  #edited({ index, column, text, key }) {
    this.acts.write([{ index, column, text, reading: typed(column, text) }]);
    this.#left(key);
  }

  /** @param {string} key With which the editor was left. */
  #left(key) {
    if (key === "Enter") this.selection.key({ key: "ArrowDown", ctrlKey: false, metaKey: false, shiftKey: false }, this.#bounds);
    if (key === "Tab" || key === "Shift+Tab") this.selection.tab(key === "Tab" ? 1 : -1, this.#bounds);
    if (key !== "blur") this.box.focus({ preventScroll: true });
    this.#moved();
  }

  /** @param {ClipboardEvent} event */
  #copy(event) {
    if (this.editor.isOpen || this.selection.cells === 0) return false;
    event.preventDefault();
    const { range } = this.selection;
    const text = this.acts.copied(range);
    if (text !== undefined) event.clipboardData?.setData("text/plain", text);
    else void this.acts.fetch(range).then((here) => here && this.say("Its rows are here now: copy once more"));
    return text !== undefined;
  }

  /** @param {ClipboardEvent} event */
  #paste(event) {
    if (this.editor.isOpen || !this.canEdit) return;
    event.preventDefault();
    void this.acts.paste(this.selection.range, event.clipboardData?.getData("text/plain") ?? "");
  }

  /** @param {MouseEvent} event @param {boolean} [drags] */
  #press(event, drags = false) {
    const place = this.#place(event);
    if (!place || event.button) return;
    this.editor.close();
    this.selection.go(place, event.shiftKey || drags);
    this.#moved();
  }

  /** Where a cell was drawn, which is what somebody pressed, even if rows move at the next frame. @param {MouseEvent} event */
  #place(event) {
    const cell = event.target instanceof Element ? event.target.closest("[role=gridcell]") : null;
    const line = cell?.closest("[role=row]");
    if (!cell || !line) return undefined;
    return { row: Number(line.getAttribute("aria-rowindex")) - 2, column: Number(cell.getAttribute("aria-colindex")) - 2 };
  }

  #moved() {
    this.scrolling.reveal(this.selection.active.row, this.found.offsetHeight);
    this.#aside();
    this.#draw();
  }

  /** Bring the active column into sight, past the columns that stay. */
  #aside() {
    const header = this.head.firstElementChild?.children[this.selection.active.column + 1];
    if (!(header instanceof HTMLElement) || header.classList.contains("frozen")) return;
    const frozen = this.head.querySelector(".frozen");
    const stays = this.numbers + (frozen instanceof HTMLElement ? frozen.offsetWidth : 0);
    const { scrollLeft, clientWidth } = this.box;
    if (header.offsetLeft < scrollLeft + stays) this.box.scrollLeft = header.offsetLeft - stays;
    const right = header.offsetLeft + header.offsetWidth;
    if (right > scrollLeft + clientWidth) this.box.scrollLeft = right - clientWidth;
  }

  #draw() {
    if (!this.#drawing) this.#drawing = requestAnimationFrame(() => this.#drawn());
  }

  #drawn() {
    cancelAnimationFrame(this.#drawing);
    this.#drawing = 0;
    const { first, last, top, height } = this.scrolling;
    if (!this.table.columns.length) return;
    const { count } = this.table;
    if (count) this.table.pages.show(Math.min(first, count - 1), Math.min(last, count - 1));
    while (this.#slots.length < last - first + 1) this.#slots.push(this.#made());
    this.#slots.forEach((slot, number) => this.#fill(slot, first + number));
    this.shift.style.transform = `translateY(${first * height - top}px)`;
    const active = this.#slot(this.selection.active.row)?.cells[this.selection.active.column];
    if (active) this.box.setAttribute("aria-activedescendant", active.id);
    else this.box.removeAttribute("aria-activedescendant");
    this.editor.follow((index) => this.#slot(index)?.cells);
    this.#tell();
  }

  /** @param {number} row */
  #slot(row) {
    const slot = row - this.scrolling.first;
    return row <= this.scrolling.last ? this.#slots[slot] : undefined;
  }

  /** @returns {Slot} */
  #made() {
    const slot = this.#slots.length;
    const number = element("div", { role: "rowheader", class: "grid-number", "aria-colindex": 1 });
    const cells = this.table.columns.map((_, place) =>
      element("div", { role: "gridcell", id: `${this.root.id || "grid"}-${slot}-${place}`, "aria-colindex": place + 2 }),
    );
    const line = element("div", { role: "row", class: "grid-line" }, number, ...cells);
    this.shift.append(line);
    return { line, number, cells, seen: [] };
  }

  /** @param {Slot} slot @param {number} index */
  #fill(slot, index) {
    slot.line.hidden = index > this.scrolling.last;
    if (slot.line.hidden) return;
    slot.line.setAttribute("aria-rowindex", String(index + 2));
    slot.number.textContent = (index + 1).toLocaleString("en");
    const row = this.table.row(index);
    const is = row && { deleted: this.table.isDeleted(row), inserted: !row.place, draft: row.draft };
    slot.line.className = `grid-line ${row ? "" : "waits"} ${is?.deleted ? "deleted" : ""} ${is?.inserted ? "inserted" : ""} ${is?.draft ? "draft" : ""}`;
    this.table.columns.forEach((column, place) => {
      const seen = row && this.table.cell(row, column);
      this.#cell(slot, place, column, seen, this.#chosen(index, place), Boolean(row?.draft));
    });
  }

  /** @param {number} row @param {number} place */
  #chosen(row, place) {
    const { active, cells } = this.selection;
    if (active.row === row && active.column === place) return "active";
    return cells > 1 && this.selection.has(row, place) ? "selected" : "";
  }

  /** @param {Slot} slot @param {number} place @param {Column} column @param {Seen | undefined} seen @param {string} chosen @param {boolean} draft */
  #cell(slot, place, column, seen, chosen, draft) {
    const severity = seen?.fault ? (seen.fault.severity === "warning" ? "warning" : "error") : "";
    const fixed = !this.acts.isEditable(column, draft);
    const states = [chosen, severity, seen?.dirty && "dirty", seen?.moved && "moved", fixed && "fixed", seen?.value === null && "null"];
    const kept = [isNumber(column) && "number", place === 0 && column.key && "frozen"];
    const classes = [...states, ...kept].filter(Boolean).join(" ");
    const text = seen ? (seen.value === "" && seen.text === "" ? '""' : seen.text) : "";
    const key = `${classes}\n${text}`;
    if (slot.seen[place] === key) return;
    slot.seen[place] = key;
    const cell = slot.cells[place];
    cell.className = classes;
    cell.textContent = visible(text);
    cell.setAttribute("aria-selected", String(Boolean(chosen)));
    cell.setAttribute("aria-readonly", String(fixed || !this.canEdit));
    if (severity === "error") cell.setAttribute("aria-invalid", "true");
    else cell.removeAttribute("aria-invalid");
  }

  /** What there is to say of the active cell. */
  #tell() {
    const { row: index, column: place } = this.selection.active;
    if (this.said === this.#spot) return;
    this.said = undefined;
    const row = this.table.row(index);
    const column = this.table.columns[place];
    if (!row || !column) return;
    const { fault, base, dirty, moved } = this.table.cell(row, column);
    const was = dirty && base !== undefined ? `was ${base === null ? "empty" : base}` : "";
    const others = moved ? "changed by others since you began" : "";
    const told = [fault && `${fault.severity === "warning" ? "Warning" : "Error"}: ${fault.message}`, was, others, fault && "F8 next"];
    const unit = column.unit ? ` (${column.unit})` : "";
    const help = column.help.replaceAll("`", "");
    const text = visible(`${column.label}${unit}: ${told.filter(Boolean).join("; ") || help}`);
    if (this.found.textContent !== text) this.found.textContent = text;
    this.found.classList.toggle("error", Boolean(fault));
  }

  /** @param {string} column */
  #sort(column) {
    this.dispatchEvent(new CustomEvent("sort", { detail: column }));
  }

  /** @param {Column} column @param {number} place */
  #header(column, place) {
    const name = element("button", { type: "button", tabindex: -1 }, column.label);
    name.addEventListener("click", () => this.#sort(column.name));
    const sorted = this.table.query.sort.find((one) => one.column === column.name);
    const order = sorted ? (sorted.descending ? "descending" : "ascending") : "none";
    const kept = `${isNumber(column) ? "number" : ""} ${place === 0 && column.key ? "frozen" : ""}`;
    const named = { role: "columnheader", class: kept, "aria-colindex": place + 2, "aria-sort": order, title: column.help };
    return element("div", named, name);
  }
}

/** Pixels of a column. @param {Column} column */
function width(column) {
  const usual = isNumber(column) || column.type === "boolean" ? 100 : column.key ? 180 : 150;
  return Math.min(320, Math.max(usual, 36 + 8 * column.label.length));
}
