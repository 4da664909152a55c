// Messages about what was done, for some seconds.

import {byId} from "./text.js";

const SHOWN_MS = 6000;

let timer = 0;
export function say(text) {
  byId("message").textContent = text;
  clearTimeout(timer);
  timer = setTimeout(() => { byId("message").textContent = ""; }, SHOWN_MS);
}
