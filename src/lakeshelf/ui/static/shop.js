// Two charts of the last ten minutes; where nobody looked there is a gap, not a line.

import { on, text } from "./live.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 600;
const HEIGHT = 120;
const LENGTH_MS = 600_000;
const GAP_MS = 5000;

/** @typedef {{at: number, value: number}} Mark */
/** @type {Map<string, Mark[]>} */
const series = new Map();
const tables = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-minutes]"));

/**
 * @param {string} name
 * @param {Record<string, any>} numbers
 */
function keep(name, numbers) {
  const marks = series.get(name) || [];
  const value = numbers[name];
  const at = Date.parse(numbers.at);
  if (typeof value === "number" && at > (marks.at(-1)?.at ?? 0)) marks.push({ at, value });
  series.set(name, marks.filter((mark) => mark.at > at - LENGTH_MS));
}

/**
 * Lines of a chart, one for each stretch without a gap.
 * @param {Mark[]} marks
 * @param {number} end
 * @param {number} top
 */
function path(marks, end, top) {
  return marks
    .map((mark, n) => {
      const x = WIDTH - ((end - mark.at) / LENGTH_MS) * WIDTH;
      const y = HEIGHT - (mark.value / top) * HEIGHT;
      const before = marks[n - 1];
      const begins = !before || mark.at - before.at > GAP_MS;
      return `${begins ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join("");
}

/**
 * @param {string} name
 * @param {Record<string, string>} attributes
 * @param {string} [words]
 */
function element(name, attributes, words) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (words !== undefined) made.textContent = words;
  return made;
}

/** @param {HTMLElement} place */
function draw(place) {
  const marks = series.get(place.dataset.chart || "") || [];
  const last = marks.at(-1);
  if (!last) {
    place.textContent = "No numbers of the last ten minutes.";
    return;
  }
  const top = Math.max(1, ...marks.map((mark) => mark.value));
  const title = `${Math.round(last.value)} now, ${Math.round(top)} at most`;
  const chart = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", role: "img", "aria-label": title });
  chart.append(element("path", { d: path(marks, last.at, top), class: "line" }));
  const note = document.createElement("p");
  note.className = "muted";
  note.textContent = title;
  place.replaceChildren(chart, note);
}

/** The same by minute; a minute in which nobody looked is not there. @param {HTMLElement} place */
function list(place) {
  const marks = series.get(place.dataset.minutes || "") || [];
  place.hidden = marks.length === 0;
  if (!(place instanceof HTMLDetailsElement) || !place.open) return;
  const minutes = Map.groupBy(marks, ({ at }) => new Date(at).toISOString().slice(11, 16));
  const rows = [...minutes].reverse().map(([minute, of]) => {
    const values = of.map(({ value }) => value);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return line(minute, Math.min(...values), mean, Math.max(...values));
  });
  place.querySelector("tbody")?.replaceChildren(...rows);
}

/** @param {string} minute @param {...number} figures */
function line(minute, ...figures) {
  const row = document.createElement("tr");
  const head = row.appendChild(document.createElement("th"));
  head.scope = "row";
  head.textContent = minute;
  for (const figure of figures) Object.assign(row.insertCell(), { className: "n", textContent: text(figure) });
  return row;
}

/** @param {Record<string, any>} numbers */
function take(numbers) {
  for (const place of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-chart]"))) {
    keep(place.dataset.chart || "", numbers);
  }
}

function drawAll() {
  for (const place of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-chart]"))) draw(place);
  for (const place of tables) list(place);
}

/** Begin with what the server remembers. */
async function begin() {
  try {
    const answer = await fetch("/api/v1/numbers/history");
    if (answer.ok) for (const point of (await answer.json()).points) take(point);
  } catch {
    // The stream tells what comes; of what was nothing is drawn.
  }
  drawAll();
}

for (const place of tables) place.addEventListener("toggle", () => list(place));
on("numbers", (numbers) => { take(numbers); drawAll(); });
void begin();
