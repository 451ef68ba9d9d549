// A page of which a part is being computed fills itself once that has ended; what somebody typed meanwhile is not lost.

export {};

const AGAIN_MS = 2500;
const place = /** @type {HTMLElement | null} */ (document.querySelector("[data-awaited]"));
let isTouched = false;
document.addEventListener("input", () => { isTouched = true; });

/** Whether a job has ended; that nobody knows it any more counts, as the page then tells why. @param {string} job */
async function hasEnded(job) {
  const answer = await fetch(`/api/v1/jobs/${encodeURIComponent(job)}?wait=8`);
  if (!answer.ok) return answer.status === 401 || answer.status === 404;
  const { status, progress } = await answer.json();
  const far = place?.querySelector("[data-progress]");
  if (far && progress?.of) far.textContent = `, ${progress.done} of ${progress.of}`;
  return !["queued", "running"].includes(status);
}

/** @param {string} job */
async function end(job) {
  while (!(await hasEnded(job).catch(() => false))) await new Promise((go) => setTimeout(go, AGAIN_MS));
}

/** @param {HTMLElement} shown */
async function fill(shown) {
  for (const job of (shown.dataset.awaited || "").split(" ")) await end(job);
  const again = shown.dataset.again || location.href;
  if (!isTouched) return location.replace(again);
  const link = document.createElement("a");
  link.href = again;
  link.textContent = "Show it";
  shown.replaceChildren("It is computed, and waits for what you typed. ", link);
}

if (place) void fill(place);
