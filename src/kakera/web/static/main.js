// Builds the page: controls, panels, the address, and the runs that are still training.
import { can, drawAbilities } from "./abilities.js";
import { readAddress, resolve, writeAddress } from "./address.js";
import { getJson } from "./api.js";
import { describe, patchAt, sameLayer } from "./grid.js";
import { connectHearing, drawHearing } from "./hearing.js";
import { drawMask, hideAll, leader } from "./masking.js";
import { AttentionPanel, RelevancePanel, SimilarityPanel } from "./maps.js";
import { PicturePanel } from "./picture.js";
import { cursor } from "./pointing.js";
import { PredictionsPanel } from "./predictions.js";
import { ReconstructionPanel } from "./reconstruction.js";
import { drawSamples, listen, say } from "./source.js";
import { change, chooses, coloursOf, drawWith, guide, refresh, sceneOf, settle, shown, state } from "./state.js";

const POLL = 5000;
const STATUS_DELAY = 400;
const KINDS = [PicturePanel, AttentionPanel, SimilarityPanel, ReconstructionPanel, PredictionsPanel, RelevancePanel];
const at = (id) => document.getElementById(id);
const COLOURS = ["red", "green", "blue"]; // ids of the selects for the channels
const ONE = [["random", "random"], ["block", "block"], ["grid", "grid"]];
const WAYS_OF_PICTURES = [...ONE, ["rows", "rows"], ["cols", "columns"], ["cross", "rows and columns"]];
const WAYS_OF_SOUND = [...ONE, ["rows", "frequencies"], ["cols", "times"], ["cross", "times and frequencies"]];
const BRUSHES_OF_PICTURES = [["patch", "patches"], ["row", "rows"], ["col", "columns"]];
const BRUSHES_OF_SOUND = [["patch", "patches"], ["row", "frequencies"], ["col", "times"]];
/** The panels of the first column, and those of the second column while two models are compared. */
const columns = [KINDS.map((Kind) => new Kind(1)), []];

/** Fills a select if its choices changed, and sets its value. @param {[string, string][]} choices */
function offer(select, choices, value) {
  const packed = JSON.stringify(choices);
  if (select.dataset.choices !== packed) {
    select.dataset.choices = packed;
    select.replaceChildren(...choices.map(([key, text]) => new Option(text, key)));
  }
  if (select.value !== String(value)) select.value = String(value);
}

const count = (most, least = 1) => Array.from({ length: most - least + 1 }, (_, i) => [String(least + i), String(least + i)]);

function drawControls(models) {
  const model = guide();
  const lead = leader();
  const named = state.models.map(({ id, name, finished }) => [id, finished ? name : `${name} (training)`]);
  offer(at("model"), named, state.model);
  offer(at("compare"), [["", "nothing"], ...named.filter(([id]) => id !== state.model)], state.compare);
  at("compare").disabled = state.models.length < 2;
  offer(at("layer"), [...count(model.layers ?? 0), ["rollout", "rollout"]], state.layer ?? model.layers);
  offer(at("head"), [["0", "mean"], ...count(model.heads ?? 0)], state.head);
  offer(at("near"), [["raw", "raw pixels"], ...count(model.layers ?? 0, 0)], state.near ?? model.layers);
  const classes = [...new Set(models.flatMap((each) => (each.predicts && each.has_attention ? each.classes : [])))];
  offer(at("target"), [["", "predicted"], ...classes.map((name) => [name, name])], state.target);
  at("target").disabled = classes.length === 0;
  for (const id of ["layer", "from", "near"]) at(id).disabled = !models.some(({ has_attention }) => has_attention);
  at("head").disabled = at("layer").disabled || state.layer === "rollout";
  at("from").value = state.fromClass ? "class" : "patch";
  at("beneath").checked = state.beneath;
  at("hide-mode").checked = Boolean(state.hiding && lead);
  for (const id of ["hide-mode", "ratio", "masking", "draw-again", "show-all", "hide-all", "invert"]) at(id).disabled = !lead;
  at("ratio").value = String(state.mask.ratio);
  at("ratio-value").textContent = state.painted ? "painted" : `${Math.round(100 * state.mask.ratio)} %`;
  const ways = model.sound ? WAYS_OF_SOUND : WAYS_OF_PICTURES;
  offer(at("masking"), ways, state.mask.masking);
  offer(at("brush"), model.sound ? BRUSHES_OF_SOUND : BRUSHES_OF_PICTURES, state.brush);
  at("brush").disabled = !lead;
  const many = models.find(chooses);
  at("colours").hidden = !many;
  if (many) COLOURS.forEach((id, place) => offer(at(id), count(many.channels), coloursOf(many)[place]));
  at("picture-title").textContent = model.sound ? "Recording" : "Picture";
  at("kinds").textContent = model.sound ? "or drop a recording anywhere" : "or drop a picture anywhere, or paste one";
  at("file").accept = model.sound ? "audio/*,.wav,.flac,.ogg,.oga,.opus,.mp3,.aif,.aiff" : "image/*,.tif,.tiff,.webp";
  drawHearing(model);
}

let timer;

