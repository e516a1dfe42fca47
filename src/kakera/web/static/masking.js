// The hidden patches and their reconstruction. One request runs at a time; the newest mask comes next.
import { AGAIN, postJson } from "./api.js";
import { onGrid, stretched } from "./grid.js";
import { change, coloursOf, colourWords, refresh, shown, stamp, state } from "./state.js";

/** The model whose mask is drawn; the other model receives the same patches, by position. */
export const leader = () => shown().find((model) => model.reconstructs);

/** True if a stroke across the picture hides or shows patches. */
export const painting = () => Boolean(state.hiding && leader());

/** The running request and the last answer of each column. */
const lanes = [1, 2].map(() => ({ busy: false, key: "", result: null, error: null, of: "" }));

const drawnKey = () => `${state.mask.masking}-${state.mask.ratio}-${state.mask.seed}`;
const about = (model) => `${stamp(model)}/${state.picture}${colourWords(model)}`;

/** The hidden patches on the grid of a model; null until the server has drawn the mask. @returns {Set<number> | null} */
export function hiddenOn(model) {
  if (state.painted) return onGrid(state.painted.patches, state.painted.grid, model);
  const lead = leader();
  const lane = lanes[shown().indexOf(lead)];
  if (!lead || lane.key !== `${about(lead)}/${drawnKey()}` || !lane.result) return null;
  return onGrid(new Set(lane.result.hidden), lead, model);
}

async function picture(source) {
  const image = new Image();
  image.src = source;
  await image.decode();
  return image;
}

async function ask(lane, key, of, body) {
  Object.assign(lane, { busy: true });
  let result = null;
  let error = null;
  try {
    result = await postJson("api/reconstruct", body);
    [result.masked, result.prediction] = await Promise.all([picture(result.masked), picture(result.prediction)]);
  } catch (refusal) {
    error = refusal;
    result = null;
  }
  Object.assign(lane, { busy: false, key, of, result, error });
  if (error && !error.lasting) setTimeout(() => { lane.key = ""; refresh(); }, AGAIN);
  refresh();
}

/** Why a mask leaves nothing to predict, or nothing to predict it from. */
function nothingToDo(hidden, count) {
  if (hidden === 0) return { message: "No patch is hidden: there is nothing to predict. Hide some patches." };
  if (hidden === count) return { message: `All ${count} patches are hidden: the model sees nothing. Show some patches.` };
  return null;
}

/** The reconstruction in a column; `current` is true if it belongs to the present mask. */
export function reconstruction(column, model) {
  const lane = lanes[column - 1];
  const drawing = !state.painted && model === leader();
  const hidden = drawing ? null : hiddenOn(model);
  const refusal = hidden && nothingToDo(hidden.size, model.rows * model.cols);
  const key = `${about(model)}/${drawing ? drawnKey() : hidden ? [...hidden].sort((a, b) => a - b).join(",") : "?"}`;
  if (refusal) return { key, current: true, result: null, error: refusal };
  if (lane.key !== key && !lane.busy && (drawing || hidden)) {
    const mask = drawing ? state.mask : { hidden: [...hidden] };
    ask(lane, key, about(model), { model: model.id, picture: state.picture, shown: coloursOf(model), ...mask });
  }
  const usable = lane.of === about(model);
  const current = lane.key === key;
  return { key, current, result: usable ? lane.result : null, error: current ? lane.error : null };
}

/** The request whose answer is the reconstruction in a column. */
export function maskOf(column, model) {
  const { current, result } = reconstruction(column, model);
  return current && result ? { model: model.id, picture: state.picture, hidden: result.hidden } : null;
}

/** Draws a new mask with another kind, ratio or seed. */
export function drawMask(values) {
  change({ mask: { ...state.mask, ...values }, painted: null });
}

/** Hides or shows patches of a model. @param {Iterable<number>} patches */
export function paint(model, patches, hide) {
  const grid = { rows: model.rows, cols: model.cols };
  const hidden = hiddenOn(model) ?? new Set();
  const covered = state.brush === "patch" ? patches : stretched(grid, patches, state.brush);
  for (const patch of covered) hide ? hidden.add(patch) : hidden.delete(patch);
  change({ painted: { grid, patches: hidden } });
}

/** Hides all patches, none of them, or those that are visible now. @param {"all" | "none" | "others"} which */
export function hideAll(which) {
  const { rows, cols } = leader();
  const hidden = hiddenOn(leader()) ?? new Set();
  const hides = { all: () => true, none: () => false, others: (patch) => !hidden.has(patch) }[which];
  const patches = Array.from({ length: rows * cols }, (_, i) => i + 1).filter(hides);
  change({ painted: { grid: { rows, cols }, patches: new Set(patches) } });
}
