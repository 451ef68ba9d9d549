/** Which row is on top: no element is taller than browsers can draw, however many rows there are. */

/** Pixels of the tallest element that is made; Chromium's is 33,554,432. */
const TALLEST = 15_000_000;

export class Scrolling {
  /** Pixels above the top row of the view, as if all rows were drawn. */
  top = 0;
  rows = 0;
  /** Where the scrollbar was put by `go`; NaN: nowhere. */
  #expected = NaN;

  /** @param {HTMLElement} box Scrolls. @param {HTMLElement} inner As tall as all rows. @param {() => void} moved */
  constructor(box, inner, moved) {
    this.box = box;
    this.inner = inner;
    this.moved = moved;
    this.height = 28;
    this.head = 0;
    box.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    box.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  /** Pixels in which rows are seen. */
  get view() {
    return Math.max(this.height, this.box.clientHeight - this.head);
  }

  get first() {
    return Math.floor(this.top / this.height);
  }

  get last() {
    return Math.min(this.rows - 1, Math.floor((this.top + this.view - 1) / this.height));
  }

  /** @param {number} rows */
  resize(rows) {
    this.rows = rows;
    this.inner.style.height = `${this.#tall + this.head}px`;
    this.go(this.top);
  }

  /** Bring a row into sight: within the box, and with it within the window.
   * @param {number} row @param {number} [below] Pixels at the lower edge of the window that hold something else.
   */
  reveal(row, below = 0) {
    const top = row * this.height;
    const far = top < this.top - this.view || top > this.top + 2 * this.view;
    if (far) this.go(top - this.view / 2);
    else if (top < this.top) this.go(top);
    else if (top + this.height > this.top + this.view) this.go(top + this.height - this.view);
    const upper = this.box.getBoundingClientRect().top + this.head + top - this.top;
    const hidden = upper + this.height + below - innerHeight;
    if (upper < 0 || hidden > 0) scrollBy(0, upper < 0 ? Math.floor(upper) : Math.ceil(hidden));
  }

  /** @param {number} top */
  go(top) {
    this.top = Math.max(0, Math.min(top, this.rows * this.height - this.view));
    const place = Math.round(this.top / this.#ratio);
    this.#expected = this.box.scrollTop === place ? NaN : place;
    this.box.scrollTop = place;
    this.moved();
  }

  get #tall() {
    return Math.min(TALLEST, this.rows * this.height);
  }

  /** Pixels of rows for a pixel of the scrollbar. */
  get #ratio() {
    const bar = this.#tall - this.view;
    return bar > 0 ? Math.max(1, (this.rows * this.height - this.view) / bar) : 1;
  }

  #scrolled() {
    const { scrollTop } = this.box;
    if (!(Math.abs(scrollTop - this.#expected) <= 1)) this.top = scrollTop * this.#ratio;
    this.#expected = NaN;
    this.moved();
  }

  /** Where a pixel of the scrollbar is more than one, the wheel still moves by pixels of rows.
   * @param {WheelEvent} event
   */
  #wheel(event) {
    if (this.#ratio === 1 || event.ctrlKey || event.shiftKey || !event.deltaY) return;
    event.preventDefault();
    this.go(this.top + event.deltaY * [1, this.height, this.view][event.deltaMode]);
  }
}
