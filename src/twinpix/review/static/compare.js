// Images laid on each other: side by side, blink, curtain, overlay and difference, with one zoom for all.

import {AHEAD_HEADERS, get, imageUrl} from "./api.js";
import {byId, element, relationWords} from "./text.js";

export const MODES = [
  ["side", "Side by side"], ["grid", "All"], ["blink", "Blink"], ["curtain", "Curtain"], ["overlay", "Overlay"], ["difference", "Difference"],
];
const SIDES = [640, 1024, 1600, 2600, 4200]; // pixels of the longer side of reduced images
const SHARPER = 1.2;       // a larger image is loaded if one is enlarged by more than this
const AHEAD = 4;           // groups for which images are fetched ahead at once
const BLINK_SECONDS = 0.55;
const MOST = 4;            // images side by side
const ZOOM_STEP = 1.25, LEAST_ZOOM = 0.01, MOST_ZOOM = 64;

export class Compare {
  constructor(largest) {
    this.largest = largest;
    this.mode = "side";
    this.aligned = true;
    this.blend = {curtain: 50, overlay: 50};
    this.pairs = new Map();
    this.fetched = new Map(); // fetches ahead, by group: what ends them
    this.all = [];
    this.stage = byId("stage");
    this.fit = true;
    this.zoom = 1;
    this.x = this.y = 0;
    this.seen = "b";
    this.listen();
    new ResizeObserver(() => { if (this.fit) this.toFit(); else this.move(); }).observe(this.stage);
  }

  /** Show the keeper, another image of its group, and with the mode `grid` further ones. */
  async show(keeper, other, all) {
    const same = this.keeper?.number === keeper.number && this.other?.number === other?.number;
    this.keeper = keeper;
    this.other = other;
    this.all = all;
    this.placed = null;
    this.pending = Boolean(other);
    this.draw();
    if (!same) this.toFit();
    byId("words").textContent = other ? this.wordsOf(other) : "";
    if (!other) return;
    const wanted = `${keeper.number}-${other.number}`;
    try {
      const placed = await this.pair(keeper, other);
      if (this.wanted() !== wanted) return;
      this.placed = placed;
      this.pending = false;
      byId("words").textContent = this.wordsOf(other, placed);
    } catch (error) {
      if (this.wanted() !== wanted) return;
      this.pending = false;
      byId("words").textContent = `${this.wordsOf(other)}. They cannot be laid on each other: ${error.message}`;
    }
    this.draw();
  }

  wanted() { return `${this.keeper?.number}-${this.other?.number}`; }

  /** How `b` is laid on `a`; fetched once. */
  pair(a, b, ahead = false) {
    const key = `${a.number}-${b.number}`;
    if (!this.pairs.has(key)) {
      if (this.pairs.size > 500) this.pairs.delete(this.pairs.keys().next().value);
      const asked = get(`/api/pairs/${a.number}/${b.number}`, {}, undefined, ahead ? AHEAD_HEADERS : {});
      asked.catch(() => this.pairs.delete(key));
      this.pairs.set(key, asked);
    }
    return this.pairs.get(key);
  }

  /** Load what a group needs before it is shown; what was fetched for earlier groups, and has not come yet, is given up. */
  ahead(group) {
    if (this.fetched.has(group.id)) return;
    const end = new AbortController();
    this.fetched.set(group.id, end);
    if (this.fetched.size > AHEAD) {
      const [first] = this.fetched.keys();
      this.fetched.get(first).abort();
      this.fetched.delete(first);
    }
    const [keeper, other] = [group.images.find(image => image.number === group.keeper), group.images.find(image => image.number !== group.keeper)];
    for (const image of [keeper, other].filter(Boolean)) this.load(imageUrl(image.number, this.sideOf(image)), end.signal);
    if (keeper && other) this.pair(keeper, other, true).catch(() => {});
  }

  /** Fetch and decode an image, less urgently than what is on the screen. */
  async load(url, signal) {
    try {
      const response = await fetch(url, {headers: AHEAD_HEADERS, signal});
      await response.blob();
      const image = new Image();
      image.src = url; // from the cache of the browser
      await image.decode();
    } catch { /* it is asked for again when it is shown, and then its reason is shown too */ }
  }