/** Writes the values under the cursor into the status line, once the cursor rests. */
function plan(models) {
  clearTimeout(timer);
  timer = setTimeout(() => {
    const values = columns.slice(0, models.length).flatMap((panels, number) => {
      const text = panels.map((panel) => panel.value).filter(Boolean).join(", ");
      return text ? [models.length > 1 ? `${models[number].name}: ${text}` : text] : [];
    });
    const pinned = state.pinned ? `; patch ${patchAt(guide(), state.at)} is pinned` : "";
    const text = `${describe(guide(), patchAt(guide(), cursor()))}: ${values.join(". ") || "no values"}${pinned}.`;
    if (at("status").textContent !== text) at("status").textContent = text;
  }, STATUS_DELAY);
}

/** Draws a column, or shows that it waits or why it failed. */
function drawColumn(panels, model) {
  for (const panel of panels) panel.element.hidden = !can(model, panel.view);
  if (!model.waiting) {
    for (const panel of panels) panel.element.hidden ? panel.show("none", model.id) : panel.draw(model);
    return;
  }
  const error = sceneOf(model).error?.message;
  panels.forEach((panel) => panel.show(error ? "none" : "waiting", `${model.id}/${state.picture}`, error ?? ""));
}

/** The last panel of a view that a model shows. */
const lastOf = (number, models) =>
  models.length > 1 && can(models[1], columns[1][number].view) ? columns[1][number] : columns[0][number];

function draw() {
  if (state.picture) shown().filter(({ sound }) => sound).forEach(sceneOf);
  resolve();
  const models = shown();
  if (!models.length) return;
  document.body.classList.toggle("upwards", Boolean(models[0].sound));
  document.body.classList.toggle("comparing", models.length > 1);
  drawAbilities(models);
  drawControls(models);
  drawSamples();
  if (models.length > 1 && !columns[1].length) columns[1] = KINDS.map((Kind) => new Kind(2));
  KINDS.forEach((_, number) => lastOf(number, models).placeControls());
  if (models.length < 2) columns[1].splice(0).forEach((panel) => panel.element.remove());
  if (!state.picture) return;
  models.forEach((model, number) => drawColumn(columns[number], model));
  if (!models.some(({ waiting }) => waiting)) plan(models);
  writeAddress();
}

/** Changes the models; a chosen layer becomes the corresponding layer of the new model. */
function chooseModels(values) {
  const before = guide();
  Object.assign(state, values);
  if (state.compare === state.model) state.compare = "";
  for (const which of ["layer", "near"]) state[which] = sameLayer(state[which], before, guide());
  settle();
  refresh();
}

function connect() {
  const on = (id, what, event = "change") => at(id).addEventListener(event, (happened) => what(happened.target));
  const layer = (text) => (/^\d+$/.test(text) ? Number(text) : text);
  on("model", ({ value }) => chooseModels({ model: value }));
  on("compare", ({ value }) => chooseModels({ compare: value }));
  on("layer", ({ value }) => change({ layer: layer(value) }));
  on("head", ({ value }) => change({ head: Number(value) }));
  on("near", ({ value }) => change({ near: layer(value) }));
  on("target", ({ value }) => change({ target: value }));
  on("from", ({ value }) => change({ fromClass: value === "class" }));
  COLOURS.forEach((id, place) => on(id, ({ value }) => change({ channels: state.channels.with(place, Number(value)) })));
  on("beneath", ({ checked }) => change({ beneath: checked }));
  on("hide-mode", ({ checked }) => change({ hiding: checked }));
  on("ratio", ({ value }) => drawMask({ ratio: Number(value) }), "input");
  on("brush", ({ value }) => change({ brush: value }));
  connectHearing();
  on("masking", ({ value }) => drawMask({ masking: value }));
  on("draw-again", () => drawMask({ seed: state.mask.seed + 1 }), "click");
  for (const [id, which] of [["show-all", "none"], ["hide-all", "all"], ["invert", "others"]]) {
    on(id, () => hideAll(which), "click");
  }
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("select, input:not([type=checkbox], [type=radio], [type=range])");
    if (event.key.toLowerCase() !== "m" || typing || event.ctrlKey || event.metaKey || event.altKey || !leader()) return;
    change({ hiding: !state.hiding });
  });
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the address holds the choices, so the link must not change it
    columns[0][0].canvas.focus();
  });
  addEventListener("hashchange", () => {
    readAddress();
    refresh();
  });
}

/** Checks for newer checkpoints while a run is training. */
async function poll() {
  if (!document.hidden && state.models.some(({ finished }) => !finished)) {
    try {
      state.models = await getJson("api/models");
      settle();
      refresh();
    } catch {
      // the next poll asks the server again
    }
  }
  setTimeout(poll, POLL);
}

async function start() {
  listen();
  connect();
  drawWith(draw);
  try {
    [state.models, state.samples] = await Promise.all([getJson("api/models"), getJson("api/samples")]);
  } catch (error) {
    say(error.message);
    return;
  }
  state.picture = state.samples[0]?.id ?? "";
  if (!state.models.length) say("No model is open.");
  readAddress();
  refresh();
  setTimeout(poll, POLL);
}

start();
