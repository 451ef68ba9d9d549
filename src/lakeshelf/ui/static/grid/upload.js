// A file is sent as it is, and its page shows what became of it.

import { made } from "../ids.js";
import { visible } from "../texts.js";
import { call, path } from "./calls.js";

const form = document.querySelector("form[data-upload]");
if (form instanceof HTMLFormElement) form.addEventListener("submit", (event) => void send(event, form));

/** @param {Event} event @param {HTMLFormElement} form */
async function send(event, form) {
  event.preventDefault();
  const { project = "", dataset = "" } = form.dataset;
  const data = new FormData(form);
  const file = data.get("file");
  const said = form.querySelector(".refused");
  const button = form.querySelector("button");
  if (!(file instanceof File) || !(said instanceof HTMLElement) || !button) return;
  const asked = new URLSearchParams({ file_name: file.name, mode: String(data.get("mode")) });
  said.hidden = false;
  button.disabled = true;
  said.textContent = visible(`Sending ${file.name}…`);
  try {
    const place = `${path("projects", project, "datasets", dataset)}/uploads?${asked}`;
    const upload = await call("POST", place, { body: file, id: made() });
    location.assign(`/imports${path(project, upload.id)}`);
  } catch (error) {
    button.disabled = false;
    said.textContent = visible(`✕ ${error instanceof Error ? error.message : error}`);
  }
}
