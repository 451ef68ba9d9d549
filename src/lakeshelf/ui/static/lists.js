// Lists that are ticked and renewed, and counts that show their difference to the books.

import "./renewing.js";

/** @param {Document | Element} part */
function ticks(part) {
  const all = /** @type {HTMLInputElement | null} */ (part.querySelector("[data-all]"));
  if (!all) return;
  all.hidden = false;
  all.addEventListener("change", () => {
    const boxes = /** @type {NodeListOf<HTMLInputElement>} */ (part.querySelectorAll("[name=targets]:not(:disabled)"));
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

ticks(document);
document.addEventListener("renewed", ({ target }) => ticks(/** @type {Element} */ (target)));
