/** What the edits would do to the shelves, told beside the grid and told anew as they are taken. */

import { visible } from "../texts.js";
import { Lost, call, path } from "./calls.js";
import { element } from "./dom.js";

/** @typedef {import("./edits.js").Edits} Edits */
/** @typedef {import("./session.js").Session} Session */
/** @typedef {{now: number, then: number, changed: number}} Figure */
/** @typedef {Record<string, any> & {shelf_id: string, store_id: string, stock: number}} Shelf */
/** @typedef {{location: "store" | "warehouse", known: boolean, why: string, totals: Record<string, Figure>, shelves: Shelf[], versions: Record<string, number>, as_of: string | null}} Told */

const PAUSE_MS = 400;
const LONGEST_MS = 60_000;
const WORDS = {
  store: { places: "shelves", low: "shelves below threshold", units: "units to refill", lots: "lots near expiry" },
  warehouse: { places: "back rooms", low: "back rooms below threshold", units: "units to order", lots: "lots near expiry in back rooms" },
};

/** One call at a time: what was taken meanwhile makes its answer too old, and is asked for after it. */
export class Effect {
  /** How often edits were taken, and of which time the figures are. */
  #taken = 0;
  #shown = 0;
  #isAsking = false;
  #timer = 0;
  #why = "";
  #asOf = "None yet: it is told as you edit.";

  /** @param {Edits} edits @param {Session} session @param {HTMLElement} root */
  constructor(edits, session, root) {
    this.edits = edits;
    this.session = session;
    this.figures = element("ul", { class: "effect-figures" });
    this.state = element("p", { class: "effect-state", role: "status" }, this.#asOf);
    this.lists = element("div", { class: "effect-lists" });
    root.append(this.figures, this.state, this.lists);
    this.root = root;
    edits.addEventListener("taken", () => this.again());
    edits.addEventListener("change", () => this.#tell());
  }

  /** The figures are of other edits by now. */
  again() {
    this.#taken += 1;
    this.#why = "";
    this.#soon();
    this.#tell();
  }

  #soon() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), PAUSE_MS);
  }

  async #ask() {
    if (this.#isAsking || !this.session.opened) return;
    const taken = this.#taken;
    this.#isAsking = true;
    try {
      const signal = AbortSignal.timeout(LONGEST_MS);
      const told = await call("GET", `${path("live_sessions", this.session.opened.id)}/effect`, { signal });
      if (taken === this.#taken) this.#show(told);
    } catch (error) {
      if (taken === this.#taken) this.#why = reason(error);
    } finally {
      this.#isAsking = false;
      if (taken !== this.#taken) this.#soon();
    }
    this.#tell();
  }

  /** @param {Told[]} told */
  #show(told) {
    this.#shown = this.#taken;
    this.figures.replaceChildren(...told.flatMap(figures));
    this.lists.replaceChildren(...told.filter(({ shelves }) => shelves.length).map(list));
    const days = new Set(told.map(({ as_of }) => as_of).filter(Boolean));
    this.#asOf = days.size ? `As of business day ${[...days].join(", ")}.` : "";
  }

  #tell() {
    const isOld = this.#shown !== this.#taken || this.edits.unsent > 0;
    this.root.classList.toggle("stale", isOld);
    this.root.setAttribute("aria-busy", String(isOld && !this.#why));
    if (this.#why) this.#say(`The effect could not be told: ${this.#why}.`);
    else if (isOld) this.#say(this.edits.unsent ? "Told anew once the edits are saved…" : "Computing…");
    else this.#say(this.#asOf);
  }

  /** @param {string} text */
  #say(text) {
    const words = visible(text);
    if (this.state.textContent !== words) this.state.textContent = words;
  }
}

/** @param {unknown} error */
function reason(error) {
  if (error instanceof DOMException) return `no answer within ${LONGEST_MS / 1000} seconds`;
  const hint = error instanceof Lost ? "; the next edit asks again" : "";
  return `${error instanceof Error ? error.message : error}${hint}`;
}

/** @param {Told} told */
function figures({ location, known, why, totals }) {
  const words = WORDS[location];
  if (!known) return [element("li", {}, element("strong", {}, "unknown"), ` for ${words.places}: ${why}`)];
  return [figure(totals.low, words.low), figure(totals.units, words.units), figure(totals.near_expiry, words.lots)];
}

/** @param {Figure} figure_ @param {string} words */
function figure({ now, then }, words) {
  return element("li", {}, element("strong", {}, `${shown(now)} → ${shown(then)}`), ` ${words}`);
}

/** @param {Told} told */
function list({ location, shelves, versions }) {
  const words = WORDS[location];
  const names = ["Shelf", "Store", "Stock", "Below threshold", "Units", "Near expiry"];
  const head = element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name)));
  const lines = shelves.map((one) => {
    const link = element("a", { href: `/trace/${encodeURIComponent(one.shelf_id)}`, class: "id" }, one.shelf_id);
    const cells = [one.store_id, shown(one.stock), pair(one, "low", (low) => (low ? "yes" : "no")), pair(one, "units", shown), pair(one, "near_expiry", shown)];
    return element("tr", {}, element("td", {}, link), ...cells.map((text) => element("td", {}, text)));
  });
  const read = Object.entries(versions).map(([table, version]) => `${table} ${version}`).join(", ");
  const title = `${words.places[0].toUpperCase()}${words.places.slice(1)} that change most: ${shelves.length}`;
  const table = element("table", {}, element("caption", {}, `Read: ${read}`), element("thead", {}, head), element("tbody", {}, ...lines));
  const box = element("div", { class: "grid-list", tabindex: 0, role: "region", "aria-label": title }, table);
  return element("details", {}, element("summary", {}, title), box);
}

/** @param {Shelf} shelf @param {string} name @param {(value: number) => string} words */
function pair(shelf, name, words) {
  return `${words(shelf[`${name}_now`])} → ${words(shelf[`${name}_then`])}`;
}

/** @param {number} value */
function shown(value) {
  return value.toLocaleString("en");
}
