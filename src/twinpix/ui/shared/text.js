// Elements, numbers and sizes in words, for the page of a report and for `review`. Text of a report is only ever set as
// text, never as HTML.

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter(child => child !== null && child !== undefined));
  return made;
}

export const byId = id => document.getElementById(id);

export function bytes(count) {
  let size = count;
  for (const unit of ["bytes", "kB", "MB", "GB"]) {
    if (size < 999.5) return unit === "bytes" ? `${count} ${count === 1 ? "byte" : unit}` : `${Number(size.toPrecision(3))} ${unit}`;
    size /= 1000;
  }
  return `${Number(size.toPrecision(3))} TB`;
}

export const number = count => count.toLocaleString("en");

export function plural(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}

// A name may be written from right to left, or have characters that change the direction of what follows.
export function pathElement(path, tag = "span") {
  const cut = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1;
  return element(tag, {title: path}, element("bdi", {}, path.slice(cut) || path));
}

export const folderOf = path => path.slice(0, Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")));

const RELATIONS = {
  "identical-file": "identical file", "identical-pixels": "identical pixels", "re-encoded": "re-encoded",
  "via-third": "matched via a third image", "similar-scene": "similar scene",
};
export const relationWords = relation => RELATIONS[relation] || relation;
