// The dialogs: filter, many groups at once, and help.

import {post} from "./api.js";
import {byId, bytes, element, number, plural, relationWords, say} from "./text.js";

export function open(id, ...children) {
  const dialog = byId(id);
  dialog.replaceChildren(...children);
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
  const states = [["", "all"], ["undecided", "undecided"], ["decided", "decided"], ["later", "later"]];
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

export function ruleDialog(list, choices) {
  const form = element("form", {method: "dialog"},
    element("fieldset", {}, element("legend", {}, "Only groups of which every copy is"),
      ...choices.relations.map(each => check("only", each, relationWords(each), ["identical-file", "identical-pixels", "re-encoded"].includes(each)))));
  const found = element("div", {role: "status"});
  const only = () => new FormData(form).getAll("only");
  const ask = async apply => post("/api/decide-all", {filter: list.query(), only: only(), apply});
  const preview = async () => {
    try {
      const {groups, images, bytes: size, least} = await ask(false);
      found.replaceChildren(
        element("p", {}, `${plural(groups, "undecided group")} of the list: ${plural(images, "image")} to discard, ${bytes(size)}.`),
        least.length ? element("p", {}, "The least certain ones: ", ...least.flatMap(id => [element("button", {type: "button", onclick: () => { byId("rule").close(); show(list, id); }}, number(id)), " "])) : null);
      accept.disabled = !groups;
    } catch (error) { say(error.message); }
  };
  const accept = element("button", {type: "button", class: "main", disabled: true, onclick: async () => {
    try {
      const {groups} = await ask(true);
      byId("rule").close();
      say(`${plural(groups, "group")} accepted; u takes all of them back`);
      await list.reload(list.place);
    } catch (error) { say(error.message); }
  }}, "Accept them");
  form.addEventListener("change", preview);
  open("rule", element("h2", {id: "rule-title"}, "Accept the proposed keepers of many groups"),
    element("p", {}, "Of the groups in the list that are undecided; no file is touched before you act."), form, found,
    element("div", {class: "end"}, accept, close("rule")));
  preview();
}

async function show(list, id) {
  const {get} = await import("./api.js");
  const {place} = await get(`/api/groups/${id}/place`, list.query());
  if (place !== null) await list.select(place);
}

const KEYS = [
  ["↑ ↓ or k j", "group"], ["← → or h", "image of the group"], ["Enter", "accept, and the next undecided group"], ["1–9", "this image is the keeper"],
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
  say(found.error || `${plural(found.changed, "decision")} added or changed; reload the page to see them`);
}

async function quit() {
  await post("/api/quit").catch(() => {});
  document.body.replaceChildren(element("main", {}, element("p", {}, "The review has ended; decisions are kept. You can close this page.")));
}
