// Maps with one value for each patch: attention, similarity, relevance.
import { getJson, pack } from "./api.js";
import { fillPixels, prepare } from "./canvas.js";
import { figure, image, largest, over, scales } from "./colour.js";
import { patchAt } from "./grid.js";
import { Panel } from "./panel.js";
import { frames, greyOf } from "./picture.js";
import { cursor, pointable } from "./pointing.js";
import { change, layerOf, memory, refresh, shown, stamp, state } from "./state.js";

/** Above this number of patches, the small maps of the heads are requested for one token, once the cursor rests. */
const MANY = 256;

/** @param {(answer: any) => number[][]} rows */
function matrix(model, path, query, rows) {
  const words = new URLSearchParams({ model: model.id, picture: state.picture, ...query });
  return memory.want(`${path}?${words}/${stamp(model)}`, async (signal) =>
    pack(rows(await getJson(`api/${path}?${words}`, signal))));
}

class MapPanel extends Panel {
  constructor(view, column) {
    super(view, column);
    this.model = () => shown()[column - 1];
    this.canvas.setAttribute("role", "img");
    pointable(this.canvas, this.model);
  }

  /** @param {ArrayLike<number>} values @param {boolean} followed true if the map belongs to the selected patch */
  drawMap(model, key, values, scale, followed) {
    const most = largest(values);
    fillPixels(prepare(this.canvas, model), over(values, model, scale, most, state.beneath ? greyOf(model) : null));
    frames(this.canvas, model, followed);
    this.show("ready", key);
    this.scale(scale, most);
    this.point(this.view, values[patchAt(model, cursor()) - 1]);
    const label = `${this.view}: ${this.caption.textContent}; largest ${figure(most)} at patch ${values.indexOf(most) + 1}`;
    this.canvas.setAttribute("aria-label", label);
  }
}

export class AttentionPanel extends MapPanel {
  constructor(column) {
    super("attention", column);
    this.heads = [];
    this.extra.classList.add("heads");
  }

  of(model, layer, head) {
    if (layer === "rollout") return matrix(model, "rollout", {}, (answer) => answer.attention);
    return matrix(model, "attention", { layer, head }, (answer) => answer.attention);
  }

  draw(model) {
    const layer = layerOf("layer", model);
    const head = layer === "rollout" ? 0 : Math.min(state.head, model.heads);
    const token = state.fromClass ? 0 : patchAt(model, state.at);
    const key = `${model.id}/${state.picture}/${layer}/${head}/${token}`;
    this.extra.hidden = layer === "rollout";
    this.extra.setAttribute("aria-busy", "false");
    const from = token ? `from patch ${token}` : `from the ${model.token_zero}`;
    const which = layer === "rollout" ? "rollout" : `layer ${layer}, ${head ? `head ${head}` : "mean of heads"}`;
    this.title(model, `${which}, ${from}`);
    this.words = layer === "rollout" ? "rollout" : `l${layer}-h${head}`;
    const entry = this.of(model, layer, head);
    if (!this.has(entry, key)) return;
    this.drawMap(model, key, entry.value.row(token), scales.rising, token !== 0);
    if (layer !== "rollout") this.drawHeads(model, layer, head, token);
  }

  drawHeads(model, layer, chosen, token) {
    if (this.heads.length !== model.heads + 1) this.makeHeads(model.heads + 1);
    const many = model.rows * model.cols > MANY;
    if (many && this.resting !== token) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => { this.resting = token; refresh(); }, 300);
    }
    const query = many ? this.resting : token;
    let waiting = false; // one request after the other, so that the large map comes first
    this.heads.forEach(({ button, canvas }, head) => {
      button.setAttribute("aria-pressed", String(head === chosen));
      if (waiting || query === undefined) return;
      const entry = many
        ? matrix(model, "attention", { layer, head, token: query }, (answer) => answer.attention)
        : this.of(model, layer, head);
      waiting = !entry.value && !entry.error;
      if (!entry.value) return;
      const values = entry.value.row(many ? 0 : token);
      [canvas.width, canvas.height] = [model.cols, model.rows];
      canvas.getContext("2d").putImageData(image(values, model, scales.rising, largest(values)), 0, 0);
    });
    this.extra.setAttribute("aria-busy", String(waiting));
  }

  makeHeads(count) {
    this.heads = Array.from({ length: count }, (_, head) => {
      const button = document.createElement("button");
      const canvas = document.createElement("canvas");
      const name = document.createElement("span");
      name.textContent = head ? String(head) : "mean";
      button.type = "button";
      button.setAttribute("aria-label", head ? `Head ${head}` : "Mean of heads");
      button.addEventListener("click", () => change({ head }));
      button.append(canvas, name);
      return { button, canvas };
    });
    this.extra.replaceChildren(...this.heads.map(({ button }) => button));
  }
}

export class SimilarityPanel extends MapPanel {
  constructor(column) {
    super("similarity", column);
  }

  draw(model) {
    const layer = layerOf("near", model);
    const patch = patchAt(model, state.at);
    const key = `${model.id}/${state.picture}/${layer}/${patch}`;
    this.title(model, `${layer === "raw" ? "raw pixels" : `layer ${layer}`}, to patch ${patch}`);
    this.words = layer === "raw" ? "raw" : `l${layer}`;
    const entry = matrix(model, "similarity", { layer }, (answer) => answer.similarity);
    if (this.has(entry, key)) this.drawMap(model, key, entry.value.row(patch - 1), scales.signed, true);
  }
}

export class RelevancePanel extends MapPanel {
  constructor(column) {
    super("relevance", column);
  }

  draw(model) {
    const target = model.classes.includes(state.target) ? state.target : "";
    const key = `${model.id}/${state.picture}/${target}`;
    this.title(model, "");
    const words = new URLSearchParams({ model: model.id, picture: state.picture, ...(target && { target }) });
    const entry = memory.want(`relevance?${words}/${stamp(model)}`, (signal) => getJson(`api/relevance?${words}`, signal));
    if (!this.has(entry, key)) return;
    this.title(model, `evidence for ${entry.value.target}`);
    this.words = entry.value.target.replace(/[^\p{L}\p{N}]+/gu, "_");
    this.drawMap(model, key, entry.value.relevance, scales.rising, false);
  }
}