  wordsOf(image, placed = null) {
    const relation = image.detail || relationWords(image.relation);
    const agrees = image.agrees !== null ? `, ${Math.round(100 * image.agrees)}% of the overlap agrees` : "";
    if (image.relation) return `${relation}${agrees}`;
    return placed ? placed.words : "";
  }

  /** Pixels of the longer side of the image to load, so that it is sharp at a zoom; at first, where all of it is shown. */
  sideOf(image, zoom = this.zoomToFit(image)) {
    const most = Math.min(Math.max(image.width, image.height, 1), this.largest);
    const shown = zoom * devicePixelRatio * Math.max(image.width, image.height);
    return Math.min(most, SIDES.find(side => SHARPER * side >= shown) || most);
  }

  zoomToFit(image) {
    const count = this.mode === "side" ? 2 : this.mode === "grid" ? Math.min(MOST, this.all.length) : 1;
    return Math.min(this.stage.clientWidth / count / Math.max(1, image.width), this.stage.clientHeight / Math.max(1, image.height)) || 1;
  }

  // -- what is drawn

  draw() {
    clearInterval(this.timer);
    for (const [mode] of MODES) byId(`mode-${mode}`)?.setAttribute("aria-pressed", String(mode === this.mode));
    byId("aligned").checked = this.aligned;
    const blends = this.mode === "curtain" || this.mode === "overlay";
    byId("blend-box").hidden = !blends;
    if (blends) { byId("blend").value = this.blend[this.mode]; byId("blend-name").textContent = this.mode === "curtain" ? "curtain" : "transparency"; }
    if (!this.keeper) { this.stage.replaceChildren(); return; }
    const panes = {side: () => this.sides([this.keeper, this.other].filter(Boolean)), grid: () => this.sides(this.all.slice(0, MOST))}[this.mode];
    this.stage.replaceChildren(...(panes ? panes() : [this.layers()]));
    this.stage.setAttribute("aria-label", this.label());
    this.move();
  }

  label() {
    const names = [this.keeper, this.other].filter(Boolean).map(image => image.name).join(" and ");
    return `${MODES.find(([mode]) => mode === this.mode)[1]}: ${names}`;
  }

  sides(images) {
    return images.map(image => {
      const pane = element("div", {class: "pane"}, element("div", {class: "plane"}, this.picture(image)), this.caption(image));
      return pane;
    });
  }

  layers() {
    const pane = element("div", {class: "pane"});
    const plane = element("div", {class: this.mode === "difference" ? "plane faded" : "plane"}, this.picture(this.keeper));
    pane.append(plane);
    if (!this.other) return pane;
    const top = this.picture(this.other);
    if (this.mode !== "curtain") top.classList.add("edged");
    if (this.mode === "blink") {
      plane.append(top);
      const caption = this.caption(this.other);
      pane.append(caption);
      const turn = () => {
        this.seen = this.seen === "a" ? "b" : "a";
        top.style.visibility = this.seen === "b" ? "visible" : "hidden";
        caption.textContent = (this.seen === "b" ? this.other : this.keeper).name;
      };
      turn();
      if (!matchMedia("(prefers-reduced-motion: reduce)").matches) this.timer = setInterval(turn, 1000 * BLINK_SECONDS);
      pane.addEventListener("click", turn);
    } else if (this.mode === "curtain") {
      const second = element("div", {class: "plane top"}, top);
      const cut = element("div", {class: "cut"}, second);
      pane.append(cut, element("div", {class: "handle"}), this.caption(this.other));
    } else if (this.mode === "overlay") {
      top.style.opacity = this.blend.overlay / 100;
      plane.append(top);
      pane.append(this.caption(this.other));
    } else {
      plane.append(this.heat());
      pane.append(this.caption(this.other));
    }
    return pane;
  }

  caption(image) {
    const role = image === this.keeper ? "keeper" : relationWords(image.relation);
    return element("div", {class: "caption"}, element("bdi", {}, image.name), ` · ${image.width}×${image.height}${role ? ` · ${role}` : ""}`);
  }

