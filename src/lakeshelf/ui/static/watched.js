// What is shown, and may move while it is read: looked at again when something happened to it.

import { on } from "./live.js";

const EVERY_MS = 30_000; // where no stream comes through

/**
 * Look again when something happened to change requests of it, or when news may have been missed.
 * @param {() => Promise<void>} look
 * @param {(event: {project: string, dataset: string, request: number | null}) => boolean} isAbout
 * @returns {() => void} looks again at once
 */
export function watch(look, isAbout) {
  const again = () => void look().catch(() => {}); // the next look may have more luck
  on("cr", (data) => isAbout(JSON.parse(data)) && again());
  on("reset", again);
  document.addEventListener("visibilitychange", () => document.hidden || again());
  setInterval(() => document.hidden || again(), EVERY_MS);
  return again;
}
