// Choices that a browser keeps; where it keeps nothing, or has no room, they hold for the page.

/** @type {Map<string, string>} */
const own = new Map();

/** @param {string} key @returns {string} what was chosen; empty: nothing was */
export function kept(key) {
  try {
    return own.get(key) ?? localStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} key @param {string} choice */
export function keep(key, choice) {
  try {
    localStorage.setItem(key, choice);
    own.delete(key);
  } catch {
    own.set(key, choice);
  }
}