  /** An image in the coordinates of the keeper, or of its own file. */
  picture(image) {
    const box = element("img", {alt: image.name, draggable: "false"});
    box.addEventListener("error", () => this.unreadable(box, image));
    const side = this.sideOf(image, this.fit ? undefined : this.zoom);
    box.src = imageUrl(image.number, side);
    box.dataset.image = image.number;
    box.dataset.side = side;
    box.style.width = `${image.width}px`;
    box.style.height = `${image.height}px`;
    box.style.transform = this.matrixOf(image);
    if (this.pending && this.aligned && image === this.other) box.classList.add("pending");
    return box;
  }

  async unreadable(box, image) {
    const response = await fetch(imageUrl(image.number, 320));
    const reason = response.ok ? "" : await response.text();
    const pane = box.closest(".pane");
    if (pane && reason) pane.append(element("p", {class: "notice"}, `${image.name} cannot be shown: ${reason}`));
    box.remove();
  }

  matrixOf(image) {
    if (image === this.keeper) return "none";
    if (this.aligned && image === this.other && this.placed) return `matrix(${this.placed.b_to_a.join(",")})`;
    if (this.aligned && this.mode === "grid") {
      this.pair(this.keeper, image).then(placed => {
        for (const box of this.stage.querySelectorAll(`img[data-image="${image.number}"]`)) box.style.transform = `matrix(${placed.b_to_a.join(",")})`;
      }).catch(() => {});
    }
    const scale = Math.min(this.keeper.width / image.width, this.keeper.height / image.height);
    return `scale(${scale})`;
  }

  heat() {
    const box = element("img", {alt: "places that differ", draggable: "false", class: "pending"});
    const {keeper, other} = this;
    fetch(`/differences/${keeper.number}/${other.number}`).then(async response => {
      if (!response.ok) throw new Error(await response.text());
      const facts = JSON.parse(response.headers.get("x-facts"));
      box.src = URL.createObjectURL(await response.blob());
      box.addEventListener("load", () => { URL.revokeObjectURL(box.src); box.classList.remove("pending"); }, {once: true});
      box.style.transform = `matrix(${facts.to_a.join(",")})`;
      const blocks = facts.differing ? `${facts.differing} of ${facts.blocks} blocks do not agree` : `all ${facts.blocks} blocks agree`;
      if (this.mode === "difference" && this.other === other) byId("words").textContent = `${this.wordsOf(other)}; ${blocks} after light and colour are evened`;
    }).catch(error => { byId("words").textContent = error.message; });
    return box;
  }

  // -- zoom and position, the same in all panes

  toFit() {
    const pane = this.stage.querySelector(".pane");
    if (!pane || !this.keeper) return;
    this.fit = true;
    this.zoom = Math.min(pane.clientWidth / this.keeper.width, pane.clientHeight / this.keeper.height) || 1;
    this.x = (pane.clientWidth - this.zoom * this.keeper.width) / 2;
    this.y = (pane.clientHeight - this.zoom * this.keeper.height) / 2;
    this.move();
  }

  toPixels() { this.zoomTo(1 / devicePixelRatio); }

  zoomBy(steps, at = null) { this.zoomTo(this.zoom * ZOOM_STEP ** steps, at); }

  zoomTo(zoom, at = null) {
    const pane = this.stage.querySelector(".pane");
    if (!pane) return;
    const [x, y] = at || [pane.clientWidth / 2, pane.clientHeight / 2];
    const next = Math.min(MOST_ZOOM, Math.max(LEAST_ZOOM, zoom));
    this.x = x - (x - this.x) * next / this.zoom;
    this.y = y - (y - this.y) * next / this.zoom;
    this.zoom = next;
    this.fit = false;
    this.move();
  }

  move() {
    const transform = `translate(${this.x}px, ${this.y}px) scale(${this.zoom})`;
    const sharp = this.zoom * devicePixelRatio >= 2;
    for (const plane of this.stage.querySelectorAll(".plane")) {
      plane.style.transform = transform;
      plane.style.setProperty("--zoom", this.zoom);
      plane.classList.toggle("sharp", sharp);
    }
    byId("zoom").textContent = this.fit ? "fit" : `${Math.round(100 * this.zoom * devicePixelRatio)}%`;
    this.cut();
    this.sharpen();
  }

