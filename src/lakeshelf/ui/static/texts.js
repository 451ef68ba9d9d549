// Texts of people and events: characters that nobody would see, or that turn others around, are named, as the server does.

const INVISIBLE = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

/** A text as people see it. @param {string} text */
export function visible(text) {
  return text.replace(INVISIBLE, (one) => `⟨U+${one.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

/** So many of something, in words. @param {number} count @param {string} one */
export function counted(count, one) {
  return `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "s"}`;
}
