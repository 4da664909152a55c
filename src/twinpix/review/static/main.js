// The page of twinpix review: reads the head of the report, and joins the list, the comparison and the decisions.

import {actsDialog} from "./acts.js";
import {get} from "./api.js";
import {Compare} from "./compare.js";
import {Decide} from "./decide.js";
import {filterDialog, helpDialog, ruleDialog} from "./dialogs.js";
import {listen} from "./keys.js";
import {List} from "./list.js";
import {say} from "./say.js";
import {byId, element, number} from "./text.js";

const SEARCH_MS = 250; // after the last key
const WAIT_MS = 300;

async function start() {
  byId("open-help").addEventListener("click", helpDialog);
  const head = await found();
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
  byId("open-rule").addEventListener("click", () => ruleDialog(list, head).catch(fail));
  byId("open-acts").addEventListener("click", () => actsDialog(list, head));
  for (const button of document.querySelectorAll("[data-do]")) button.addEventListener("click", () => decide.run(button.dataset.do));
  listen({list, compare, decide, help: helpDialog});
  document.addEventListener("decided", () => list.refresh().catch(fail));
  compare.draw();
  if (!head.groups) { byId("count").textContent = "The report has no groups of copies."; return; }
  await list.reload();
  if (!head.complete) wait(list).catch(fail);
  document.documentElement.dataset.ready = "1";
}

const STAGES = {list: "listing files", compile: "compiling loops, once after an installation", read: "reading images", compare: "comparing", verify: "verifying"};

/** The facts about the report; while `find` is still running, its progress is shown. */
async function found() {
  for (;;) {
    const head = await get("/api/head");
    document.documentElement.toggleAttribute("data-finding", Boolean(head.finding));
    if (!head.finding) return head;
    const {stage, total, done, error} = head.finding;
    if (error) { document.documentElement.removeAttribute("data-finding"); throw new Error(error); }
    byId("finding-stage").textContent = `Finding copies: ${STAGES[stage] || stage || "starting"}${total ? `, ${number(done)} of ${number(total)}` : done ? `, ${number(done)}` : ""}`;
    if (total) byId("finding-done").value = done / total; else byId("finding-done").removeAttribute("value");
    await new Promise(later => setTimeout(later, WAIT_MS));
  }
}

/** While the report is still being read, the first groups are shown; then the whole list, in its order. */
async function wait(list) {
  byId("count").textContent += " – the report is being read";
  while (!(await get("/api/groups", {number: 1})).complete) await new Promise(done => setTimeout(done, WAIT_MS));
  if (list.place > 0 || document.querySelector("dialog[open]")) await list.refresh();
  else await list.reload();
}

function fail(error) { say(error.message); }

start().catch(error => {
  byId("count").textContent = `The groups cannot be shown: ${error.message}`;
});
