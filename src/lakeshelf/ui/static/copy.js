// Buttons that put a text on the clipboard: `<button type="button" data-copy="…" hidden>`.

import { visible } from "./texts.js";

/** A button that copies a command. @param {string} command */
export function copier(command) {
  const button = document.createElement("button");
  Object.assign(button, { type: "button", className: "quiet", textContent: "Copy", hidden: !navigator.clipboard });
  button.setAttribute("aria-label", visible(`Copy ${command}`));
  button.dataset.copy = command;
  return button;
}

document.addEventListener("click", async (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-copy]") : null;
  if (!(button instanceof HTMLElement)) return;
  const isTaken = await navigator.clipboard.writeText(button.dataset.copy || "").then(() => true, () => false);
  button.textContent = isTaken ? "Copied" : "Not copied: the browser does not allow it; it stands beside";
  button.removeAttribute("aria-label"); // which would go on saying what it does
});
for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-copy]"))) button.hidden = !navigator.clipboard;
