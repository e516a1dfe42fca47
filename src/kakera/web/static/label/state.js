// The state of the page, and its requests. A click counts only when the server has answered it.
import { getJson, postJson } from "../api.js";

const MOST = 500; // files to go back to

export const state = {
  /** files to label, the current one first: {file, name, label, predicted, likely} */
  queue: [],
  /** files that this page has labelled or skipped, the oldest first */
  history: [],
  /** index in the history of the shown file; null: the first of the queue */
  back: null,
  /** a file that was selected on the map; null without */
  single: null,
  /** several files that were selected on the map */
  many: [],
  progress: null,
  /** true while a request is on its way or the picture is not yet shown */
  busy: false,
};

function session() {
  let id = null;
  try {
    id = sessionStorage.getItem("kakera-session");
  } catch {
    // storage is switched off: the id lasts as long as the page
  }
  id ??= Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  try {
    sessionStorage.setItem("kakera-session", id);
  } catch {
    // see above
  }
  return id;
}

const own = session();

/** The file that is shown; undefined if none is left. */
export function shown() {
  if (state.single) return state.single;
  return state.back === null ? state.queue[0] : state.history[state.back];
}

/** The files that the next click labels. */
export const marked = () => (state.many.length ? state.many : shown() ? [shown().file] : []);

/** Fetches the next files. */
export async function fetchBatch(choose) {
  const answer = await postJson("api/batch", { session: own, choose });
  state.queue = answer.files;
  state.progress = answer.progress;
}

export async function fetchProgress() {
  state.progress = await getJson("api/progress");
}

/** Labels the marked files; "" skips them. @returns {Promise<{files: number[], before?: object, notes: string[]}>} */
export async function label(name, person) {
  const files = marked();
  const before = state.many.length ? undefined : shown();
  const answer = await postJson("api/label", { session: own, files, label: name, person });
  state.progress = answer.progress;
  const done = new Set(files);
  if (before) {
    const entry = { ...before, label: name };
    const place = state.history.findIndex(({ file }) => file === entry.file);
    if (place >= 0) state.history[place] = entry;
    else state.history.push(entry);
    if (state.history.length > MOST) state.history.shift();
    if (state.back !== null) state.back = state.back + 1 < state.history.length ? state.back + 1 : null;
  }
  state.queue = state.queue.filter(({ file }) => !done.has(file));
  state.single = null;
  state.many = [];
  return { files, before, notes: answer.notes };
}

/** Takes back the last click of this page. */
export async function undo() {
  const answer = await postJson("api/undo", { session: own });
  state.progress = answer.progress;
  const files = new Set(answer.files.map(({ file }) => file));
  state.history = state.history.filter(({ file }) => !files.has(file));
  state.queue = [...answer.files.filter((each) => each.label === null), ...state.queue.filter(({ file }) => !files.has(file))];
  Object.assign(state, { back: null, single: null, many: [] });
  if (answer.files.length === 1 && answer.files[0].label !== null) state.single = answer.files[0];
  return answer.files;
}

/** Shows one file of the map. */
export async function select(file) {
  state.single = await getJson(`api/files/${file}`);
  state.many = [];
}

/** Goes through the files that this page has labelled. */
export function step(by) {
  if (state.single || state.many.length) {
    Object.assign(state, { single: null, many: [] });
    return;
  }
  const at = (state.back ?? state.history.length) + by;
  if (at < 0) return;
  state.back = at >= state.history.length ? null : at;
}
