/** Cells on the clipboard, as spreadsheets write them: tabs, and quotes around tabs, quotes and new lines. */

/** @typedef {{text: string, quoted: boolean}} Piece */

/** Rows of a clipboard's text; a quote that nothing closes is one that somebody wrote.
 * @param {string} text
 * @returns {Piece[][]}
 */
export function parse(text) {
  /** @type {Piece[][]} */
  const rows = [];
  /** @type {Piece[]} */
  let row = [];
  let at = 0;
  while (at < text.length || row.length) {
    const [piece, end] = text[at] === '"' ? inQuotes(text, at) : plain(text, at);
    row.push(piece);
    at = end + 1;
    if (text[end] === "\t") {
      if (at < text.length) continue;
      row.push({ text: "", quoted: false });
    } else if (text[end] === "\r" && text[at] === "\n") at += 1;
    rows.push(row);
    row = [];
  }
  return rows;
}

/** A text that spreadsheets take; a null is nothing, an empty text stands in quotes.
 * @param {(string | null)[][]} rows
 */
export function format(rows) {
  return rows.map((row) => row.map(written).join("\t")).join("\n");
}

/** @param {string | null} text */
function written(text) {
  if (text === null) return "";
  return text === "" || /["\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** @param {string} text @param {number} at @returns {[Piece, number]} */
function plain(text, at) {
  const rest = /[\t\r\n]/g;
  rest.lastIndex = at;
  const end = rest.exec(text)?.index ?? text.length;
  return [{ text: text.slice(at, end), quoted: false }, end];
}

/** @param {string} text @param {number} at @returns {[Piece, number]} */
function inQuotes(text, at) {
  const quoted = /"((?:[^"]|"")*)"(?=[\t\r\n]|$)/y;
  quoted.lastIndex = at;
  const match = quoted.exec(text);
  if (!match) return plain(text, at);
  return [{ text: match[1].replaceAll('""', '"').replaceAll("\r\n", "\n"), quoted: true }, quoted.lastIndex];
}
