// Requests to the server of this page. A refusal is thrown as an Error with the reason in words.

async function answer(response) {
  if (response.ok) return response.json();
  const text = await response.text();
  let reason = text;
  try { reason = JSON.parse(text).error || text; } catch { /* plain text */ }
  throw new Error(reason || `the server answered ${response.status}`);
}

/** Marks a request for what may be shown next: the server answers what is on the screen first. */
export const AHEAD_HEADERS = {"x-ahead": "1"};

export async function get(path, parameters = {}, signal = undefined, headers = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== "" && value !== undefined && value !== null));
  const text = query.toString();
  return answer(await fetch(text ? `${path}?${text}` : path, {signal, headers}));
}

export async function post(path, body = {}) {
  return answer(await fetch(path, {method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify(body)}));
}

export const imageUrl = (image, side) => `/images/${image}?side=${side}`;
