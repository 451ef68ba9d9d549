// A replay that goes on is waited for; what was typed meanwhile is not lost.

export {};

const AGAIN_MS = 2500;
const going = /** @type {HTMLElement | null} */ (document.querySelector("[data-job]"));
const form = /** @type {HTMLFormElement | null} */ (document.querySelector("#question"));
let isTouched = false;
form?.addEventListener("input", () => { isTouched = true; });

/**
 * @param {HTMLElement} place
 * @returns {Promise<void>}
 */
async function wait(place) {
  try {
    const answer = await fetch(`/api/v1/jobs/${encodeURIComponent(place.dataset.job || "")}?wait=2`);
    const seen = answer.ok ? await answer.json() : null;
    const hasEnded = seen && !["queued", "running"].includes(seen.status);
    const said = place.querySelector("[data-step]");
    if (hasEnded && !isTouched) return location.reload();
    if (hasEnded) {
      if (said) said.textContent = `It is ${seen.status}.`;
      return undefined;
    }
    if (answer.status === 401 || answer.status === 404) return location.reload();
    const step = seen?.progress?.step;
    const word = step ? place.getAttribute(`data-${step}`) : null;
    const { done, of } = seen?.progress ?? {};
    const part = of ? `, ${done} of ${of}` : "";
    if (said && word) said.textContent = `It ${word}${part}.`;
  } catch {
    // No answer: it is asked again.
  }
  setTimeout(() => void wait(place), AGAIN_MS);
  return undefined;
}

if (going) void wait(going);
