// A change request that moves while it is read says so; conflicts of a page are settled alike by one click.

import { watch } from "./watched.js";

const desk = /** @type {HTMLElement | null} */ (document.querySelector("[data-review]"));

/** @param {HTMLElement} shown what of the request is on the page */
async function look(shown) {
  const answer = await fetch(String(shown.dataset.path));
  if (!answer.ok) return;
  const { request, mark } = await answer.json();
  const now = [request.content_hash ?? "", request.status, String(request.revision), mark?.state ?? ""];
  const then = [shown.dataset.hash, shown.dataset.status, shown.dataset.revision, shown.dataset.mark];
  if (now.some((value, place) => value !== then[place])) say(shown, now);
}

/**
 * @param {HTMLElement} shown
 * @param {string[]} now hash, status, revision, mark
 */
function say(shown, [hash, status, revision, mark]) {
  const box = /** @type {HTMLElement} */ (shown.querySelector("[data-moved]"));
  const what = /** @type {HTMLElement} */ (box.querySelector("[data-moved-what]"));
  const words = [`it is ${status.replace("_", " ")}`];
  if (revision !== shown.dataset.revision) words.push(`revision ${revision}`);
  if (hash !== shown.dataset.hash) words.push("with other content");
  if (mark && mark !== shown.dataset.mark) words.push(`and ${mark} beside the table`);
  const text = `It moved while you read: ${words.join(", ")}.`;
  if (what.textContent !== text) what.textContent = text;
  /** @type {HTMLElement} */ (box.querySelector("[data-moved-link]")).hidden = false;
  box.hidden = false;
}

/** @param {HTMLElement} shown */
function bulk(shown) {
  const line = /** @type {HTMLElement | null} */ (shown.querySelector("[data-all]"));
  if (!line) return;
  line.hidden = false;
  line.addEventListener("click", (event) => {
    const choice = /** @type {HTMLElement} */ (event.target).dataset.allOf;
    if (!choice) return;
    for (const one of shown.querySelectorAll("input[form=resolve]")) {
      const radio = /** @type {HTMLInputElement} */ (one);
      if (JSON.parse(radio.value).choice === choice) radio.checked = true;
    }
  });
}

if (desk) {
  bulk(desk);
  const again = watch(() => look(desk), ({ project, request }) =>
    String(desk.dataset.path).endsWith(`/${project}/change_requests/${request}`));
  desk.addEventListener("refused", again);
}
