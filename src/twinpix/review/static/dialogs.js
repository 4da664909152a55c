// The dialogs: filter, many groups at once, and help.

import {get, post} from "./api.js";
import {say} from "./say.js";
import {byId, bytes, element, number, plural, relationWords} from "./text.js";

export function open(id, ...children) {
  const dialog = byId(id);
  dialog.replaceChildren(...children);
  // The browser gives the focus back to the button that opened it, on which Enter would open it again.
  dialog.addEventListener("close", () => setTimeout(() => byId("list").focus()), {once: true});
  dialog.showModal();
  return dialog;
}

const close = id => element("button", {type: "button", onclick: () => byId(id).close()}, "Close");

function check(name, value, words, on) {
  return element("label", {}, element("input", {type: "checkbox", name, value, checked: on}), ` ${words}`);
}

const field = (words, input) => element("label", {}, `${words} `, input);

export function filterDialog(list, choices) {
  const chosen = list.filter;
  const has = (name, value) => (chosen[name] || "").split(",").includes(value);
  const folders = element("datalist", {id: "folders"}, ...choices.folders.map(folder => element("option", {value: folder})));
  const text = (name, more = {}) => element("input", {type: "text", name, value: chosen[name] || "", ...more});
  const amount = name => element("input", {type: "number", name, min: 0, step: "any", value: chosen[name] ? Number(chosen[name]) / 1e6 : ""});
  const states = [["", "all"], ["undecided", "undecided"], ["decided", "decided"], ["later", "later"], ["acted", "acted on"]];
  const form = element("form", {method: "dialog"},
    element("fieldset", {}, element("legend", {}, "One image is"), ...choices.relations.map(each => check("relations", each, relationWords(each), has("relations", each)))),
    element("fieldset", {}, element("legend", {}, "One image has the format"), ...choices.formats.map(each => check("formats", each, each, has("formats", each)))),
    element("fieldset", {}, field("one image in the folder", text("folder", {list: "folders"})), field("and one in", text("other_folder", {list: "folders"})), folders),
    element("fieldset", {}, field("MB to reclaim, at least", amount("min_bytes")), field("largest image in MB, at least", amount("min_size"))),
    element("fieldset", {}, field("certainty at most, %", element("input", {type: "number", name: "certainty", min: 0, max: 100, value: chosen.certainty ? 100 * chosen.certainty : ""}))),
    element("fieldset", {}, field("groups", element("select", {name: "state"}, ...states.map(([value, words]) => element("option", {value, selected: chosen.state === value}, words)))),
      check("warned", "1", "with a warning", Boolean(chosen.warned))));
  const apply = () => {
    const data = new FormData(form);
    const many = name => data.getAll(name).join(",");
    const scaled = name => data.get(name) ? String(Math.round(1e6 * Number(data.get(name)))) : "";
    list.filter = {
      ...(chosen.text ? {text: chosen.text} : {}), relations: many("relations"), formats: many("formats"), folder: data.get("folder"),
      other_folder: data.get("other_folder"), min_bytes: scaled("min_bytes"), min_size: scaled("min_size"),
      certainty: data.get("certainty") ? String(Number(data.get("certainty")) / 100) : "", state: data.get("state"), warned: data.get("warned") || "",
    };
    byId("filter").close();
    list.reload().catch(error => say(error.message));
  };
  form.addEventListener("submit", event => { event.preventDefault(); apply(); });
  open("filter", element("h2", {id: "filter-title"}, "Filter"), form, element("div", {class: "end"},
    element("button", {type: "button", onclick: () => { list.filter = chosen.text ? {text: chosen.text} : {}; byId("filter").close(); list.reload(); }}, "All groups"),
    element("button", {type: "button", class: "main", onclick: apply}, "Show"), close("filter")));
}

/** The keep rules in their order, which dragging and two buttons change; those that are off are below. */
function ruleList(current, words, changed) {
  const rows = element("ol", {class: "rules"});
  const names = [...current.filter(name => words[name.split(":")[0]]), ...Object.keys(words).filter(name => !current.includes(name))];
  const row = name => {
    const made = element("li", {draggable: "true", "data-name": name},
      check("rule", name, `${name}: ${words[name.split(":")[0]]}`, current.includes(name)),
      element("button", {type: "button", "aria-label": `${name} earlier`, onclick: () => { made.previousElementSibling?.before(made); changed(); }}, "↑"),
      element("button", {type: "button", "aria-label": `${name} later`, onclick: () => { made.nextElementSibling?.after(made); changed(); }}, "↓"));
    made.addEventListener("dragstart", event => { event.dataTransfer.effectAllowed = "move"; made.classList.add("dragged"); });
    made.addEventListener("dragend", () => { made.classList.remove("dragged"); changed(); });
    made.addEventListener("dragover", event => {
      event.preventDefault();
      const dragged = rows.querySelector(".dragged");
      if (!dragged || dragged === made) return;
      const {top, height} = made.getBoundingClientRect();
      if (event.clientY < top + height / 2) made.before(dragged); else made.after(dragged);
    });
    return made;
  };
  rows.append(...names.map(row));
  return rows;
}

