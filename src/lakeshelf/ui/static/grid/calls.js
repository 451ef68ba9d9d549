/** Calls of the API: one shape of refusals, and calls that can be sent again. */

import { csrf, renewed } from "../csrf.js";

/** What was asked is refused, and why. */
export class Refusal extends Error {
  /** @param {number} status @param {{code: string, message: string, details?: Record<string, any>}} error */
  constructor(status, error) {
    super(error.message);
    this.status = status;
    this.code = error.code;
    this.details = error.details ?? {};
  }
}

/** No answer came, so nobody knows whether it was done: it is asked again under the same id. */
export class Lost extends Error {
  /** @param {string} message @param {number} [seconds] After how many it may be asked again. */
  constructor(message, seconds = 0) {
    super(message);
    this.seconds = seconds;
  }
}

/** @typedef {{body?: unknown, signal?: AbortSignal, id?: string, longest?: number}} Options */

/**
 * @param {string} method
 * @param {string} path Below `/api/v1`.
 * @param {Options} [options] `id`: the name under which a call is made once, however often it is sent; `longest`: after
 *   how many milliseconds without an answer it counts as lost.
 * @returns {Promise<any>}
 */
export async function call(method, path, { body, signal, id, longest } = {}) {
  const [status, content, headers] = await signed(method, path, { body, signal, id, longest });
  if (status === 202 && content?.kind) return ended(content, signal);
  if (status < 400) return content;
  if (status >= 500 || status === 429 || !content?.error) {
    const seconds = Number(headers.get("Retry-After")) || 0;
    throw new Lost(content?.error?.message ?? `the server answered ${status}`, seconds);
  }
  if (status === 401) content.error.message = "you are signed out";
  throw new Refusal(status, content.error);
}

/** A call, made once more where its reader has signed in anew since the page was made.
 * @param {string} method @param {string} where @param {Options} options
 */
async function signed(method, where, options) {
  const answer = await answered(method, where, options);
  if (answer[1]?.error?.code !== "csrf_refused") return answer;
  const { can, why } = await renewed().catch(() => ({ can: false, why: "the server does not answer" }));
  if (!can) throw new Refusal(401, { code: "csrf_refused", message: why });
  return answered(method, where, options);
}

/** A module that not every page needs. @template T @param {Promise<T>} loading @returns {Promise<T>} */
export async function later(loading) {
  try {
    return await loading;
  } catch {
    throw new Lost("a part of this page could not be loaded: the server does not answer, or is another version by now; reload the page, which keeps what is unsent");
  }
}

/** @param {...string} parts */
export function path(...parts) {
  return parts.map((part) => `/${encodeURIComponent(part)}`).join("");
}

/**
 * @param {string} method @param {string} where @param {Options} options
 * @returns {Promise<[number, any, Headers]>}
 */
async function answered(method, where, { body, signal, id, longest }) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  const isFile = body instanceof Blob;
  if (body !== undefined) headers["Content-Type"] = isFile ? "application/octet-stream" : "application/json";
  if (method !== "GET") headers["X-CSRF-Token"] = csrf();
  if (id) headers["X-Request-ID"] = id;
  const sent = { method, headers, signal, body: isFile || body === undefined ? body : JSON.stringify(body) };
  try {
    const answer = await fetch(`/api/v1${where}`, longest ? { ...sent, signal: AbortSignal.timeout(longest) } : sent);
    const text = await answer.text();
    return [answer.status, parsed(text, answer.status), answer.headers];
  } catch (error) {
    if (signal?.aborted || error instanceof Lost) throw error;
    throw new Lost("the server does not answer");
  }
}

/** @param {string} text @param {number} status */
function parsed(text, status) {
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch {
    throw new Lost(`the server answered ${status} with something else than JSON`);
  }
}

/** @param {{id: string, status: string, ended_at: string | null, result: any}} job @param {AbortSignal} [signal] */
async function ended(job, signal) {
  let seen = job;
  while (!seen.ended_at) seen = await call("GET", `${path("jobs", job.id)}?wait=9`, { signal });
  if (seen.status === "done") return seen.result?.body;
  const error = seen.result?.error;
  if (!error || seen.status === "interrupted") throw new Lost("the call was interrupted");
  throw new Refusal(400, error);
}
