/** The editor of one cell: Enter and Tab end it, Escape leaves the cell as it was, Alt+Enter begins a new line. */

import { broken, typed } from "./cells.js";
import { element } from "./dom.js";

/** @typedef {import("./cells.js").Column} Column */

export class Editor extends EventTarget {
  /** @type {{index: number, column: Column, place: number, begun: string} | undefined} */
  #at;

  /** @param {HTMLElement} body Where cells are. */
  constructor(body) {
    super();
    this.body = body;
    this.field = element("textarea", { class: "grid-editor", rows: 1, spellcheck: "false", autocomplete: "off", hidden: true });
    body.append(this.field);
    this.field.addEventListener("keydown", (event) => this.#key(event));
    this.field.addEventListener("input", () => this.#judge());
    this.field.addEventListener("blur", () => this.#end("blur"));
  }

  get isOpen() {
    return this.#at !== undefined;
  }

  /** @param {HTMLElement} cell @param {Column} column @param {number} index @param {string} text @param {boolean} keeps Whether the text is that of the cell. */
  open(cell, column, index, text, keeps) {
    const place = Number(cell.getAttribute("aria-colindex")) - 2;
    this.field.value = text;
    this.#at = { index, column, place, begun: keeps ? this.field.value : "\0" }; // a field has line feeds for each end of a line
    this.field.setAttribute("aria-label", `${column.label}, row ${index + 1}`);
    this.#lie(cell);
    this.field.focus({ preventScroll: true });
    this.field.setSelectionRange(text.length, text.length);
    this.#judge();
  }

  /** End, and keep what was typed. */
  close() {
    this.#end("blur");
  }

  /** Stay over the cell while rows move. @param {(index: number) => HTMLElement[] | undefined} cellsOf */
  follow(cellsOf) {
    if (this.#at) this.#lie(cellsOf(this.#at.index)?.[this.#at.place]);
  }

  /** @param {HTMLElement} [cell] */
  #lie(cell) {
    this.field.hidden = false;
    const { style } = this.field;
    style.visibility = cell ? "visible" : "hidden";
    if (!cell) return;
    const [over, all] = [cell.getBoundingClientRect(), this.body.getBoundingClientRect()];
    style.left = `${over.left - all.left}px`;
    style.top = `${over.top - all.top}px`;
    style.width = `${over.width}px`;
    style.height = `${Math.max(over.height, this.field.value.includes("\n") ? 84 : 0)}px`;
  }

  #judge() {
    if (!this.#at) return;
    const reading = typed(this.#at.column, this.field.value);
    const fault = "value" in reading ? broken(this.#at.column, reading.value) : reading.refusal;
    this.field.setAttribute("aria-invalid", String(Boolean(fault)));
    this.field.title = fault;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    event.stopPropagation();
    if (event.isComposing) return;
    if (event.key === "Enter" && event.altKey) this.field.setRangeText("\n", this.field.selectionStart, this.field.selectionEnd, "end");
    else if (event.key === "Enter" || event.key === "Tab") this.#end(event.shiftKey ? `Shift+${event.key}` : event.key);
    else if (event.key === "Escape") this.#end("Escape");
    else return;
    event.preventDefault();
  }

  /** @param {string} key */
  #end(key) {
    const at = this.#at;
    if (!at) return;
    this.#at = undefined;
    const text = this.field.value;
    this.field.hidden = true;
    const changed = key !== "Escape" && text !== at.begun;
    this.dispatchEvent(new CustomEvent(changed ? "end" : "left", { detail: { ...at, text, key } }));
  }
}
