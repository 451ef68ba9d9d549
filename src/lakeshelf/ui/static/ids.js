// Names of calls, by which what is sent twice is done once.

/** A name that nothing else has; plain http has no `randomUUID`. */
export function made() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((one) => one.toString(16).padStart(2, "0")).join("");
}
