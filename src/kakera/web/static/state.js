// What is chosen on the page. `change` writes it and has everything drawn anew.
import { getJson, Memory } from "./api.js";
import { sameLayer } from "./grid.js";

/** The mask that is drawn before another is asked for. */
export const FIRST_MASK = { ratio: 0.75, seed: 0, masking: "random" };

export const state = {
  models: [],
  samples: [],
  /** pictures sent from here: {id, name}, newest first */
  uploads: [],
  model: "",
  compare: "",
  /** its id; of a recording with @ and the number of the window, from the second on */
  picture: "",
  /** of the attention: 1 … layers of the first model, or "rollout"; null: the last */
  layer: null,
  /** 0: the mean of all */
  head: 0,
  /** of the similarity: 0 … layers, or "raw"; null: the last */
  near: null,
  fromClass: false,
  /** the patch that the maps follow, and the one under the cursor, as places */
  at: { x: 0.5, y: 0.5 },
  cursor: null,
  pinned: false,
  beneath: true,
  /** class whose evidence is shown; empty: the predicted one */
  target: "",
  hiding: false,
  /** a drawn mask, or, once painted, the hidden patches of a grid */
  mask: FIRST_MASK,
  painted: null,
  /** what a stroke hides: the patches under it, or their whole rows or columns */
  brush: "patch",
  /** which channels are red, green and blue, of models that take neither 1 nor 3 */
  channels: [1, 2, 3],
};

let draw = () => {};
let planned = false;

/** Has the page drawn at the next frame. */
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

/** What there is of a recording for a model: its part of the grid, axes, windows. Asked for while drawing. */
export const sceneOf = (model) =>
  memory.want(sceneKey(model), async (signal) => {
    const words = new URLSearchParams({ model: model.id, picture: state.picture });
    return { facts: await getJson(`api/scene?${words}`, signal) };
  });

const sceneKey = (model) => `scene/${model.id}/${state.picture}`;

/** A model of recordings as it is for the one that is chosen: its patches are those that are there. */
function placed(model) {
  if (!model?.sound) return model;
  const scene = memory.have(sceneKey(model));
  if (!scene) return { ...model, waiting: true };
  if (scene.of !== model) Object.assign(scene, { of: model, placed: { ...model, ...scene.facts } });
  return scene.placed;
}

/** The models shown: one, or two side by side. */
export const shown = () => [find(state.model), find(state.compare)].filter(Boolean).map(placed);

/** The model whose layers, heads and patches are counted: the first that has some. */
export const guide = () => shown().find((model) => model.has_attention) ?? shown()[0];

/** The patches of a column: a CNN, which has none, is divided like the model beside it. */
export const gridOf = (model) => (model.has_attention ? model : guide());

/** Layers as the model of a column counts them. */
export function layerOf(which, model) {
  const first = guide();
  return sameLayer(state[which] ?? first.layers, first, model);
}

/** The answer belongs to this state of the weights: a run in training asks again after each checkpoint. */
/** Whether a model's pictures have channels to choose from. */
export const chooses = (model) => Boolean(model && !model.sound && model.channels !== 1 && model.channels !== 3);

/** The channels of a model that are shown as red, green and blue; none where there is nothing to choose. */
export const coloursOf = (model) =>
  chooses(model) ? state.channels.map((number) => Math.min(number, model.channels)) : [];

/** The same for an address of the server. */
export const colourWords = (model) => coloursOf(model).map((number) => `&shown=${number}`).join("");

export const stamp = (model) => `${model.id}@${model.step ?? "end"}`;

/** Keeps what is chosen possible for the models there are. */
export function settle() {
  if (!find(state.model)) state.model = state.models[0]?.id ?? "";
  if (!find(state.compare) || state.compare === state.model) state.compare = "";
  const model = guide();
  if (!model) return;
  if (typeof state.layer === "number" && (state.layer < 1 || state.layer >= model.layers)) state.layer = null;
  if (typeof state.near === "number" && (state.near < 0 || state.near >= model.layers)) state.near = null;
  if (!(state.head <= model.heads)) state.head = 0;
}
