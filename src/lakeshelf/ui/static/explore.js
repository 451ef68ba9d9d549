// Statements are kept by the browser; Ctrl+Enter runs.

import "./copy.js";
import { visible } from "./texts.js";

const KEY = "lakeshelf.statements";
const MOST = 50;
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

/** @param {string} sql */
function take(sql) {
  text.value = sql;
  text.dispatchEvent(new Event("input", { bubbles: true }));
  text.focus();
}

function showKept() {
  const place = /** @type {HTMLElement} */ (document.querySelector("[data-history]"));
  place.hidden = kept().length === 0;
  place.querySelector("ul")?.replaceChildren(...kept().map((sql) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = visible(sql.length > 120 ? `${sql.slice(0, 120)} …` : sql);
    button.addEventListener("click", () => take(sql));
    const line = document.createElement("li");
    line.append(button);
    return line;
  }));
}

text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  text.form?.requestSubmit();
});
text.form?.addEventListener("submit", () => keep(text.value));
document.querySelector("[data-forget]")?.addEventListener("click", () => { localStorage.removeItem(KEY); showKept(); });
if (!document.querySelector("[data-awaited]")) document.getElementById("result")?.focus(); // Tab goes on from there
showKept();
