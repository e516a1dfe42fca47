// The choices on the page. `change` writes them and redraws the page.
import { getJson, Memory } from "./api.js";
import { sameLayer } from "./grid.js";

/** The first mask. */
export const FIRST_MASK = { ratio: 0.75, seed: 0, masking: "random" };

export const state = {
  models: [],
  samples: [],
  /** uploads of this page: {id, name}, newest first */
  uploads: [],
  model: "",
  compare: "",
  /** the id; for a recording followed by @ and the window number, from the second window on */
  picture: "",
  /** layer of the attention: 1 … layers of the first model, or "rollout"; null: the last */
  layer: null,
  /** attention head from 1; 0: the mean of all heads */
  head: 0,
  /** layer of the similarity: 0 … layers, or "raw"; null: the last */
  near: null,
  fromClass: false,
  /** the selected patch of the maps, and the patch under the cursor, as places */
  at: { x: 0.5, y: 0.5 },
  cursor: null,
  pinned: false,
  beneath: true,
  /** class of the relevance map; empty: the predicted class */
  target: "",
  hiding: false,
  /** the settings of a random mask, or, once painted, the hidden patches of a grid */
  mask: FIRST_MASK,
  painted: null,
  /** what a stroke hides: the patches under it, or whole rows or columns */
  brush: "patch",
  /** channels shown as red, green and blue, for models that take neither 1 nor 3 */
  channels: [1, 2, 3],
};

let draw = () => {};
let planned = false;

/** Redraws the page at the next frame. */
export function refresh() {
  if (planned) return;
  planned = true;
  requestAnimationFrame(() => {
    planned = false;
    memory.begin();
    draw();
    memory.end();
  });
}

export const memory = new Memory(refresh);

/** @param {() => void} whatDraws */
export function drawWith(whatDraws) {
  draw = whatDraws;
}

export function change(values) {
  Object.assign(state, values);
  refresh();
}

const find = (id) => state.models.find((model) => model.id === id);

/** A recording as a model receives it: grid without padding, axes, windows. Requested while drawing. */
export const sceneOf = (model) =>
  memory.want(sceneKey(model), async (signal) => {
    const words = new URLSearchParams({ model: model.id, picture: state.picture });
    return { facts: await getJson(`api/scene?${words}`, signal) };
  });

const sceneKey = (model) => `scene/${model.id}/${state.picture}`;

/** A model of recordings with the grid of the chosen recording, without padding. */
function placed(model) {
  if (!model?.sound) return model;
  const scene = memory.have(sceneKey(model));
  if (!scene) return { ...model, waiting: true };
  if (scene.of !== model) Object.assign(scene, { of: model, placed: { ...model, ...scene.facts } });
  return scene.placed;
}

/** The shown models: one, or two side by side. */
export const shown = () => [find(state.model), find(state.compare)].filter(Boolean).map(placed);

/** The model whose layers, heads and patches the controls show: the first with attention. */
export const guide = () => shown().find((model) => model.has_attention) ?? shown()[0];

/** The patches of a column: a CNN has no patches and uses the grid of the model beside it. */
export const gridOf = (model) => (model.has_attention ? model : guide());

/** The chosen layer, as the model of a column counts it. */
export function layerOf(which, model) {
  const first = guide();
  return sameLayer(state[which] ?? first.layers, first, model);
}

/** True if the page offers a choice of channels for the pictures of a model. */
export const chooses = (model) => Boolean(model && !model.sound && model.channels !== 1 && model.channels !== 3);

/** The channels of a model shown as red, green and blue; empty if there is nothing to choose. */
export const coloursOf = (model) =>
  chooses(model) ? state.channels.map((number) => Math.min(number, model.channels)) : [];

/** The same as part of a request address. */
export const colourWords = (model) => coloursOf(model).map((number) => `&shown=${number}`).join("");

/** The id and step of the weights, part of cache keys: after a checkpoint of a run in training, answers are requested again. */
export const stamp = (model) => `${model.id}@${model.step ?? "end"}`;

/** Resets choices that the open models do not have. */
export function settle() {
  if (!find(state.model)) state.model = state.models[0]?.id ?? "";
  if (!find(state.compare) || state.compare === state.model) state.compare = "";
  const model = guide();
  if (!model) return;
  if (typeof state.layer === "number" && (state.layer < 1 || state.layer >= model.layers)) state.layer = null;
  if (typeof state.near === "number" && (state.near < 0 || state.near >= model.layers)) state.near = null;
  if (!(state.head <= model.heads)) state.head = 0;
}
