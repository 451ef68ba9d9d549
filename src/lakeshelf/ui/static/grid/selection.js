/** The active cell and the rectangle that is selected. */

/** @typedef {{row: number, column: number}} Place */
/** @typedef {{top: number, bottom: number, left: number, right: number}} Range */
/** @typedef {{rows: number, columns: number, page: number}} Bounds */

export class Selection {
  /** @type {Place} */
  anchor = { row: 0, column: 0 };
  /** @type {Place} */
  active = { row: 0, column: 0 };

  /** @returns {Range} */
  get range() {
    return {
      top: Math.min(this.anchor.row, this.active.row),
      bottom: Math.max(this.anchor.row, this.active.row),
      left: Math.min(this.anchor.column, this.active.column),
      right: Math.max(this.anchor.column, this.active.column),
    };
  }

  get cells() {
    const { top, bottom, left, right } = this.range;
    return (bottom - top + 1) * (right - left + 1);
  }

  /** @param {number} row @param {number} column */
  has(row, column) {
    const { top, bottom, left, right } = this.range;
    return top <= row && row <= bottom && left <= column && column <= right;
  }

  /** @param {Place} place @param {boolean} [extends_] */
  go(place, extends_ = false) {
    this.active = { ...place };
    if (!extends_) this.anchor = { ...place };
  }

  /** Whether a key moves it, and then moves it.
   * @param {{key: string, ctrlKey: boolean, metaKey: boolean, shiftKey: boolean}} event @param {Bounds} bounds
   */
  key(event, { rows, columns, page }) {
    const far = event.ctrlKey || event.metaKey;
    const { row, column } = this.active;
    const last = { row: rows - 1, column: columns - 1 };
    if (event.key === "a" && far) {
      this.anchor = { row: 0, column: 0 };
      this.active = last;
      return true;
    }
    /** @type {Record<string, Place>} */
    const moves = {
      ArrowUp: { row: far ? 0 : row - 1, column },
      ArrowDown: { row: far ? last.row : row + 1, column },
      ArrowLeft: { row, column: far ? 0 : column - 1 },
      ArrowRight: { row, column: far ? last.column : column + 1 },
      Home: { row: far ? 0 : row, column: 0 },
      End: { row: far ? last.row : row, column: last.column },
      PageUp: { row: row - page, column },
      PageDown: { row: row + page, column },
    };
    const place = moves[event.key];
    if (!place) return false;
    this.go(inside(place, last), event.shiftKey);
    return true;
  }

  /** To the next cell of a row, and on to the next row; the other way with -1.
   * @param {number} step @param {Bounds} bounds
   */
  tab(step, { rows, columns }) {
    const at = this.active.row * columns + this.active.column + step;
    const place = { row: Math.floor(at / columns), column: ((at % columns) + columns) % columns };
    if (place.row >= 0 && place.row < rows) this.go(place);
  }
}

/** @param {Place} place @param {Place} last */
function inside(place, last) {
  return {
    row: Math.max(0, Math.min(last.row, place.row)),
    column: Math.max(0, Math.min(last.column, place.column)),
  };
}
