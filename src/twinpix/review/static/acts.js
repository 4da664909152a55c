// Act on the decided groups: plan, apply with progress, and undo; the server does what `resolve` and `undo` do.

import {get, post} from "./api.js";
import {open} from "./dialogs.js";
import {say} from "./say.js";
import {byId, bytes, element, number, plural} from "./text.js";

const POLL_MS = 300;
const WORDS = {
  trash: "move to the system trash", move: "move to a folder", copy: "copy the images to keep to a folder", hardlink: "replace by hard links",
  symlink: "replace by symbolic links", reflink: "replace by clones that share their data", delete: "delete: cannot be undone",
};
const WITH_FOLDER = ["move", "copy"];

export async function actsDialog(list, head) {
  const action = element("select", {name: "action"}, ...head.actions.map(name => element("option", {value: name}, WORDS[name] || name)));
  const folder = element("input", {type: "text", name: "folder", size: 40, placeholder: "folder, from where twinpix was started"});
  const folderBox = element("label", {}, "folder ", folder);
  const sidecars = element("select", {name: "sidecars", "aria-label": "companion files"},
    element("option", {value: "same"}, "move companion files (XMP and others) if the keeper has the same"),
    element("option", {value: "all"}, "always move companion files with their image"), element("option", {value: "keep"}, "never move companion files"));
  const out = element("div", {role: "status", "aria-live": "polite"});
  const confirmed = element("input", {type: "text", "aria-label": "confirmation"});
  const choice = () => ({action: action.value, folder: WITH_FOLDER.includes(action.value) ? folder.value : "", sidecars: sidecars.value});
  const apply = element("button", {type: "button", class: "main", disabled: true, onclick: () => run("apply", {...choice(), confirmed: confirmed.value})}, "Carry out");
  const plan = element("button", {type: "button", onclick: () => run("plan", choice())}, "Show the plan");
  const past = element("div", {});

  async function run(what, body) {
    plan.disabled = apply.disabled = true;
    try {
      await post("/api/act", {what, ...body});
      const task = await follow(out);
      show(out, task, confirmed);
      apply.disabled = what !== "plan" || Boolean(task.error) || !task.facts.files;
      if (what !== "plan" && !task.error) await list.reload(list.place);
      await showJournals(past, name => run("undo", {journal: name}));
    } catch (error) { say(error.message); }
    plan.disabled = false;
  }
  const changed = () => { folderBox.hidden = !WITH_FOLDER.includes(action.value); apply.disabled = true; };
  action.addEventListener("change", changed);
  for (const input of [folder, sidecars]) input.addEventListener("input", () => { apply.disabled = true; });
  open("acts", element("h2", {id: "acts-title"}, "Act on the decided groups"),
    element("form", {onsubmit: event => { event.preventDefault(); plan.click(); }}, element("label", {}, "discarded images: ", action), folderBox, sidecars),
    out, element("div", {class: "end"}, plan, apply, element("button", {type: "button", onclick: () => byId("acts").close()}, "Close")), past);
  changed();
  showJournals(past, name => run("undo", {journal: name}));
}

async function follow(out) {
  const bar = element("progress", {});
  const words = element("p", {});
  out.replaceChildren(bar, words);
  for (;;) {
    const task = await get("/api/task");
    if (task.ended) return task;
    if (task.total) { bar.max = task.total; bar.value = task.done; }
    words.textContent = task.doing ? `${task.doing}: ${number(task.done)} of ${number(task.total)}` : `${task.what} …`;
    await new Promise(done => setTimeout(done, POLL_MS));
  }
}

function show(out, task, confirmed) {
  if (task.error) { out.replaceChildren(element("p", {role: "alert"}, task.error)); return; }
  const {files, bytes: size, permanent, free} = task.facts;
  const more = task.more ? [`… and ${plural(task.more, "more line")}`] : [];
  const rows = [element("pre", {tabindex: 0}, [...task.lines, ...more].join("\n"))];
  if (task.what === "plan") {
    rows.unshift(element("p", {}, files ? `${plural(files, "file")}, ${bytes(size)}.${permanent ? " This cannot be undone." : " Undo brings them back."}${free === null || free === undefined ? "" : ` The folder has ${bytes(free)} free.`}` : "There is nothing to do: no group is decided, or all is done."));
    if (permanent && files) rows.push(element("label", {}, `type “delete ${files}” to confirm: `, confirmed));
  }
  out.replaceChildren(...rows);
}

async function showJournals(box, undo) {
  const journals = await get("/api/journals").catch(() => []);
  box.replaceChildren(...(journals.length ? [element("h2", {}, "Done before"), element("ul", {}, ...journals.map(each =>
    element("li", {}, `${each.name} `, element("button", {type: "button", onclick: () => undo(each.name)}, "Undo"))))] : []));
}
