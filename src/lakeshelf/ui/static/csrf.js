// What a call that changes something brings along. Who signs in anew, in another tab, has another.

/** @param {string} name */
function said(name) {
  return /** @type {HTMLMetaElement | null} */ (document.querySelector(`meta[name="${name}"]`));
}

export function csrf() {
  return said("csrf")?.content ?? "";
}

/**
 * Take what the session brings along that this browser has by now, if it is of the one who reads the page.
 * @returns {Promise<string>} whose session it is; empty: nobody's
 */
async function taken() {
  const answer = await fetch("/api/v1/me", { headers: { Accept: "application/json" } });
  if (!answer.ok) return "";
  const me = await answer.json();
  const place = said("csrf");
  if (me.user !== said("user")?.content || !me.csrf || !place) return me.user;
  place.content = me.csrf;
  for (const field of document.querySelectorAll('input[name="csrf"]')) /** @type {HTMLInputElement} */ (field).value = me.csrf;
  return me.user;
}

/**
 * Whether a call that was refused for it can be made again; else why not.
 * @returns {Promise<{can: boolean, why: string}>}
 */
export async function renewed() {
  const before = csrf();
  const user = await taken();
  const own = said("user")?.content ?? "";
  if (!user) return { can: false, why: "you are signed out" };
  if (user !== own) return { can: false, why: `${user} is signed in now, and this is ${own}'s` };
  return { can: csrf() !== before, why: "you are signed out" };
}
