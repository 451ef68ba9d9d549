// The pipeline moves: figures come by the stream; problems and components are asked for when something has changed.

import { copier } from "./copy.js";
import { on, text } from "./live.js";
import "./renewing.js";
import { counted, visible } from "./texts.js";

/** @typedef {{sign: string, runbook: string, command: string}} WayOut */
/** @typedef {{state: string, restarts: number, error: string, ended?: string}} Part */
/** @typedef {{query: string, state: string, error: string, restarts: number} & Record<string, any>} Query */
/** @typedef {{table: string, version: number | null, rows: number | null, age_s: number | null}} Table */
/** @typedef {{state: string, problems: string[], parts: Record<string, Part>, queries: Query[], tables: Table[]}} Numbers */
/** @typedef {{problems: string[], parts: Record<string, Part>, components: (Part & {component: string})[]}} Status */

const SIGNS = { ok: "✓", error: "✕", warning: "!" };
/** Digits behind the point. */
const DIGITS = { lag_s: 1, age_s: 1 };
const place = /** @type {HTMLElement | null} */ (document.querySelector("[data-pipeline]"));
/** @type {Record<string, keyof typeof SIGNS>} */
const kinds = JSON.parse(place?.dataset.kinds || "{}");
/** @type {WayOut[]} */
const ways = JSON.parse(place?.dataset.ways || "[]");
let told = "";
let isAsking = false;

/** @param {string} name @param {string} words @param {string} [kind] */
function made(name, words, kind = "") {
  const element = document.createElement(name);
  element.textContent = visible(words);
  element.className = kind;
  return element;
}

/** @param {string} word @param {keyof typeof SIGNS} kind */
function chip(word, kind) {
  return made("span", `${SIGNS[kind]} ${word}`, `state ${kind}`);
}

/** The figures of a row, by the names of its cells. @param {Element} row @param {Record<string, any>} values */
function fill(row, values) {
  for (const cell of /** @type {NodeListOf<HTMLElement>} */ (row.querySelectorAll("[data-figure]"))) {
    const name = cell.dataset.figure || "";
    const words = text(values[name] ?? null, DIGITS[/** @type {keyof typeof DIGITS} */ (name)]);
    if (cell.textContent !== words) cell.textContent = words;
    cell.toggleAttribute("data-empty", words === "–");
  }
  const state = /** @type {HTMLElement | null} */ (row.querySelector("[data-state]"));
  if (state && state.dataset.state !== values.state) {
    state.dataset.state = values.state;
    state.replaceChildren(chip(values.state, kinds[values.state] || "warning"));
  }
  const error = row.querySelector("[data-error]");
  if (error) error.replaceChildren(values.error ? made("span", `✕ ${values.error}`, "error") : "–");
}

/** Rows by what they are of; of what nobody tells anything nothing is known. @template {Record<string, any>} One
 * @param {string} kind @param {One[]} ones @param {Record<string, any>} [unknown]
 */
function fillAll(kind, ones, unknown) {
  const named = new Map(ones.map((one) => [one[kind], one]));
  for (const row of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(`[data-${kind}]`))) {
    const values = named.get(row.dataset[kind]) ?? unknown;
    if (values) fill(row, values);
  }
}

/** @param {Numbers} numbers */
function show(numbers) {
  fillAll("query", numbers.queries, { state: "down", error: "" });
  fillAll("table", numbers.tables);
  const now = JSON.stringify([
    numbers.state,
    numbers.problems,
    numbers.parts,
    numbers.queries.map(({ query, state, error, restarts }) => [query, state, error, restarts]),
  ]);
  if (!told) told = now;
  if (now !== told && !isAsking) void ask(now);
}

/** What the stream does not tell; where no answer comes, the next numbers ask again. @param {string} now */
async function ask(now) {
  isAsking = true;
  try {
    const answer = await fetch("/api/v1/status");
    if (!answer.ok) return;
    /** @type {Status} */
    const status = await answer.json();
    told = now;
    showProblems(status.problems);
    fillAll("component", status.components);
    const parts = Object.entries(status.parts).map(([name, { state, restarts, ended }]) =>
      [`${name} is ${state}`, restarts ? counted(restarts, "restart") : "", ended ? `last ended by ${ended}` : ""].filter(Boolean).join(", "),
    );
    /** @type {HTMLElement} */ (document.querySelector("[data-parts]")).textContent = parts.map((part) => `${part}.`).join(" ");
  } catch {
    // No answer: the numbers grey out, and say since when.
  } finally {
    isAsking = false;
  }
}

/** @param {string[]} problems */
function showProblems(problems) {
  const count = problems.length;
  /** @type {HTMLElement} */ (document.querySelector("#problems")).textContent = count ? counted(count, "problem") : "No problems";
  /** @type {HTMLElement} */ (document.querySelector("[data-well]")).hidden = count > 0;
  document.querySelector("ul.problems")?.replaceChildren(...problems.map(problem));
}

/** @param {string} line commands stand between backticks */
function problem(line) {
  const words = visible(line).split(/\x60([^\x60]+)\x60/).map((part, n) => (n % 2 ? made("code", part) : part));
  const said = document.createElement("p");
  said.append(chip("problem", "error"), " ", ...words);
  const way = ways.find(({ sign }) => line.includes(sign));
  const out = made("p", "What to do: ", "muted");
  if (way) out.append(made("code", way.command), " ", copier(way.command), `, and section ${way.runbook} of docs/runbooks.md.`);
  const item = document.createElement("li");
  item.append(said, out);
  return item;
}

if (place) on("numbers", show);
