/** What others do to a dataset while its grid is open; loaded beside the first rows. */

import { watch } from "../watched.js";
import { call, path } from "./calls.js";
import { element } from "./dom.js";

/** @typedef {import("./table.js").Table} Table */

/** What others do meanwhile. Where the dataset is defined anew, what is drawn and judged here goes by the definition of
 * before; what they have merged is marked in the cells of a session, whose rows stay those that it began with, and is
 * offered where there is none, since rows would move under the hands of who types.
 * @param {Table} table @param {HTMLElement} root @param {number} version Of the definition of before.
 */
export function follow(table, root, version) {
  const link = element("a", { href: "" }, "Load this page anew");
  const news = element("p", { class: "news", role: "status", hidden: true }, "This dataset is defined anew. ", link, ": what is not sent is kept, and judged by what holds now.");
  const show = element("button", { type: "button" }, "Show them");
  const moved = element("p", { class: "news", role: "status", hidden: true }, "Others have changed rows. ", show);
  show.addEventListener("click", () => void table.show().then(() => { moved.hidden = true; }).catch((error) => table.fail(error)));
  root.prepend(news, moved);
  const look = async () => {
    const [{ definition }, { meta }] = await Promise.all([call("GET", `${table.place}/definition`), call("GET", table.place)]);
    news.hidden = definition.version === version;
    moved.hidden = !news.hidden || table.session !== null || meta.delta_version <= Number(table.version);
    if (news.hidden && table.session) table.follow(meta.delta_version);
  };
  watch(look, ({ project, dataset }) => table.place === path("projects", project, "datasets", dataset));
}
