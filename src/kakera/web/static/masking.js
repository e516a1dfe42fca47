// Which patches are hidden, and what a model makes of the others: one question at a time, the newest next.
import { AGAIN, postJson } from "./api.js";
import { onGrid, stretched } from "./grid.js";
import { change, coloursOf, colourWords, refresh, shown, stamp, state } from "./state.js";

/** The model that draws the mask; another one gets the same patches, by position. */
export const leader = () => shown().find((model) => model.reconstructs);

/** Whether a stroke across the picture paints. */
export const painting = () => Boolean(state.hiding && leader());

/** One for each column. */
const lanes = [1, 2].map(() => ({ busy: false, key: "", result: null, error: null, of: "" }));

const drawnKey = () => `${state.mask.masking}-${state.mask.ratio}-${state.mask.seed}`;
const about = (model) => `${stamp(model)}/${state.picture}${colourWords(model)}`;

/** The hidden patches on the grid of a model; null while they are being drawn. @returns {Set<number> | null} */
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

/** What is known of the reconstruction in a column: `current` when it is of the mask that is wanted now. */
export function reconstruction(column, model) {
  const lane = lanes[column - 1];
  const drawing = !state.painted && model === leader();
  const hidden = drawing ? null : hiddenOn(model);
  const key = `${about(model)}/${drawing ? drawnKey() : hidden ? [...hidden].sort((a, b) => a - b).join(",") : "?"}`;
  if (lane.key !== key && !lane.busy && (drawing || hidden)) {
    const mask = drawing ? state.mask : { hidden: [...hidden] };
    ask(lane, key, about(model), { model: model.id, picture: state.picture, shown: coloursOf(model), ...mask });
  }
  const usable = lane.of === about(model);
  const current = lane.key === key;
  return { key, current, result: usable ? lane.result : null, error: current ? lane.error : null };
}

/** The question that the reconstruction in a column answers. */
export function maskOf(column, model) {
  const { current, result } = reconstruction(column, model);
  return current && result ? { model: model.id, picture: state.picture, hidden: result.hidden } : null;
}

/** Draws a mask anew with another kind, ratio or seed. */
export function drawMask(values) {
  change({ mask: { ...state.mask, ...values }, painted: null });
}

/** Hides patches of a model, or shows them again. @param {Iterable<number>} patches */
export function paint(model, patches, hide) {
  const grid = { rows: model.rows, cols: model.cols };
  const hidden = hiddenOn(model) ?? new Set();
  const covered = state.brush === "patch" ? patches : stretched(grid, patches, state.brush);
  for (const patch of covered) hide ? hidden.add(patch) : hidden.delete(patch);
  change({ painted: { grid, patches: hidden } });
}
