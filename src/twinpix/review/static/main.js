// The page of twinpix review: reads the head of the report, and joins the list, the comparison and the decisions.

import {actsDialog} from "./acts.js";
import {get} from "./api.js";
import {Compare} from "./compare.js";
import {Decide} from "./decide.js";
import {filterDialog, helpDialog, ruleDialog} from "./dialogs.js";
import {listen} from "./keys.js";
import {List} from "./list.js";
import {byId, element, say} from "./text.js";

const SEARCH_MS = 250; // after the last key
const WAIT_MS = 300;

async function start() {
  const head = await get("/api/head");
  document.title = `twinpix review: ${head.roots.join(" ")}`;
  byId("title").textContent = head.roots.join(" ");
  byId("title").title = `${head.spec}, ${head.created}`;
  const compare = new Compare(head.largest);
  const list = new List(id => decide.open(id));
  const decide = new Decide(list, compare);
  const words = {bytes: "most to reclaim", certainty: "least certain", date: "newest", path: "path", number: "number"};
  byId("order").replaceChildren(...head.orders.map(order => element("option", {value: order}, words[order])));
  byId("order").addEventListener("change", event => { list.order = event.target.value; event.target.blur(); list.reload().catch(fail); });
  let timer = 0;
  byId("search").addEventListener("input", event => {
    clearTimeout(timer);
    timer = setTimeout(() => { list.filter = {...list.filter, text: event.target.value}; list.reload().catch(fail); }, SEARCH_MS);
  });
  byId("search").addEventListener("keydown", event => { if (event.key === "Enter") event.target.blur(); });
  byId("open-filter").addEventListener("click", () => filterDialog(list, head.choices));
  byId("open-rule").addEventListener("click", () => ruleDialog(list, head));
  byId("open-acts").addEventListener("click", () => actsDialog(list, head));
  byId("open-help").addEventListener("click", helpDialog);
  for (const button of document.querySelectorAll("[data-do]")) button.addEventListener("click", () => decide.run(button.dataset.do));
  listen({list, compare, decide, help: helpDialog});
  compare.draw();
  if (!head.groups) { byId("count").textContent = "The report has no groups of copies."; return; }
  await list.reload();
  if (!head.complete) wait(list).catch(fail);
  document.documentElement.dataset.ready = "1";
}

/** While the report is still being read, the first groups are shown; then the whole list, in its order. */
async function wait(list) {
  byId("count").textContent += " – the report is being read";
  while (!(await get("/api/groups", {number: 1})).complete) await new Promise(done => setTimeout(done, WAIT_MS));
  if (list.place > 0 || document.querySelector("dialog[open]")) await list.refresh();
  else await list.reload();
}

function fail(error) { say(error.message); }

start().catch(error => { byId("count").textContent = `The page cannot be shown: ${error.message}`; });
