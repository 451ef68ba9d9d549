// Forms are sent without leaving the page, so that a refusal loses nothing that was typed.

import { csrf, renewed } from "./csrf.js";
import { made } from "./ids.js";
import { visible } from "./texts.js";

const SIGNED_OUT = 401;
/** After which time it is said that an answer is late; after which it counts as lost. */
const LATE_MS = 2000;
const LONGEST_MS = 60_000;

/**
 * Send a form, once, and say on the page what came of it.
 * @param {HTMLFormElement} form
 * @param {HTMLElement | null} submitter
 */
async function send(form, submitter) {
  const refused = /** @type {HTMLElement} */ (form.querySelector(".refused"));
  const waits = /** @type {HTMLElement} */ (form.querySelector("[data-waits]"));
  const buttons = /** @type {NodeListOf<HTMLButtonElement>} */ (form.querySelectorAll("button:enabled"));
  const held = new FormData(form, submitter);
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  const body = new URLSearchParams();
  for (const [name, value] of held) body.append(name, String(value));
  refused.hidden = true;
  unmark(form);
  for (const button of buttons) button.disabled = true;
  const late = setTimeout(() => { waits.hidden = false; }, LATE_MS);
  try {
    const told = await answered(form.action, body);
    if (!told.refused) return done(form, told);
    if (told.refused.code === "idempotency_mismatch") anew(form, told.refused);
    refused.textContent = visible(`✕ ${told.refused.message}`);
    for (const [name, message] of Object.entries(told.refused.fields ?? {})) mark(form, name, message);
  } catch {
    refused.textContent = "✕ No answer came that could be read. What you typed is still here; sent again, it is done once.";
  } finally {
    clearTimeout(late);
    waits.hidden = true;
    for (const button of buttons) button.disabled = false;
  }
  refused.hidden = false;
  form.dispatchEvent(new CustomEvent("refused", { bubbles: true }));
  if (!form.querySelector("[data-fault]")) refused.scrollIntoView({ block: "nearest" });
  if (document.activeElement === document.body) focused?.focus(); // a button that was disabled has lost it
}

/**
 * What a form is answered; who has signed in anew since the page was made sends it once more.
 * @param {string} action
 * @param {URLSearchParams} body
 * @returns {Promise<any>}
 */
async function answered(action, body) {
  const headers = { Accept: "application/json" };
  const sent = () => fetch(action, { method: "POST", body, headers, signal: AbortSignal.timeout(LONGEST_MS) });
  let answer = await sent();
  let told = await read(answer);
  const { can, why } = told.refused?.code === "csrf_refused" ? await renewed() : { can: false, why: "you are signed out" };
  if (can) {
    body.set("csrf", csrf());
    answer = await sent();
    told = await read(answer);
  }
  const isOut = answer.status === SIGNED_OUT || told.refused?.code === "csrf_refused";
  if (isOut) told.refused.message = `${why}. Sign in in another tab, then send it again; what you typed is still here.`;
  return told;
}

/**
 * What an answer tells, also one that no form gave, such as that what was sent is too large.
 * @param {Response} answer
 * @returns {Promise<any>}
 */
async function read(answer) {
  const told = await answer.json();
  if (told?.error) return { refused: told.error };
  if (!told?.refused && typeof told?.back !== "string") throw new Error("it is none of ours");
  return told;
}

/**
 * What was sent before, and nobody answered, was taken; what is typed by now is something else.
 * @param {HTMLFormElement} form
 * @param {{message: string}} refused
 */
function anew(form, refused) {
  /** @type {HTMLInputElement} */ (form.elements.namedItem("key")).value = made();
  refused.message = "What you sent before was taken, although no answer came: see in another tab what it did. Sent again, this is done as well.";
}

/**
 * Say at a field what is wrong with it, or at the part that holds its place.
 * @param {HTMLFormElement} form
 * @param {string} name
 * @param {string} message
 */
function mark(form, name, message) {
  const fields = [...form.querySelectorAll("[name]:not([type=hidden]), [data-field]")];
  const of = (/** @type {Element} */ one) => one.getAttribute("data-field") ?? one.getAttribute("name");
  const field = fields.find((one) => of(one) === name) ?? fields.find((one) => name.startsWith(`${of(one)}.`));
  if (!field) return;
  const said = document.createElement("p");
  Object.assign(said, { className: "error", id: `fault-${fields.indexOf(field)}`, textContent: visible(`✕ ${message}`) });
  said.dataset.fault = "";
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-errormessage", said.id);
  if (field.matches("fieldset")) field.append(said);
  else (field.closest("label") ?? field).after(said);
  field.closest("details")?.setAttribute("open", "");
  if (form.querySelectorAll("[data-fault]").length === 1) field.scrollIntoView({ block: "center" });
}

/** @param {HTMLFormElement} form */
function unmark(form) {
  for (const one of form.querySelectorAll("[data-fault]")) one.remove();
  for (const one of form.querySelectorAll("[aria-invalid]")) {
    one.removeAttribute("aria-invalid");
    one.removeAttribute("aria-errormessage");
  }
}

/**
 * @param {HTMLFormElement} form
 * @param {{done: string, answer: unknown, back: string}} told
 */
function done(form, told) {
  const own = new CustomEvent("done", { bubbles: true, cancelable: true, detail: told });
  if (!form.dispatchEvent(own)) return;
  location.assign(told.back);
}

const TICK = "input:is([type=checkbox], [type=radio])";
const ACT = ":is(input:not([type=hidden], [type=checkbox], [type=radio]), textarea, select, button:not([type=button])):enabled";

/**
 * Enter on a tick of a list leads to what is done with the ticked; it would be done unseen, and without its reason.
 * @param {KeyboardEvent} event
 */
function lead(event) {
  const tick = /** @type {HTMLInputElement} */ (event.target);
  if (event.key !== "Enter" || !tick.matches(TICK) || !tick.form?.matches("form[data-form]")) return;
  const row = tick.closest("tr");
  if (!row || row.contains(tick.form)) return;
  event.preventDefault();
  /** @type {HTMLElement | null} */ (tick.form.querySelector(ACT))?.focus();
}

/** Send the forms of the page by script. A form that shows a secret is left to the browser. */
export function install() {
  document.addEventListener("keydown", lead);
  document.addEventListener("submit", (event) => {
    const form = /** @type {HTMLFormElement} */ (event.target);
    if (!form.matches("form[data-form]:not([data-whole])")) return;
    event.preventDefault();
    void send(form, /** @type {SubmitEvent} */ (event).submitter);
  });
}
