// Live numbers and news: one stream of events for all tabs of a browser. docs/design/pages.md

/** @typedef {{id: string} & Record<string, unknown>} Point a look at the shop; its id is `<epoch>.<n>` */
/** @typedef {{kind: "numbers", point: Point} | {kind: string, data: string}} News */

const SILENCE_MS = 5000;
const AGAIN_MS = 2500;
const NAME = "lakeshelf.live";
const THIN_SPACE = "\u2009";

/** @type {Map<string, Set<(detail: any) => void>>} */
const listeners = new Map();
const channel = opened();
let shown = "";
let heard = performance.now(); // which no change of the clock moves
/** @type {EventSource | null} */
let stream = null;

/**
 * Be told of news.
 * @param {string} kind `numbers`, or what an event begins with, such as `act` or `cr`
 * @param {(detail: any) => void} listener
 */
export function on(kind, listener) {
  listeners.set(kind, (listeners.get(kind) || new Set()).add(listener));
}

/** @param {News} news */
function take(news) {
  if ("point" in news) {
    if (!isNewer(news.point.id)) return;
    shown = news.point.id;
    heard = performance.now();
  }
  const detail = "point" in news ? news.point : news.data;
  for (const listener of listeners.get(news.kind) || []) listener(detail);
}

/**
 * Whether a look is newer than the one shown: another epoch is another process, which is.
 * @param {string} id
 */
function isNewer(id) {
  const [epoch, n] = id.split(".");
  const [before, last] = shown.split(".");
  return epoch !== before || Number(n) > Number(last);
}

/** @param {News} news */
function tell(news) {
  take(news);
  channel?.postMessage(news);
}

/** Listen for all tabs until the page goes; a refusal closes a stream for good, so it is opened anew. */
function listen() {
  const opened = new EventSource("/api/v1/events?topics=live,act,cr,dataset");
  stream = opened;
  opened.addEventListener("numbers", (event) => tell({ kind: "numbers", point: JSON.parse(event.data) }));
  for (const kind of ["act", "cr", "dataset", "reset"]) {
    opened.addEventListener(kind, (event) => tell({ kind, data: /** @type {MessageEvent} */ (event).data }));
  }
  opened.addEventListener("error", () => {
    if (opened.readyState === EventSource.CLOSED) setTimeout(() => stream === opened && listen(), AGAIN_MS);
  });
}

/** What leads to the other tabs; null: the browser has no such thing, or forbids it with all that it keeps. */
function opened() {
  try {
    return new BroadcastChannel(NAME);
  } catch {
    return null;
  }
}

/** A tab that nobody sees holds none of the few connections that a browser has for us. */
function listenWhileSeen() {
  if (!document.hidden && !stream) listen();
  else if (document.hidden) {
    stream?.close();
    stream = null;
  }
}

/** Without locks each tab listens that is seen. */
function listenApart() {
  document.addEventListener("visibilitychange", listenWhileSeen);
  listenWhileSeen();
}

/** One tab of the browser listens; when it closes, another does. */
function share() {
  channel?.addEventListener("message", (event) => take(event.data));
  if (!navigator.locks || !channel) return listenApart();
  navigator.locks.request(NAME, () => new Promise(() => listen())).catch(listenApart);
}

/**
 * What stands at a dotted path.
 * @param {Record<string, any>} numbers
 * @param {string} path
 */
function at(numbers, path) {
  return path.split(".").reduce((held, name) => held?.[name], /** @type {any} */ (numbers));
}

/**
 * A value as people read it; a dash where it is not known.
 * @param {unknown} value
 * @param {number} [digits] behind the point
 */
export function text(value, digits = 0) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return value.toFixed(digits).replace(/\B(?=(\d{3})+(?!\d))/g, THIN_SPACE);
  const moment = String(value).match(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)/);
  return moment ? `${moment[1]} ${moment[2]}` : String(value);
}

/** @param {Record<string, unknown>} numbers */
function show(numbers) {
  for (const place of document.querySelectorAll("[data-live]")) {
    const path = /** @type {HTMLElement} */ (place).dataset.live || "";
    const words = path === "as_of" ? asOf(numbers) : text(at(numbers, path));
    if (place.textContent !== words) place.textContent = words;
  }
  for (const link of /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll("a[data-live-trace]"))) {
    const id = at(numbers, link.dataset.liveTrace || "");
    link.hidden = !id;
    if (id) link.href = `/trace/${encodeURIComponent(id)}`;
  }
}

/** @param {Record<string, unknown>} numbers */
function asOf(numbers) {
  const now = at(numbers, "clock.now");
  return now ? `business time ${text(now)}` : "";
}

/** Numbers that nobody confirmed for a while are grey, and say since when. */
function age() {
  const silence = performance.now() - heard;
  const stale = silence > SILENCE_MS;
  for (const group of document.querySelectorAll("[data-live-group]")) group.classList.toggle("stale", stale);
  const since = new Date(Date.now() - silence).toLocaleTimeString();
  for (const place of document.querySelectorAll("[data-live-age]")) {
    place.textContent = stale ? `no news since ${since}` : "live";
  }
  for (const place of document.querySelectorAll("[data-live-since]")) place.textContent = stale && shown ? `· no news since ${since}` : "";
}

on("numbers", show);
on("numbers", age);
setInterval(age, 1000);
share();
