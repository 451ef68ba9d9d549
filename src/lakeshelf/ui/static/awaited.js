// What is being computed comes to its page once it has ended; what somebody typed meanwhile is not lost.

export {};

const AGAIN_MS = 2500;
let isTouched = false;
document.addEventListener("input", () => { isTouched = true; });

/** Whether somebody is at work on the page: it would be taken from under their hands, with what they typed or where they are. */
function isUsed() {
  return isTouched || document.activeElement !== document.body;
}

/**
 * Whether a job has ended; that nobody knows it any more counts, as the page then tells why.
 * @param {string} job
 * @param {HTMLElement} shown
 */
async function hasEnded(job, shown) {
  const answer = await fetch(`/api/v1/jobs/${encodeURIComponent(job)}?wait=2`);
  if (answer.status === 401 || answer.status === 404) return true;
  if (!answer.ok) throw new Error(`answered ${answer.status}`);
  const { status, progress } = await answer.json();
  const far = /** @type {HTMLElement | null} */ (shown.querySelector("[data-progress]"));
  if (far && progress) far.textContent = told(progress, far) ?? far.textContent;
  return !["queued", "running"].includes(status);
}

/**
 * How far a job is, in the words that its place has for its steps; undefined: it does not say.
 * @param {{step?: string, done?: number, of?: number}} progress
 * @param {HTMLElement} far
 */
function told({ step, done, of }, far) {
  const word = step ? far.getAttribute(`data-${step}`) : "";
  const part = of ? `, ${done} of ${of}` : "";
  return word || part ? `${word || ""}${part}` : undefined;
}

/** @returns {Promise<boolean>} */
function pause() {
  return new Promise((go) => setTimeout(go, AGAIN_MS, false));
}

/** @param {string} job @param {HTMLElement} shown */
async function end(job, shown) {
  for (let isOver = false; !isOver;) isOver = await hasEnded(job, shown).catch(pause);
}

/** @param {HTMLElement} shown */
async function fill(shown) {
  for (const job of (shown.dataset.awaited || "").split(" ")) await end(job, shown);
  const again = String(shown.dataset.again);
  if (!isUsed()) return location.replace(again);
  const link = document.createElement("a");
  link.href = again;
  link.textContent = "Show it";
  shown.replaceChildren("It has ended, and waits for what you do here. ", link);
}

for (const place of document.querySelectorAll("[data-awaited]")) void fill(/** @type {HTMLElement} */ (place));
