// Statements are kept by the browser; Ctrl+Enter runs.

import "./copy.js";
import { keep, kept } from "./kept.js";
import { visible } from "./texts.js";

const KEY = "lakeshelf.statements";
const MOST = 50;
const text = /** @type {HTMLTextAreaElement} */ (document.querySelector("#sql"));

/** @returns {string[]} the newest first */
function statements() {
  try {
    const held = JSON.parse(kept(KEY) || "[]");
    return Array.isArray(held) ? held.filter((one) => typeof one === "string").slice(0, MOST) : [];
  } catch {
    return [];
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
  place.hidden = statements().length === 0;
  place.querySelector("ul")?.replaceChildren(...statements().map((sql) => {
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
text.form?.addEventListener("submit", () => {
  const others = statements().filter((one) => one !== text.value);
  keep(KEY, JSON.stringify([text.value, ...others].slice(0, MOST)));
});
document.querySelector("[data-forget]")?.addEventListener("click", () => { keep(KEY, ""); showKept(); });
if (!document.querySelector("[data-awaited]")) document.getElementById("result")?.focus(); // Tab goes on from there
showKept();
