// Parts of a page that are made anew by the server, put in the place of those that are shown.

/**
 * A page as the server makes it now; null where it does not.
 * @param {string} address
 * @returns {Promise<Document | null>}
 */
function made(address) {
  return new Promise((resolve) => {
    const call = new XMLHttpRequest();
    call.responseType = "document"; // what is read so runs no script
    call.addEventListener("loadend", () => resolve(call.status === 200 ? call.responseXML : null));
    call.open("GET", address);
    call.send();
  });
}

/** Whether somebody is at work in a part, which is then left as it is. @param {Element} part */
export function isUsed(part) {
  const chosen = getSelection();
  const isChosen = chosen !== null && !chosen.isCollapsed && chosen.containsNode(part, true);
  const isAimedAt = part.matches(":hover") && part.querySelector("button, input") !== null;
  const isOpen = part.contains(document.activeElement) || part.querySelector("details[open]") !== null;
  return isChosen || isAimedAt || isOpen || [...part.querySelectorAll("input, textarea")].some(isTyped);
}

/** Whether a field holds something else than the page came with. @param {Element} field */
function isTyped(field) {
  if (field instanceof HTMLTextAreaElement) return field.value !== field.defaultValue;
  if (!(field instanceof HTMLInputElement)) return false;
  if (field.matches("[type=checkbox], [type=radio]")) return field.checked !== field.defaultChecked;
  return field.value !== field.defaultValue;
}

/**
 * Put parts, by their ids, in the place of those that are shown; what is used meanwhile stays.
 * @param {string} address where they are made
 * @param {string[]} ids
 * @returns {Promise<boolean>} whether all are new
 */
export async function renew(address, ids) {
  const page = await made(address);
  const isNew = ids.map((id) => {
    const [shown, part] = [document.getElementById(id), page?.getElementById(id)];
    if (!shown || !part || isUsed(shown)) return false;
    shown.replaceWith(document.adoptNode(part));
    part.dispatchEvent(new Event("renewed", { bubbles: true }));
    return true;
  });
  return isNew.every(Boolean);
}
