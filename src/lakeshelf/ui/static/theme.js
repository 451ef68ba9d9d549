// Light or dark: as the system has it, until somebody switches.

import { keep, kept } from "./kept.js";

const KEY = "lakeshelf.theme";
const SYSTEM = matchMedia("(prefers-color-scheme: dark)");

/** @returns {"light" | "dark"} what is shown now */
function current() {
  const chosen = kept(KEY);
  if (chosen === "light" || chosen === "dark") return chosen;
  return SYSTEM.matches ? "dark" : "light";
}

/** @param {HTMLElement | null} button */
function show(button) {
  const theme = current();
  document.documentElement.dataset.theme = theme;
  if (button) button.textContent = theme === "dark" ? "Light" : "Dark";
}

/** Show the theme that was chosen, and let the switch of the page change it. */
export function install() {
  const button = /** @type {HTMLElement | null} */ (document.querySelector("[data-theme-switch]"));
  show(button);
  SYSTEM.addEventListener("change", () => show(button));
  if (!button) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    keep(KEY, current() === "dark" ? "light" : "dark");
    show(button);
  });
}
