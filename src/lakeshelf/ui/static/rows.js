// How tall rows of tables are: as usual, until somebody chooses otherwise for this browser.

import { keep, kept } from "./kept.js";

const KEY = "lakeshelf.rows";

/** Show rows as they were chosen, and let the choice of the page change that. */
export function install() {
  document.documentElement.dataset.rows = kept(KEY);
  const choice = /** @type {HTMLElement | null} */ (document.querySelector("[data-rows-choice]"));
  const select = choice?.querySelector("select");
  if (!choice || !select) return;
  choice.hidden = false;
  select.value = kept(KEY);
  select.addEventListener("change", () => {
    keep(KEY, select.value);
    document.documentElement.dataset.rows = select.value;
    dispatchEvent(new Event("rows"));
  });
}
