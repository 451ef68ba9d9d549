// Lists that are ticked and renewed, and counts that show their difference to the books.

import "./renewing.js";
import { visible } from "./texts.js";

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

/** What is asked of the ticked is said at once; the form says whether it is refused. @param {SubmitEvent} event */
function asks({ target, submitter }) {
  if (!(submitter instanceof HTMLButtonElement) || submitter.name !== "command") return;
  const user = /** @type {HTMLMetaElement | null} */ (document.querySelector('meta[name="user"]'))?.content;
  for (const box of /** @type {HTMLFormElement} */ (target).querySelectorAll("[name=targets]:checked")) {
    const said = document.createElement("div");
    Object.assign(said, { className: "warning", textContent: visible(`! ${submitter.value} asked by ${user}, not yet done`) });
    said.dataset.asks = "";
    box.closest("tr")?.cells[1]?.append(said);
  }
}

document.addEventListener("submit", asks);
document.addEventListener("refused", ({ target }) => {
  for (const said of /** @type {Element} */ (target).querySelectorAll("[data-asks]")) said.remove();
});
ticks(document);
document.addEventListener("renewed", ({ target }) => ticks(/** @type {Element} */ (target)));
