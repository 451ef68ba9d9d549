// A statement that runs is waited for; statements are kept by the browser; Ctrl+Enter runs.

const KEY = "lakeshelf.statements";
const MOST = 50;
const AGAIN_MS = 2500;
const text = /** @type {HTMLTextAreaElement} */ (document.querySelector("#sql"));

/** @returns {string[]} the newest first */
function kept() {
  try {
    const held = JSON.parse(localStorage.getItem(KEY) || "[]");
    return Array.isArray(held) ? held.filter((one) => typeof one === "string").slice(0, MOST) : [];
  } catch {
    return [];
  }
}

/** @param {string} sql */
function keep(sql) {
  try {
    localStorage.setItem(KEY, JSON.stringify([sql, ...kept().filter((one) => one !== sql)].slice(0, MOST)));
  } catch {
    // A full or closed store keeps nothing; the server's list stands beside.
  }
}

function showKept() {
  const place = /** @type {HTMLElement} */ (document.querySelector("[data-history]"));
  place.hidden = kept().length === 0;
  place.querySelector("ul")?.replaceChildren(...kept().map((sql) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = sql.length > 120 ? `${sql.slice(0, 120)} …` : sql;
    button.addEventListener("click", () => { text.value = sql; text.focus(); });
    const line = document.createElement("li");
    line.append(button);
    return line;
  }));
}

/**
 * Wait until a job has ended, then show it; what was typed meanwhile is not lost.
 * @param {string} job
 */
async function wait(job) {
  try {
    const answer = await fetch(`/api/v1/jobs/${encodeURIComponent(job)}?wait=8`);
    const seen = answer.ok ? await answer.json() : null;
    if (seen && !["queued", "running"].includes(seen.status)) {
      if (text.value === text.defaultValue) return location.reload();
      const said = document.querySelector("[data-job] p");
      if (said) said.firstChild?.replaceWith(`It is ${seen.status}. `);
      return undefined;
    }
    if (answer.status === 401 || answer.status === 404) return location.reload();
  } catch {
    // No answer: it is asked again.
  }
  setTimeout(() => void wait(job), AGAIN_MS);
  return undefined;
}

text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  text.form?.requestSubmit();
});
text.form?.addEventListener("submit", () => keep(text.value));
document.querySelector("[data-forget]")?.addEventListener("click", () => { localStorage.removeItem(KEY); showKept(); });
const copy = /** @type {HTMLButtonElement} */ (document.querySelector("[data-copy]"));
copy.hidden = !navigator.clipboard;
copy.addEventListener("click", async () => {
  await navigator.clipboard.writeText(copy.dataset.copy || "");
  copy.textContent = "Copied";
});
const going = /** @type {HTMLElement | null} */ (document.querySelector("[data-job]"));
if (going) void wait(going.dataset.job || "");
else document.getElementById("result")?.focus(); // Tab goes on from there
showKept();
