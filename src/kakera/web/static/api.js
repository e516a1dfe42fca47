// Requests to the server, and a cache of limited size for its answers. This module does not use the page.

/** An error message of the server; `lasting` is true if the same request would fail again. */
export class Refusal extends Error {
  constructor(message, lasting) {
    super(message);
    this.lasting = lasting;
  }
}

async function answer(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal("The server does not respond.", false);
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  const detail = typeof body.detail === "string" ? body.detail : `The server returned error ${response.status}.`;
  throw new Refusal(detail, response.status < 500);
}

export const getJson = async (path, signal) => (await answer(path, { signal, cache: "no-store" })).json();

/** @param {Blob} file @returns {Promise<{id: string}>} */
export const upload = async (file) => (await answer("api/pictures", { method: "POST", body: file })).json();

async function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  return answer(path, { method: "POST", headers, body: JSON.stringify(body) });
}

export const postJson = async (path, body) => (await post(path, body)).json();

/** Posts a request whose answer is a file. @returns {Promise<Blob>} */
export const postForFile = async (path, body) => (await post(path, body)).blob();

/** Packs rows of numbers into one array. @param {number[][]} lists */
export function pack(lists) {
  const columns = lists[0].length;
  const values = new Float32Array(lists.length * columns);
  lists.forEach((list, row) => values.set(list, row * columns));
  return { size: values.length, row: (number) => values.subarray(number * columns, (number + 1) * columns) };
}

/** Loads a picture. @returns {Promise<{image: ImageBitmap, size: number}>} */
export async function getPicture(path, signal) {
  const image = await createImageBitmap(await (await answer(path, { signal })).blob());
  return { image, size: 2 * image.width * image.height };
}

const MOST = 24e6; // cached numbers, about 100 MB
export const AGAIN = 3000; // ms until a failed request is sent again

/**
 * A cache of answers by key. Drawing code calls `want`; a missing answer is requested, and `changed` is called when it
 * arrives. A late answer never draws anything itself. Each drawing calls `begin`, then `want` for every answer in use,
 * then `end`: it cancels unused requests, and removes the least recently used answers if the cache is too large.
 */
export class Memory {
  #entries = new Map();
  #inUse = new Set();

  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
  }

  begin() {
    this.#inUse.clear();
  }

  /** @param {string} key @param {(signal: AbortSignal) => Promise<any>} ask @returns {{value?: any, error?: Refusal}} */
  want(key, ask) {
    this.#inUse.add(key);
    let entry = this.#entries.get(key);
    if (entry) {
      this.#entries.delete(key); // and insert it at the end: the most recently used
    } else {
      entry = { size: 0, calledOff: new AbortController() };
      this.#ask(key, entry, ask);
    }
    this.#entries.set(key, entry);
    return entry;
  }

  /** The cached answer, or undefined. */
  have(key) {
    return this.#entries.get(key)?.value;
  }

  async #ask(key, entry, ask) {
    try {
      entry.value = await ask(entry.calledOff.signal);
      entry.size = entry.value.size ?? 100;
    } catch (error) {
      if (entry.calledOff.signal.aborted) return;
      entry.error = error;
      if (!error.lasting) setTimeout(() => { this.#entries.delete(key); this.changed(); }, AGAIN);
    }
    this.changed();
  }

  end() {
    let total = 0;
    for (const [key, entry] of this.#entries) {
      total += entry.size;
      if (this.#inUse.has(key) || entry.value || entry.error) continue;
      entry.calledOff.abort();
      this.#entries.delete(key);
    }
    for (const [key, entry] of this.#entries) {
      if (total <= MOST) break;
      if (this.#inUse.has(key)) continue;
      total -= entry.size;
      this.#entries.delete(key);
    }
  }
}
