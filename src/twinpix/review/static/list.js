// The list of groups: only the rows on the screen exist, and only their parts of the list are fetched.

import {get, imageUrl} from "./api.js";
import {byId, bytes, element, number, pathElement, plural, relationWords} from "./text.js";

const ROW = 84;  // pixels, as in the style sheet
const PART = 50; // groups in one request
const STATES = {acted: "acted on"};
const PARTS = 40; // parts that are kept: 2,000 groups

export class List {
  constructor(choose) {
    this.choose = choose;
    this.filter = {};
    this.order = "bytes";
    this.count = 0;
    this.parts = new Map();
    this.place = -1;
    this.picked = new Set(); // numbers of the groups that are selected together
    this.from = -1;          // place at which the selection began
    this.box = byId("list");
    this.rows = byId("rows");
    this.box.addEventListener("scroll", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(this.box);
  }

  query() { return {...this.filter, order: this.order}; }

  async reload(place = 0) {
    this.parts.clear();
    this.unpick();
    this.place = -1;
    await this.fetch(Math.floor(Math.max(0, place) / PART));
    this.rows.style.height = `${this.count * ROW}px`;
    this.draw();
    await this.select(Math.min(Math.max(0, place), this.count - 1));
  }

  /** Fetch the list again and stay at the group that is shown. */
  async refresh() {
    const shown = this.at(this.place)?.id;
    const {place} = shown === undefined ? {place: null} : await get(`/api/groups/${shown}/place`, this.query());
    await this.reload(place ?? 0);
  }

  async fetch(part) {
    if (this.parts.has(part)) return this.parts.get(part);
    const asked = get("/api/groups", {...this.query(), start: part * PART, number: PART});
    this.parts.set(part, asked);
    const found = await asked;
    if (this.parts.size > PARTS) this.parts.delete(this.parts.keys().next().value);
    this.parts.set(part, found);
    this.count = found.count;
    byId("count").textContent = `${plural(found.count, "group")}, ${bytes(found.bytes)} to reclaim`;
    this.showStates(found.states);
    return found;
  }

  showStates(states) {
    const words = [[states.acted, "acted on"], [states.decided, "decided"], [states.later, "later"], [states[""], "undecided"]];
    byId("states").textContent = words.filter(([count]) => count).map(([count, word]) => `${number(count)} ${word}`).join(" · ");
  }

  at(place) {
    const part = this.parts.get(Math.floor(place / PART));
    return part && part.groups ? part.groups[place % PART] : undefined;
  }

  async select(place) {
    if (place < 0 || place >= this.count) return;
    this.place = place;
    const top = place * ROW;
    if (top < this.box.scrollTop || top + ROW > this.box.scrollTop + this.box.clientHeight)
      this.box.scrollTop = Math.max(0, top - this.box.clientHeight / 3);
    await this.fetch(Math.floor(place / PART));
    this.draw();
    const group = this.at(place);
    if (group) await this.choose(group.id, this);
  }

  /** Select groups from where the selection began to a place, which is shown. */
  async pickTo(place) {
    const to = Math.min(this.count - 1, Math.max(0, place));
    if (this.from < 0) this.from = this.place;
    const ids = [];
    for (let at = Math.min(this.from, to); at <= Math.max(this.from, to); at++) ids.push(await this.idAt(at));
    this.picked = new Set(ids.filter(id => id !== undefined));
    await this.select(to);
    this.showPicked();
  }

  /** Add a group to the selection, or take it out. */
  async pick(place) {
    const id = await this.idAt(place);
    if (this.from < 0) { this.from = this.place; this.picked.add(await this.idAt(this.place)); }
    if (!this.picked.delete(id)) this.picked.add(id);
    await this.select(place);
    this.showPicked();
  }

  unpick() {
    this.picked.clear();
    this.from = -1;
    this.showPicked();
  }

  showPicked() {
    byId("picked").textContent = this.picked.size ? `${plural(this.picked.size, "group")} selected: Enter accepts them, n not duplicates, l later, Esc ends the selection` : "";
    this.draw();
  }

  move(step) { return this.select(Math.min(this.count - 1, Math.max(0, this.place + step))); }

  /** The number of the group at a place, fetched if needed; undefined beyond the end. */
  async idAt(place) {
    if (place < 0 || place >= this.count) return undefined;
    await this.fetch(Math.floor(place / PART));
    return this.at(place)?.id;
  }

  /** Select the next group that is undecided, behind the selected one or from the top; false if there is none. */
  async nextUndecided() {
    for (let step = 1; step <= this.count; step++) {
      const place = (this.place + step) % this.count;
      await this.fetch(Math.floor(place / PART));
      if (this.at(place) && this.at(place).state === "") { await this.select(place); return true; }
    }
    return false;
  }

  setState(group, state) {
    for (const part of this.parts.values())
      for (const each of part.groups || []) if (each.id === group) each.state = state;
    this.draw();
  }

  draw() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / ROW) - 3);
    const last = Math.min(this.count, Math.ceil((this.box.scrollTop + this.box.clientHeight) / ROW) + 3);
    const shown = [];
    for (let place = first; place < last; place++) {
      const group = this.at(place);
      if (group) shown.push(this.row(place, group));
      else this.fetch(Math.floor(place / PART)).then(() => this.draw()).catch(() => {});
    }
    this.rows.replaceChildren(...shown);
    this.box.setAttribute("aria-activedescendant", `group-${this.at(this.place)?.id ?? ""}`);
  }

  async click(event, place) {
    if (event.shiftKey) await this.pickTo(place);
    else if (event.ctrlKey || event.metaKey) await this.pick(place);
    else { this.unpick(); await this.select(place); }
  }

  row(place, group) {
    const [keeper, other] = group.images;
    const words = [...new Set(group.images.slice(1).map(image => relationWords(image.relation)))].join(", ");
    const made = element("div", {
      class: this.picked.has(group.id) ? "row picked" : "row", role: "option", id: `group-${group.id}`,
      "aria-selected": String(place === this.place || this.picked.has(group.id)),
      "aria-posinset": place + 1, "aria-setsize": this.count, onclick: event => this.click(event, place),
    },
      element("img", {src: imageUrl(keeper.number, 320), alt: "", loading: "lazy"}),
      other ? element("img", {src: imageUrl(other.number, 320), alt: "", loading: "lazy"}) : null,
      element("div", {},
        pathElement(keeper.name, "b"),
        element("span", {}, `${plural(group.members, "image")}, ${bytes(group.bytes)}`),
        element("span", {}, words),
        group.state ? element("span", {class: `state ${group.state}`}, STATES[group.state] || group.state) : null));
    made.style.top = `${place * ROW}px`;
    return made;
  }
}
