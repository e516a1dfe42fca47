// What is chosen on the page. `change` writes it, keeps the address in step and has everything drawn anew.
import { Memory } from "./api.js";
import { centre, patchAt, sameLayer } from "./grid.js";

export const state = {
  models: [],
  samples: [],
  /** pictures sent from here: {id, name}, newest first */
  uploads: [],
  model: "",
  compare: "",
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
  mask: { ratio: 0.75, seed: 0, masking: "random" },
  painted: null,
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
    writeAddress();
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

/** The models shown: one, or two side by side. */
export const shown = () => [find(state.model), find(state.compare)].filter(Boolean);

/** The model whose layers, heads and patches are counted: the first that has some. */
export const guide = () => shown().find((model) => model.attends) ?? shown()[0];

/** The patches of a column: a CNN, which has none, is divided like the model beside it. */
export const gridOf = (model) => (model.attends ? model : guide());

/** Layers as the model of a column counts them. */
export function layerOf(which, model) {
  const first = guide();
  return sameLayer(state[which] ?? first.layers, first, model);
}

/** The answer belongs to this state of the weights: a run in training asks again after each checkpoint. */
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

export function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const layer = (text, name) => (text === name ? name : /^\d+$/.test(text ?? "") ? Number(text) : null);
  state.model = given.get("model") ?? state.model;
  state.compare = given.get("compare") ?? "";
  state.picture = given.get("sample") ?? state.picture;
  state.layer = layer(given.get("layer"), "rollout");
  state.near = layer(given.get("near"), "raw");
  state.head = /^\d+$/.test(given.get("head") ?? "") ? Number(given.get("head")) : 0;
  state.fromClass = given.get("token") === "0";
  settle();
  const model = guide();
  const token = Number(given.get("token"));
  state.pinned = Boolean(model) && Number.isInteger(token) && token > 0 && token <= model.rows * model.cols;
  if (state.pinned) state.at = centre(model, token);
}

function writeAddress() {
  const model = guide();
  if (!model) return;
  const kept = new URLSearchParams({ model: state.model });
  if (state.compare) kept.set("compare", state.compare);
  if (state.picture) kept.set("sample", state.picture);
  if (model.attends) {
    kept.set("layer", String(state.layer ?? model.layers));
    kept.set("head", String(state.head));
  }
  if (state.near !== null) kept.set("near", String(state.near));
  if (state.fromClass) kept.set("token", "0");
  else if (state.pinned) kept.set("token", String(patchAt(model, state.at)));
  const address = `#${kept}`;
  if (address !== location.hash) history.replaceState(null, "", address);
}
