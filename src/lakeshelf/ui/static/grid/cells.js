/** Values of cells as people write them: read by the contract and never guessed; decimals and bigints stay texts. */

/** @typedef {string | number | boolean | null} Value */
/**
 * @typedef {object} Column
 * @property {string} name
 * @property {string} label
 * @property {string} type
 * @property {string} help
 * @property {string | null} unit
 * @property {boolean} required
 * @property {boolean} key
 * @property {boolean} read_only
 * @property {boolean} hidden
 * @property {Value} minimum
 * @property {Value} maximum
 * @property {Value[]} values
 * @property {number | null} max_length
 */
/** @typedef {{value: Value} | {refusal: string}} Reading */

const LONG = /^-?(?:0|[1-9][0-9]*)$/;
const DECIMAL = /^-?(0|[1-9][0-9]*)(?:\.([0-9]+))?$/;
const DOUBLE = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
const DATE = /^([0-9]{4})-([0-9]{2})-([0-9]{2})$/;
const TIME =
  /^([0-9]{4}-[0-9]{2}-[0-9]{2})T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const LONGEST_NUMBER = 100;
const MOST = 2n ** 63n - 1n;
const NOT_FINITE = ["NaN", "Infinity", "-Infinity"];

/** The value that a text stands for in a column; an empty one is null, two quotes are the empty text.
 * @param {Column} column @param {string} text @param {boolean} [quoted] Whether it stood in quotes, as in a spreadsheet.
 * @returns {Reading}
 */
