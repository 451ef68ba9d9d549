/** Elements, made without markup: texts stay texts. */

import { visible } from "../texts.js";

/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name @param {Record<string, string | number | boolean>} [attributes] @param {...(Node | string)} inside
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function element(name, attributes = {}, ...inside) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== false) made.setAttribute(key, String(value === true ? "" : value));
  made.append(...inside.map((one) => (typeof one === "string" ? visible(one) : one)));
  return made;
}

/** Ask something that is answered by yes or no. @param {string} question @returns {Promise<boolean>} */
export function ask(question) {
  const yes = element("button", { value: "yes" }, "Go on");
  const no = element("button", { value: "no" }, "Cancel");
  const form = element("form", { method: "dialog" }, element("p", {}, question), element("p", { class: "acts" }, yes, no));
  return asked(question, form).then((value) => value === "yes");
}

/** A form as a dialog, until it is closed; its answer. @param {string} name @param {HTMLFormElement} form @returns {Promise<string>} */
export function asked(name, form) {
  const dialog = element("dialog", { class: "grid-dialog", "aria-label": name }, form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    }),
  );
}
