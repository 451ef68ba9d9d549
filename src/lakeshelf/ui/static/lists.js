// Lists that are ticked, that say when they are of yesterday, and counts that show their difference to the books.

import { on } from "./live.js";

const all = /** @type {HTMLInputElement | null} */ (document.querySelector("[data-all]"));
if (all) {
  all.hidden = false;
  all.addEventListener("change", () => {
    const boxes = /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("[name=targets]:not(:disabled)"));
    for (const box of boxes) box.checked = all.checked;
  });
}

for (const field of /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("[data-expected]"))) {
  field.addEventListener("input", () => {
    const place = field.closest("form")?.querySelector("[data-difference]");
    const whole = /^\d+$/.test(field.value.trim());
    const difference = Number(field.value) - Number(field.dataset.expected);
    if (place) place.textContent = whole ? `difference ${difference > 0 ? "+" : ""}${difference}` : "";
  });
}

const news = /** @type {HTMLElement | null} */ (document.querySelector("[data-news]"));
/** @type {string | undefined} */
let before;

/** @param {Record<string, unknown>} numbers */
function compare(numbers) {
  const now = JSON.stringify(numbers[news?.dataset.news || ""]);
  if (news && before !== undefined && now !== before) news.hidden = false;
  before = now;
}

if (news) {
  on("numbers", compare);
  on("act", () => { news.hidden = false; });
}