export function read(column, text, quoted = false) {
  if (text === "" && !(quoted && column.type === "string")) return { value: null };
  const type = column.type.replace(/\(.*/, "");
  const reader = READERS[type];
  return reader ? reader(text, column.type) : { refusal: `${column.type} is not edited here` };
}

/** What an editor reads: as `read`, where `""` is the empty text.
 * @param {Column} column @param {string} text
 */
export function typed(column, text) {
  return column.type === "string" && text === '""' ? read(column, "", true) : read(column, text);
}

/** The text of a value; `read` takes it back, but for the empty text.
 * @param {Value | undefined} value
 */
export function shown(value) {
  return value === null || value === undefined ? "" : String(value);
}

/** The text with which an editor begins. @param {Value | undefined} value */
export function editable(value) {
  return value === "" ? '""' : shown(value);
}

/** Whether two values of a column are the same: 25 and "25" are, null and "" are not.
 * @param {Value | undefined} left @param {Value | undefined} right
 */
export function same(left, right) {
  return (left ?? null) === null || (right ?? null) === null
    ? (left ?? null) === (right ?? null)
    : String(left) === String(right);
}

/** What an object itself has under a name, which may be one that every object knows, such as `constructor`.
 * @template T, [Otherwise=undefined]
 * @param {Record<string, T> | undefined} object @param {string} name @param {Otherwise} [otherwise]
 * @returns {T | Otherwise}
 */
export function own(object, name, otherwise) {
  return object && Object.hasOwn(object, name) ? object[name] : /** @type {Otherwise} */ (otherwise);
}

/** Which rule of the contract a value breaks, in words; empty: none that needs no server.
 * @param {Column} column @param {Value} value
 */
export function broken(column, value) {
  if (value === null) return column.required && !column.key ? "a value is needed" : "";
  const { minimum, maximum, values, max_length: longest } = column;
  if (values.length && !values.some((one) => same(one, value))) return `one of ${values.join(", ")}`;
  const low = minimum !== null && !(compared(column.type, value, minimum) >= 0);
  const high = maximum !== null && !(compared(column.type, value, maximum) <= 0);
  if (low || high) return `${range(minimum, maximum)}, not ${shown(value)}`;
  if (longest !== null && [...shown(value)].length > longest) return `at most ${longest} characters`;
  return "";
}

/** Whether people see numbers in it, which stand to the right. @param {Column} column */
export function isNumber(column) {
  return /^(bigint|decimal|double)/.test(column.type);
}

/** @param {Value} minimum @param {Value} maximum */
function range(minimum, maximum) {
  if (maximum === null) return `at least ${minimum}`;
  return minimum === null ? `at most ${maximum}` : `${minimum} to ${maximum}`;
}

/** @param {string} type @param {Value} left @param {Value} right */
function compared(type, left, right) {
  if (type === "bigint") return order(BigInt(String(left)), BigInt(String(right)));
  if (type === "double") return order(Number(left), Number(right));
  if (type.startsWith("decimal")) return order(scaled(String(left)), scaled(String(right)));
  return type === "date" ? order(String(left), String(right)) : 0;
}

/** @template T @param {T} left @param {T} right */
function order(left, right) {
  return left < right ? -1 : left > right ? 1 : left === right ? 0 : NaN;
}

/** A decimal of a contract as a whole number of 10⁻³⁸. @param {string} text */
function scaled(text) {
  const match = DECIMAL.exec(text);
  const [whole, behind = ""] = match ? [text.split(".")[0], match[2]] : [String(Math.trunc(Number(text)))];
  return BigInt(`${whole}${behind.padEnd(38, "0")}`);
}

/** @type {Record<string, (text: string, type: string) => Reading>} */
const READERS = {
  string: (text) => {
    if (text.includes("\0")) return { refusal: "a text has no NUL" };
    return text.isWellFormed() ? { value: text } : { refusal: "half a character is in it" };
  },
  bigint: (text) => {
    if (text.length > LONGEST_NUMBER || !LONG.test(text)) return { refusal: number(text, "a whole number") };
    const whole = BigInt(text);
    return -MOST - 1n <= whole && whole <= MOST ? { value: String(whole) } : { refusal: "too large" };
  },
  decimal: (text, type) => {
    const match = text.length <= LONGEST_NUMBER ? DECIMAL.exec(text) : null;
    if (!match) return { refusal: number(text, "a number such as 1234.5") };
    const [precision, scale] = type.slice(8, -1).split(",").map(Number);
    const whole = match[1].replace(/^0+/, "").length;
    const behind = (match[2] ?? "").replace(/0+$/, "").length;
    const fits = behind <= scale && whole <= precision - scale;
    return fits ? { value: text } : { refusal: `more digits than ${type} has` };
  },
  double: (text) => {
    if (NOT_FINITE.includes(text)) return { value: text };
    if (!DOUBLE.test(text)) return { refusal: number(text, "a number such as 1234.5") };
    const value = Number(text) + 0;
    if (!Number.isFinite(value)) return { refusal: "too large" };
    return isExact(text, value) ? { value } : { refusal: "too many digits" };
  },
  boolean: (text) => {
    const lower = text.toLowerCase();
    return lower === "true" || lower === "false" ? { value: lower === "true" } : { refusal: "true or false" };
  },
  date: (text) => (isDay(text) ? { value: text } : { refusal: "a day such as 2017-01-31" }),
  timestamp: (text) => {
    const match = TIME.exec(text);
    if (match && isDay(match[1])) return { value: text };
    return { refusal: "a time with its zone, such as 2017-01-31T08:00:00Z" };
  },
  binary: (text) => (BASE64.test(text) ? { value: text } : { refusal: "bytes as base64" }),
};

/** Whether a double is what was written, and JSON has it: beyond 2⁵³ scripts write zeros for digits.
 * @param {string} text @param {number} value
 */
function isExact(text, value) {
  if (LONG.test(text) && BigInt(text) !== BigInt(value)) return false;
  const sent = String(value);
  return !LONG.test(sent) || BigInt(sent) === BigInt(value);
}

/** @param {string} text @param {string} wanted */
function number(text, wanted) {
  const grouped = /^-?[0-9.,'\s\u00a0\u202f]+$/.test(text) && /[,'\s\u00a0\u202f]/.test(text);
  return grouped ? `${wanted}, without commas, blanks or other marks: it could be two numbers` : wanted;
}

/** @param {string} text */
function isDay(text) {
  const match = DATE.exec(text);
  if (!match) return false;
  const [year, month, day] = match.slice(1).map(Number);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return year > 0 && date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}
