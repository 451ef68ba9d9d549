// A file is sent as it is, and its page shows what became of it.

import { call, path } from "./calls.js";
import { made } from "./edits.js";

const form = document.querySelector("form[data-upload]");
if (form instanceof HTMLFormElement) form.addEventListener("submit", (event) => void send(event, form));

/** @param {Event} event @param {HTMLFormElement} form */
async function send(event, form) {
  event.preventDefault();
  const { project = "", dataset = "" } = form.dataset;
  const data = new FormData(form);
  const file = data.get("file");
  const said = form.querySelector(".refused");
  if (!(file instanceof File) || !(said instanceof HTMLElement)) return;
  const asked = new URLSearchParams({ file_name: file.name, mode: String(data.get("mode")) });
  said.hidden = false;
  said.textContent = `Sending ${file.name}…`;
  try {
    const place = `${path("projects", project, "datasets", dataset)}/uploads?${asked}`;
    const upload = await call("POST", place, { body: file, id: made() });
    location.assign(`/imports${path(project, upload.id)}`);
  } catch (error) {
    said.textContent = `✕ ${error instanceof Error ? error.message : error}`;
  }
}
