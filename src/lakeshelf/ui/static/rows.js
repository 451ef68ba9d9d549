// How tall rows of tables are: as usual, until somebody chooses otherwise for this browser.

const KEY = "lakeshelf.rows";

/** Show rows as they were chosen, and let the choice of the page change that. */
export function install() {
  const kept = localStorage.getItem(KEY) || "";
  document.documentElement.dataset.rows = kept;
  const choice = /** @type {HTMLElement | null} */ (document.querySelector("[data-rows-choice]"));
  const select = choice?.querySelector("select");
  if (!choice || !select) return;
  choice.hidden = false;
  select.value = kept;
  select.addEventListener("change", () => {
    localStorage.setItem(KEY, select.value);
    document.documentElement.dataset.rows = select.value;
    dispatchEvent(new Event("rows"));
  });
}