  cut() {
    const cut = this.stage.querySelector(".cut");
    if (!cut) return;
    const pane = cut.parentElement;
    const at = Math.round(pane.clientWidth * this.blend.curtain / 100);
    cut.style.width = `${pane.clientWidth}px`;
    cut.style.height = `${pane.clientHeight}px`;
    cut.style.clipPath = `inset(0 0 0 ${at}px)`;
    pane.querySelector(".handle").style.left = `${at}px`;
  }

  /** Load larger images when their pixels become visible. */
  sharpen() {
    for (const box of this.stage.querySelectorAll("img[data-image]")) {
      const image = this.all.find(each => String(each.number) === box.dataset.image);
      const side = image ? this.sideOf(image, this.zoom) : 0;
      if (side <= Number(box.dataset.side)) continue;
      box.dataset.side = side;
      const loaded = new Image();
      loaded.src = imageUrl(image.number, side);
      loaded.decode().then(() => { if (Number(box.dataset.side) === side) box.src = loaded.src; }).catch(() => {});
    }
  }

  set(mode) { this.mode = this.mode === mode && mode !== "side" ? "side" : mode; this.draw(); if (this.fit) this.toFit(); }

  next() { this.set(MODES[(MODES.findIndex(([mode]) => mode === this.mode) + 1) % MODES.length][0]); }

  listen() {
    byId("modes").replaceChildren(...MODES.map(([mode, words]) =>
      element("button", {type: "button", id: `mode-${mode}`, onclick: () => this.set(mode)}, words)));
    byId("aligned").addEventListener("change", event => { this.aligned = event.target.checked; this.draw(); });
    byId("blend").addEventListener("input", event => {
      this.blend[this.mode] = Number(event.target.value);
      if (this.mode === "overlay") this.stage.querySelectorAll(".plane img")[1].style.opacity = this.blend.overlay / 100;
      else this.cut();
    });
    byId("zoom-in").addEventListener("click", () => this.zoomBy(1));
    byId("zoom-out").addEventListener("click", () => this.zoomBy(-1));
    byId("zoom-fit").addEventListener("click", () => this.toFit());
    byId("zoom-pixels").addEventListener("click", () => this.toPixels());
    this.stage.addEventListener("wheel", event => {
      event.preventDefault();
      const pane = event.target.closest(".pane");
      if (!pane) return;
      const box = pane.getBoundingClientRect();
      this.zoomBy(-Math.sign(event.deltaY), [event.clientX - box.left, event.clientY - box.top]);
    }, {passive: false});
    this.stage.addEventListener("pointerdown", event => this.drag(event));
  }

  drag(start) {
    const pane = start.target.closest(".pane");
    if (!pane || start.button !== 0) return;
    const box = pane.getBoundingClientRect();
    const curtain = this.mode === "curtain" && Math.abs(start.clientX - box.left - pane.clientWidth * this.blend.curtain / 100) < 24;
    const from = [this.x - start.clientX, this.y - start.clientY];
    pane.setPointerCapture(start.pointerId);
    pane.classList.add("dragged");
    const moved = event => {
      if (curtain) {
        this.blend.curtain = Math.min(100, Math.max(0, 100 * (event.clientX - box.left) / pane.clientWidth));
        byId("blend").value = this.blend.curtain;
        this.cut();
      } else {
        [this.x, this.y] = [from[0] + event.clientX, from[1] + event.clientY];
        this.fit = false;
        this.move();
      }
    };
    const ended = () => {
      pane.classList.remove("dragged");
      pane.removeEventListener("pointermove", moved);
      pane.removeEventListener("pointerup", ended);
      pane.removeEventListener("pointercancel", ended);
    };
    pane.addEventListener("pointermove", moved);
    pane.addEventListener("pointerup", ended);
    pane.addEventListener("pointercancel", ended);
  }
}
