// Lists that the server makes anew when the tables that they are of have new versions, or acts that they show have moved.

import { on } from "./live.js";
import { isUsed, renew } from "./renew.js";

/** @typedef {{table: string, version: number | null, age_s: number | null}} Table */

/** The least time between two looks at a list; one that takes long is asked for a tenth of the time at most. */
const PAUSE_MS = 2000;
const RESTS = 10;
/** @type {Map<string, string>} id of a list → what it was made of */
const made = new Map();
/** @type {Map<string, number>} id of a list → when it may be asked for again */
const resting = new Map();
let acts = 0;

/** @param {{tables: Table[]}} numbers */
function show({ tables }) {
  if (document.hidden) return;
  for (const list of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-renewed-by]"))) {
    const names = (list.dataset.renewedBy || "").split(" ");
    const of = tables.filter(({ table, version }) => names.includes(table) && version !== null);
    if (!of.length) continue;
    const now = [...of.map(({ version }) => version), ...("acts" in list.dataset ? [acts] : [])].join(" ");
    if (!made.has(list.id)) made.set(list.id, list.dataset.version || (of.some(isLater) ? "" : now));
    if (made.get(list.id) !== now) void showList(list, now);
  }
}

/** Whether a table may have changed since this page was asked for: by now it is older than the numbers say. @param {Table} table */
function isLater({ age_s }) {
  return age_s !== null && age_s * 1000 < performance.now();
}

/** @param {HTMLElement} list @param {string} now */
async function showList(list, now) {
  if (isUsed(list)) {
    /** @type {HTMLElement} */ (list.querySelector("[data-newer]")).hidden = false;
    return;
  }
  const begun = performance.now();
  if (begun < (resting.get(list.id) ?? 0)) return;
  resting.set(list.id, Infinity); // until the answer is there
  const address = new URL(location.href);
  if (list.dataset.part) address.searchParams.set("part", list.dataset.part);
  if (await renew(String(address), [list.id])) made.set(list.id, now);
  const ended = performance.now();
  resting.set(list.id, ended + Math.max(PAUSE_MS, RESTS * (ended - begun)));
}

on("numbers", show);
on("act", () => { acts += 1; });
