// The keyboard: every act of the page has a key, none of which a browser uses itself.

import {byId} from "./text.js";

const TEXT = ["INPUT", "SELECT", "TEXTAREA"];

export function listen({list, compare, decide, help}) {
  const keys = {
    ArrowDown: () => list.move(1), j: () => list.move(1), ArrowUp: () => list.move(-1), k: () => list.move(-1),
    ArrowRight: () => decide.select(decide.selected + 1), ArrowLeft: () => decide.select(decide.selected - 1), h: () => decide.select(decide.selected - 1),
    Enter: () => decide.accept(), d: () => decide.mark("discard"), s: () => decide.mark("both"), x: () => decide.mark("apart"),
    n: () => decide.all("apart"), l: () => decide.all("later"), u: () => decide.undo(),
    b: () => compare.set("blink"), c: () => compare.set("curtain"), o: () => compare.set("overlay"), f: () => compare.set("difference"), g: () => compare.set("grid"),
    v: () => compare.next(), a: () => byId("aligned").click(), "+": () => compare.zoomBy(1), "=": () => compare.zoomBy(1), "-": () => compare.zoomBy(-1), "−": () => compare.zoomBy(-1),
    0: () => compare.toFit(), p: () => compare.toPixels(), e: () => { byId("facts").open = !byId("facts").open; },
    J: () => list.pickTo(list.place + 1), K: () => list.pickTo(list.place - 1), Escape: () => list.unpick(),
    "/": () => byId("search").focus(), "?": help,
  };
  for (let place = 1; place <= 9; place++) keys[place] = () => decide.keep(place - 1);
  // After a click with the mouse, Enter is for the group again and not for the button.
  addEventListener("click", event => { if (event.detail > 0 && !document.querySelector("dialog[open]")) event.target.closest("button")?.blur(); });
  let working = Promise.resolve();
  addEventListener("keydown", event => {
    if (document.querySelector("dialog[open]")) return;
    if (TEXT.includes(event.target.tagName) && event.target.type !== "checkbox" && event.target.type !== "range") {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (event.target.type === "range" && event.key.startsWith("Arrow")) return;
    if ((event.ctrlKey || event.metaKey) && event.key === "z") { event.preventDefault(); working = working.then(() => decide.undo()); return; }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const picking = {ArrowDown: keys.J, ArrowUp: keys.K}[event.key];
    const act = event.shiftKey && picking ? picking : keys[event.key];
    if (!act) return;
    if (event.key === "Enter" && event.target.closest("button, summary, a") && !event.target.closest(".member")) return; // its own click
    event.preventDefault();
    working = working.then(act).catch(error => console.error(error)); // one after the other, however fast they are typed
  });
}
