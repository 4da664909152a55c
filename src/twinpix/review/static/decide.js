// The group on the screen: its images, what becomes of each, and the decision, which is written at once.

import {get, imageUrl, post} from "./api.js";
import {say} from "./say.js";
import {byId, bytes, element, folderOf, pathElement, plural, relationWords} from "./text.js";

const WORDS = {keep: "keep", discard: "discard", both: "keep too", apart: "not a copy", later: "later"};
const LABELS = {
  name: "path", format: "format", bytes: "size", pixels: "pixels", modified: "modified", quality: "JPEG quality", exif: "EXIF tags",
  captured: "captured", camera: "camera", gps: "GPS position", software: "program", icc: "colour profile", depth: "bits per channel",
  mode: "channels", alpha: "transparency", lossless: "lossless", palette: "colours of a palette", subsampling: "chroma subsampling",
  frames: "frames or pages", video: "video", fault: "defect", warning: "warning", exposure: "exposure", colour: "has colours",
  reference: "reference, never moved",
};

export class Decide {
  constructor(list, compare) {
    this.list = list;
    this.compare = compare;
    this.group = null;
    this.selected = 0;
    byId("facts").addEventListener("toggle", () => { if (this.group) this.draw(); });
  }

  async open(id) {
    this.asked?.abort();
    this.asked = new AbortController();
    let group;
    try { group = await get(`/api/groups/${id}`, {}, this.asked.signal); } catch (error) {
      if (error.name !== "AbortError") say(error.message);
      return;
    }
    this.group = group;
    this.take(group.decision);
    this.selected = Math.max(0, group.images.findIndex(image => image.number !== this.keeper));
    this.draw();
    this.fetchAhead();
  }

  /** Take over a decision of the server, or what the report proposes. */
  take(decision) {
    this.keeper = decision ? decision.keeper : this.group.keeper;
    this.verdicts = {};
    for (const image of this.group.images)
      if (image.number !== this.keeper) this.verdicts[image.number] = decision?.verdicts[image.number] || "discard";
    this.decided = Boolean(decision);
  }

  get image() { return this.group?.images[this.selected]; }

  async fetchAhead() {
    for (const step of [1, -1, 2]) {
      const id = await this.list.idAt(this.list.place + step);
      if (id === undefined) continue;
      const group = this.list.at(this.list.place + step);
      if (group) this.compare.ahead(group);
    }
  }

  // -- what is drawn

  draw() {
    const {images} = this.group;
    const keeper = images.find(image => image.number === this.keeper);
    const other = this.image === keeper ? images.find(image => image !== keeper) : this.image;
    byId("members").replaceChildren(...images.map((image, place) => this.card(image, place)));
    byId("members").children[this.selected]?.scrollIntoView({block: "nearest", inline: "nearest"});
    this.compare.show(keeper, other, [keeper, ...images.filter(image => image !== keeper)]);
    this.showFacts(keeper, other);
  }

  /** What differs in their data; the EXIF tags are read only while the table is open. */
  async showFacts(keeper, other) {
    const box = byId("facts-table");
    box.replaceChildren(factsTable(keeper, other));
    if (!byId("facts").open || !other) return;
    const [a, b] = await Promise.all([keeper, other].map(image => get(`/api/tags/${image.number}`).catch(() => ({}))));
    if (this.image === other || this.keeper === keeper.number) box.replaceChildren(factsTable(keeper, other, [a, b]));
  }

  card(image, place) {
    const verdict = image.number === this.keeper ? "keep" : image.stays ? "both" : this.verdicts[image.number];
    const words = image.acted ? "acted on" : image.stays && image.number !== this.keeper ? "stays: no action moves it" : WORDS[verdict];
    const relation = image.number === this.keeper ? this.group.reason : relationWords(image.relation);
    return element("button", {
      type: "button", class: "member", "aria-current": String(place === this.selected), onclick: () => this.select(place),
    },
      element("figure", {}, element("img", {src: imageUrl(image.number, 320), alt: ""})),
      element("b", {class: `verdict ${verdict}`}, `${place + 1} · ${this.decided || image.acted ? "" : "proposed: "}${words}`),
      pathElement(image.name, "b"),
      element("span", {title: image.name}, element("bdi", {}, folderOf(image.name))),
      element("span", {}, `${image.width}×${image.height}, ${bytes(image.bytes)}${image.format ? `, ${image.format}` : ""}`),
      element("span", {title: relation}, relation),
      image.warning ? element("span", {}, `⚠ ${image.warning}`) : null,
      this.group.changes[image.number] ? element("span", {class: "verdict discard"}, this.group.changes[image.number] === "gone" ? "no longer there" : "changed since find") : null);
  }

  select(place) {
    if (!this.group) return;
    const count = this.group.images.length;
    this.selected = (place + count) % count;
    this.draw();
  }

  // -- decisions

