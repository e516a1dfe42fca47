// The address of the page holds all choices. It names patches by number as soon as the grid is known.
import { centre, fromRanges, patchAt, toRanges } from "./grid.js";
import { hiddenOn, leader } from "./masking.js";
import { FIRST_MASK, guide, settle, shown, state } from "./state.js";

const KINDS = ["random", "block", "grid", "rows", "cols", "cross"];
const whole = (text) => (/^\d{1,9}$/.test(text ?? "") ? Number(text) : null);

/** The patches that the address names, until the grid is known. */
let pending = null;

export function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const layer = (text, name) => (text === name ? name : whole(text));
  state.model = given.get("model") ?? state.model;
  state.compare = given.get("compare") ?? "";
  state.picture = given.get("sample") ?? state.picture;
  state.layer = layer(given.get("layer"), "rollout");
  state.near = layer(given.get("near"), "raw");
  state.head = whole(given.get("head")) ?? 0;
  state.fromClass = given.get("token") === "0";
  state.target = given.get("target") ?? "";
  state.mask = readMask(given);
  state.painted = null;
  state.pinned = false;
  pending = { token: whole(given.get("token")) ?? 0, hidden: given.get("hidden") };
  settle();
}

function readMask(given) {
  const ratio = Number(given.get("ratio") ?? FIRST_MASK.ratio);
  const kind = given.get("masking");
  return {
    ratio: ratio >= 0.05 && ratio <= 0.95 ? ratio : FIRST_MASK.ratio,
    seed: whole(given.get("seed")) ?? FIRST_MASK.seed,
    masking: KINDS.includes(kind) ? kind : FIRST_MASK.masking,
  };
}

/** Applies the patches that the address names, as soon as the grids are known. */
export function resolve() {
  if (!pending || !guide() || shown().some(({ waiting }) => waiting)) return;
  const { token, hidden } = pending;
  pending = null;
  const model = guide();
  if (token > 0 && token <= model.rows * model.cols) Object.assign(state, { pinned: true, at: centre(model, token) });
  const grid = leader();
  const patches = grid && hidden !== null ? fromRanges(hidden, grid.rows * grid.cols) : null;
  if (patches) state.painted = { grid: { rows: grid.rows, cols: grid.cols }, patches };
}

export function writeAddress() {
  const model = guide();
  if (!model || pending) return;
  const kept = new URLSearchParams({ model: state.model });
  if (state.compare) kept.set("compare", state.compare);
  if (state.picture) kept.set("sample", state.picture);
  if (model.has_attention) {
    kept.set("layer", String(state.layer ?? model.layers));
    kept.set("head", String(state.head));
  }
  if (state.near !== null) kept.set("near", String(state.near));
  if (state.fromClass) kept.set("token", "0");
  else if (state.pinned) kept.set("token", String(patchAt(model, state.at)));
  if (state.target) kept.set("target", state.target);
  writeMask(kept);
  const address = `#${kept}`;
  if (address !== location.hash) history.replaceState(null, "", address);
}

function writeMask(kept) {
  const lead = leader();
  if (state.painted && lead) {
    kept.set("hidden", toRanges(hiddenOn(lead)));
    return;
  }
  for (const [name, value] of Object.entries(state.mask)) {
    if (value !== FIRST_MASK[name]) kept.set(name, String(value));
  }
}
