// The picture in the size of the model, with its patches.
import { getPicture } from "./api.js";
import { cover, fill, frame, lines, marksOn, prepare } from "./canvas.js";
import { cellOf } from "./colour.js";
import { patchAt } from "./grid.js";
import { hiddenOn, painting } from "./masking.js";
import { Panel } from "./panel.js";
import { Scales, span } from "./scales.js";
import { cursor, paintable, withKeys } from "./pointing.js";
import { colourWords, gridOf, memory, shown, state } from "./state.js";

/** The picture in the size of a model. */
export const pictureFor = (model) =>
  memory.want(`picture/${model.id}/${state.picture}${colourWords(model)}`, (signal) =>
    getPicture(`api/pictures/${state.picture}?model=${model.id}${colourWords(model)}`, signal));

/** The picture in grey, with whole pixels in each cell of a map, as RGBA; null until it arrives. */
export function greyOf(model) {
  const { value } = pictureFor(model);
  if (!value) return null;
  const { high, wide } = cellOf(model);
  const [width, height] = [model.cols * wide, model.rows * high];
  const key = `${width}/${height}`;
  if (value.of !== key) Object.assign(value, { of: key, pixels: inGrey(value.image, width, height) });
  return value.pixels;
}

function inGrey(image, width, height) {
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  context.drawImage(image, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  for (let i = 0; i < data.length; i += 4) data.fill((data[i] + data[i + 1] + data[i + 2]) / 3, i, i + 3);
  return data;
}

/** Draws frames around the selected patch and, if it is another one, the patch under the cursor. */
export function frames(canvas, model, followed = true) {
  const context = marksOn(canvas, model);
  const at = patchAt(model, state.at);
  if (followed) frame(context, model, at);
  const under = patchAt(model, cursor());
  if (state.cursor && (under !== at || !followed)) frame(context, model, under, true);
}

export function facts(model) {
  const parts = [
    model.about,
    model.layers ? `${model.layers} layers` : "",
    model.heads ? `${model.heads} heads` : "",
    model.patch ? `${model.rows}\u00a0×\u00a0${model.cols} patches of ${model.patch.join("\u00a0×\u00a0")} ${model.sound ? "(bands, frames)" : "pixels"}` : "",
  ];
  const text = parts.filter(Boolean).map((part) => part.replace(/\.$/, "")).join(". ");
  if (model.finished) return `${text}.`;
  return `${text}. Still training${model.step === null ? "" : `, step ${model.step}`}.`;
}

export class PicturePanel extends Panel {
  constructor(column) {
    super("picture", column);
    const model = () => shown()[column - 1] && gridOf(shown()[column - 1]);
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    paintable(this.canvas, model);
    withKeys(this.canvas, model);
    this.scales = new Scales(this.canvas);
  }

  draw(model) {
    const grid = gridOf(model);
    const at = patchAt(grid, state.at);
    this.caption.textContent = model.name;
    this.extra.textContent = facts(model);
    this.canvas.classList.toggle("painting", painting());
    const patches = `, ${grid.rows} rows and ${grid.cols} columns of patches. Arrow keys move, Enter pins, Space hides`;
    const kind = model.sound ? `Spectrogram, ${span(model.across)} by ${span(model.down)}` : "Picture";
    this.canvas.setAttribute("aria-label", `${kind}${grid.has_attention ? patches : ""}.`);
    const key = `${model.id}/${state.picture}${colourWords(model)}/${at}`;
    const entry = pictureFor(model);
    if (!this.has(entry, key)) return;
    const context = prepare(this.canvas, model);
    fill(context, entry.value.image);
    this.scales.draw(model);
    const hidden = painting() && hiddenOn(grid);
    if (hidden) cover(context, grid, hidden);
    if (grid.has_attention) {
      lines(context, grid);
      frames(this.canvas, grid);
    }
    this.show("ready", key);
    this.here.textContent = hidden ? `${hidden.size} of ${grid.rows * grid.cols} hidden` : state.pinned ? `patch ${at} pinned` : "";
  }
}
