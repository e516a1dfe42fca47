// Questions to the server, and a bounded memory of its answers. Nothing here knows the page.

/** What the server says against a question, in its own words; `lasting` when asking again would not help. */
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
    throw new Refusal("The server does not answer.", false);
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  const detail = typeof body.detail === "string" ? body.detail : `The server answered with error ${response.status}.`;
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

/** A file in answer. @returns {Promise<Blob>} */
export const postForFile = async (path, body) => (await post(path, body)).blob();

/** Rows of numbers, packed. @param {number[][]} lists */
export function pack(lists) {
  const columns = lists[0].length;
  const values = new Float32Array(lists.length * columns);
  lists.forEach((list, row) => values.set(list, row * columns));
  return { size: values.length, row: (number) => values.subarray(number * columns, (number + 1) * columns) };
}

/** A picture to draw from, and the same in grey. @returns {Promise<{image: ImageBitmap, grey: HTMLCanvasElement}>} */
export async function getPicture(path, signal) {
  const image = await createImageBitmap(await (await answer(path, { signal })).blob());
  const grey = document.createElement("canvas");
  grey.width = image.width;
  grey.height = image.height;
  const context = grey.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, grey.width, grey.height);
  for (let i = 0; i < pixels.data.length; i += 4) {
    const mean = (pixels.data[i] + pixels.data[i + 1] + pixels.data[i + 2]) / 3;
    pixels.data.fill(mean, i, i + 3);
  }
  context.putImageData(pixels, 0, 0);
  return { image, grey, size: image.width * image.height };
}

const MOST = 24e6; // numbers kept, about 100 MB
export const AGAIN = 3000; // ms until a question without an answer is asked once more

/**
 * Answers by key. A drawing takes what it wants; what is not there yet is asked for, and `changed` is called when it
 * arrives. So a late answer never draws anything: it only waits to be wanted again. Between `begin` and `end` of a
 * drawing all that is in use is wanted; the rest is called off, or forgotten, oldest first, when it grows too large.
 */
export class Memory {
  #entries = new Map();
  #wanted = new Set();

  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
  }

  begin() {
    this.#wanted.clear();
  }

  /** @param {string} key @param {(signal: AbortSignal) => Promise<any>} ask @returns {{value?: any, error?: Refusal}} */
  want(key, ask) {
    this.#wanted.add(key);
    let entry = this.#entries.get(key);
    if (entry) {
      this.#entries.delete(key); // and to the end: used last
    } else {
      entry = { size: 0, calledOff: new AbortController() };
      this.#ask(key, entry, ask);
    }
    this.#entries.set(key, entry);
    return entry;
  }

  /** The answer, where there is one already. */
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
      if (this.#wanted.has(key) || entry.value || entry.error) continue;
      entry.calledOff.abort();
      this.#entries.delete(key);
    }
    for (const [key, entry] of this.#entries) {
      if (total <= MOST) break;
      if (this.#wanted.has(key)) continue;
      total -= entry.size;
      this.#entries.delete(key);
    }
  }
}
