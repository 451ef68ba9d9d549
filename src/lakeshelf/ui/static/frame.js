// What every page does: its theme, its forms, and a sign-in link.

import { install as forms } from "./forms.js";
import { install as rows } from "./rows.js";
import { install as theme } from "./theme.js";

/** A sign-in link holds its secret behind `#`, which browsers send to nobody, and keep when they are sent elsewhere. */
function signIn() {
  const form = /** @type {HTMLFormElement | null} */ (document.querySelector("form[data-sign-in]"));
  const secret = location.hash.slice(1);
  const on = /** @type {HTMLAnchorElement | null} */ (document.querySelector("a[data-go-on]"));
  if (on && !secret) return location.replace(on.href);
  if (!form || !secret) return;
  history.replaceState(null, "", location.pathname + location.search);
  /** @type {HTMLInputElement} */ (form.elements.namedItem("token")).value = decodeURIComponent(secret);
  form.submit();
}

/** A box that scrolls is reached by keyboard, even where nothing in it is; one that does not is no stop of Tab. */
function boxes() {
  const seen = new ResizeObserver((sizes) => {
    for (const { target } of sizes) {
      if (target.scrollWidth > target.clientWidth) target.setAttribute("tabindex", "0");
      else target.removeAttribute("tabindex");
    }
  });
  const look = (/** @type {Document | Element} */ part) => part.querySelectorAll(".scroll").forEach((box) => seen.observe(box));
  look(document);
  document.addEventListener("renewed", ({ target }) => look(/** @type {Element} */ (target)));
}

/** What was waited for is shown once: read again, the page asks anew. */
function clean() {
  const here = /** @type {HTMLElement | null} */ (document.querySelector("[data-clean]"))?.dataset.clean;
  if (here) history.replaceState(null, "", here);
}

/** What was done, or has come by itself, has the focus, so that Tab goes on from there and not from the menu. */
function said() {
  /** @type {HTMLElement | null} */ (document.querySelector("#said:not([hidden]), [data-clean]"))?.focus();
}

theme();
rows();
said();
clean();
boxes();
forms();
signIn();