  /** Write the decision as it is shown. */
  async save() {
    const id = this.group.id;
    try {
      const {decision, state} = await post(`/api/groups/${id}/decision`, {keeper: this.keeper, verdicts: this.verdicts});
      this.list.setState(id, state);
      if (this.group.id !== id) return;
      this.take(decision);
      this.group.state = state;
    } catch (error) { say(error.message); }
  }

  async mark(verdict) {
    if (!this.group || !this.image) return;
    if (this.image.number === this.keeper) { say("This image is the keeper: choose another keeper first, by its number."); return; }
    for (const [number, word] of Object.entries(this.verdicts)) if (word === "later") this.verdicts[number] = "discard";
    this.verdicts[this.image.number] = verdict;
    await this.save();
    this.draw();
  }

  async keep(place) {
    const image = this.group?.images[place];
    if (!image) return;
    if (image.number !== this.keeper) {
      this.verdicts[this.keeper] = "discard";
      this.keeper = image.number;
      delete this.verdicts[image.number];
      if (this.image === image) this.selected = this.group.images.findIndex(each => each !== image);
    }
    await this.save();
    this.draw();
  }

  /** Decide the selected groups together, as one batch. */
  async many(verdict) {
    try {
      const {groups, changed} = await post("/api/decide-groups", {groups: [...this.list.picked], verdict});
      say(`${plural(groups, "group")} decided; u takes all of them back${changed ? `. ${plural(changed, "group")} left out: a file has changed or is gone` : ""}`);
      await this.list.reload(this.list.place);
      if (this.group?.state) await this.next();
    } catch (error) { say(error.message); }
  }

  async accept() {
    if (this.list.picked.size) { await this.many("discard"); return; }
    if (!this.group) return;
    for (const [number, word] of Object.entries(this.verdicts)) if (word === "later") this.verdicts[number] = "discard";
    await this.save();
    await this.next();
  }

  async all(verdict) {
    if (this.list.picked.size) { await this.many(verdict); return; }
    if (!this.group) return;
    for (const number of Object.keys(this.verdicts)) this.verdicts[number] = verdict;
    await this.save();
    await this.next();
  }

  async next() {
    await this.refreshCounts();
    if (!await this.list.nextUndecided()) { say("All groups of this list are decided."); this.draw(); }
  }

  async undo() {
    try {
      const {what} = await post("/api/take-back");
      say(what ? `taken back: ${what}` : "there is no decision to take back");
      const at = Number(/^group ([0-9]+)/.exec(what)?.[1]);
      const {place} = at ? await get(`/api/groups/${at}/place`, this.list.query()) : {place: null};
      await this.list.reload(place ?? this.list.place);
    } catch (error) { say(error.message); }
  }

  async refreshCounts() {
    const found = await get("/api/groups", {...this.list.query(), start: 0, number: 1});
    this.list.showStates(found.states);
  }

  run(what) {
    return {
      accept: () => this.accept(), discard: () => this.mark("discard"), both: () => this.mark("both"), apart: () => this.mark("apart"),
      none: () => this.all("apart"), later: () => this.all("later"), undo: () => this.undo(),
    }[what]();
  }
}

/** The facts that differ between two images, and below them the equal ones. */
export function factsTable(a, b, tags = [{}, {}]) {
  if (!a || !b) return element("p", {}, "One image.");
  const [first, second] = [{...factsOf(a), ...tags[0]}, {...factsOf(b), ...tags[1]}];
  const names = [...Object.keys(LABELS), ...new Set([...Object.keys(tags[0]), ...Object.keys(tags[1])])];
  const rows = names.filter(name => first[name] !== undefined || second[name] !== undefined);
  const differing = rows.filter(name => first[name] !== second[name]);
  const equal = rows.filter(name => first[name] === second[name]);
  const row = name => element("tr", {},
    element("th", {scope: "row"}, LABELS[name] || name), element("td", {}, element("bdi", {}, first[name] ?? "–")), element("td", {}, element("bdi", {}, second[name] ?? "–")));
  return element("div", {},
    element("table", {}, element("thead", {}, element("tr", {}, element("td", {}), element("th", {scope: "col"}, "keeper"), element("th", {scope: "col"}, "this image"))),
      element("tbody", {}, ...differing.map(row))),
    equal.length ? element("details", {}, element("summary", {}, `${equal.length} equal`), element("table", {}, element("tbody", {}, ...equal.map(row)))) : null);
}

function factsOf(image) {
  const facts = {
    name: image.name, format: image.format || undefined, bytes: bytes(image.bytes), pixels: `${image.width}×${image.height}`,
    modified: new Date(image.mtime_ns / 1e6).toLocaleString(), warning: image.warning || undefined,
  };
  for (const [name, value] of Object.entries(image.traits)) if (LABELS[name] && !(name in facts)) facts[name] = value === true ? "yes" : String(value);
  return facts;
}