export async function ruleDialog(list, {choices}) {
  const known = await get("/api/rules");
  const by = (value, words, on) => element("label", {}, element("input", {type: "radio", name: "by", value, checked: on}), ` ${words}`);
  const rules = element("details", {}, element("summary", {}, "Keep rules: the first one that tells two images apart decides"));
  const form = element("form", {method: "dialog"},
    element("fieldset", {}, element("legend", {}, "Keep"), by("report", "the proposed image", true), by("rules", "the image that these rules choose", false)), rules,
    element("fieldset", {}, element("legend", {}, "Only groups of which every copy is"),
      ...choices.relations.map(each => check("only", each, relationWords(each), ["identical-file", "identical-pixels", "re-encoded"].includes(each)))),
    element("fieldset", {}, field("and of which all images to discard are in the folder", element("input", {type: "text", name: "below", list: "folders-of-rule"})),
      element("datalist", {id: "folders-of-rule"}, ...choices.folders.map(folder => element("option", {value: folder}))),
      check("more_pixels", "1", "and of which the kept image has more pixels than each other one", false)));
  const found = element("div", {role: "status"});
  const request = apply => {
    const data = new FormData(form);
    const keep = data.get("by") === "rules" ? [...rules.querySelectorAll("li")].filter(row => row.querySelector("input").checked).map(row => row.dataset.name).join(",") : "";
    return post("/api/decide-all", {filter: list.query(), only: data.getAll("only"), below: data.get("below"), more_pixels: Boolean(data.get("more_pixels")), keep, apply});
  };
  let asked = 0;
  const preview = async () => {
    const mine = ++asked;
    accept.disabled = true;
    found.replaceChildren(element("p", {}, "counting …"));
    try {
      const {groups, images, bytes: size, left_out: left, changed, least} = await request(false);
      if (mine !== asked) return;
      const others = left ? `; ${plural(left, "group")} stay undecided${changed ? `, ${number(changed)} of them because a file has changed or is gone` : ""}` : "";
      found.replaceChildren(
        element("p", {}, `${plural(groups, "group")}: ${plural(images, "image")} to discard, ${bytes(size)}${others}.`),
        least.length ? element("p", {}, "The least certain ones: ", ...least.flatMap(id => [element("button", {type: "button", onclick: () => { byId("rule").close(); show(list, id); }}, number(id)), " "])) : "");
      accept.disabled = !groups;
    } catch (error) { if (mine === asked) found.replaceChildren(element("p", {role: "alert"}, error.message)); }
  };
  const accept = element("button", {type: "button", class: "main", disabled: true, onclick: async () => {
    try {
      const {groups} = await request(true);
      byId("rule").close();
      say(`${plural(groups, "group")} decided; u takes all of them back`);
      await list.reload(list.place);
    } catch (error) { say(error.message); }
  }}, "Decide them");
  rules.append(ruleList(known.keep, known.keep_rules, () => { if (new FormData(form).get("by") === "rules") preview(); }));
  form.addEventListener("change", preview);
  form.addEventListener("submit", event => event.preventDefault());
  open("rule", element("h2", {id: "rule-title"}, "Decide many groups"),
    element("p", {}, "Of the groups in the list that are undecided; no file is touched before you act."), form, found,
    element("div", {class: "end"}, accept, close("rule")));
  preview();
}

async function show(list, id) {
  const {place} = await get(`/api/groups/${id}/place`, list.query());
  if (place !== null) await list.select(place);
}

const KEYS = [
  ["↑ ↓ or k j", "group"], ["← → or h", "image of the group"], ["Enter", "accept, and the next undecided group"], ["1–9", "this image is the keeper"],
  ["Shift+↑ ↓ or J K", "select several groups, which Enter, n and l then decide together"], ["Esc", "end the selection"],
  ["d", "discard the image"], ["s", "keep both"], ["x", "the image is not one of them"], ["n", "not duplicates, none of them"], ["l", "later"],
  ["u or Ctrl+Z", "take the last decision back"], ["b", "blink"], ["c", "curtain"], ["o", "overlay"], ["f", "difference"], ["g", "all side by side"], ["v", "next way to compare"],
  ["a", "aligned, or the files as they are"], ["+ − 0", "zoom in, out, fit"], ["p", "pixel by pixel"], ["e", "what differs in their data"], ["/", "search in paths"], ["?", "this help"],
];

export function helpDialog() {
  open("help", element("h2", {id: "help-title"}, "Keys"),
    element("table", {}, element("tbody", {}, ...KEYS.map(([keys, words]) => element("tr", {}, element("th", {scope: "row"}, element("kbd", {}, keys)), element("td", {}, words))))),
    element("p", {}, "A decision is kept by the content of the images: it holds for renamed files and later reports. Files change only when you choose Act, and undo brings them back."),
    element("div", {class: "end"},
      element("a", {href: "/api/decisions", download: "decisions.jsonl"}, "Save all decisions to a file"),
      element("label", {}, "Add decisions of a file ", element("input", {type: "file", accept: ".jsonl", onchange: merge})),
      element("button", {type: "button", onclick: quit}, "End the review"), close("help")));
}

async function merge(event) {
  const [file] = event.target.files;
  if (!file) return;
  const response = await fetch("/api/decisions", {method: "POST", body: file});
  const found = await response.json().catch(() => ({error: "the file could not be read"}));
  say(found.error || `${plural(found.changed, "decision")} added or changed`);
  document.dispatchEvent(new Event("decided"));
}

async function quit() {
  await post("/api/quit").catch(() => {});
  document.body.replaceChildren(element("main", {}, element("p", {}, "The review has ended; decisions are kept. You can close this page.")));
}
