// Drawing on canvases. The size in pixels is a multiple of the model's picture, so that patches stay sharp.

const WANTED = 600;
const LONG = 2.4; // width : height of a spectrogram, whose pixels need not be square

/** Sets the size of a canvas and returns its context. @param {{size: number[], upwards?: boolean}} model */
export function prepare(canvas, model) {
  const [height, width] = model.size;
  const across = Math.ceil(WANTED / Math.max(height, width));
  const down = model.upwards ? Math.max(1, Math.round((width * across) / LONG / height)) : across;
  if (canvas.width !== width * across || canvas.height !== height * down) {
    canvas.width = width * across;
    canvas.height = height * down;
  }
  canvas.parentElement?.style.setProperty("--ratio", canvas.width / canvas.height);
  const context = canvas.getContext("2d");
  // the first row of a spectrogram is the lowest band, and belongs at the bottom
  context.setTransform(1, 0, 0, model.upwards ? -1 : 1, 0, model.upwards ? canvas.height : 0);
  context.imageSmoothingEnabled = false;
  return context;
}

/** Puts a second canvas over a drawing, for frames: the drawing itself keeps the colours of its scale. */
export function layered(canvas) {
  const layers = document.createElement("div");
  const marks = document.createElement("canvas");
  layers.className = "layers";
  marks.className = "marks";
  marks.setAttribute("aria-hidden", "true");
  canvas.replaceWith(layers);
  layers.append(canvas, marks);
}

/** The empty canvas over a drawing. */
export function marksOn(canvas, model) {
  const context = prepare(canvas.nextElementSibling, model);
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  return context;
}

/** Fills a canvas with a picture of fewer pixels. */
export function fill(context, source) {
  context.drawImage(source, 0, 0, context.canvas.width, context.canvas.height);
}

const scratch = document.createElement("canvas");

/** Fills a canvas with an image of fewer pixels. @param {ImageData} pixels */
export function fillPixels(context, pixels) {
  scratch.width = pixels.width;
  scratch.height = pixels.height;
  scratch.getContext("2d").putImageData(pixels, 0, 0);
  fill(context, scratch);
}

const box = ({ width, height }, { rows, cols }, patch) => [
  (((patch - 1) % cols) * width) / cols,
  (Math.floor((patch - 1) / cols) * height) / rows,
  width / cols,
  height / rows,
];

export function lines(context, { rows, cols }) {
  const { width, height } = context.canvas;
  context.beginPath();
  for (let col = 1; col < cols; col++) {
    context.moveTo((col * width) / cols, 0);
    context.lineTo((col * width) / cols, height);
  }
  for (let row = 1; row < rows; row++) {
    context.moveTo(0, (row * height) / rows);
    context.lineTo(width, (row * height) / rows);
  }
  context.strokeStyle = "rgb(140 140 140 / 55%)";
  context.lineWidth = 1;
  context.stroke();
}

/** Draws a frame that is visible on any colour, black around white; dashed for the cursor beside a pinned patch. */
export function frame(context, grid, patch, dashed = false) {
  const [x, y, width, height] = box(context.canvas, grid, patch);
  const line = Math.max(2, Math.min(5, width / 8));
  for (const [colour, thickness] of [["#000", 2 * line], ["#fff", line]]) {
    context.strokeStyle = colour;
    context.lineWidth = thickness;
    context.setLineDash(dashed && colour === "#fff" ? [2 * line, 2 * line] : []);
    context.strokeRect(x + line, y + line, width - 2 * line, height - 2 * line);
  }
  context.setLineDash([]);
}

/** Diagonal lines, dark on light: no patch of a picture looks like this. */
function hatching() {
  const tile = new OffscreenCanvas(14, 14);
  const context = tile.getContext("2d");
  context.fillStyle = "rgb(228 230 230)";
  context.fillRect(0, 0, 14, 14);
  context.strokeStyle = "rgb(84 92 96)";
  context.lineWidth = 2.5;
  context.beginPath();
  for (const x of [-14, 0, 14]) {
    context.moveTo(x - 2, 16);
    context.lineTo(x + 16, -2);
  }
  context.stroke();
  return context.createPattern(tile, "repeat");
}

const hatched = hatching();

/** Covers hidden patches with hatching. */
export function cover(context, grid, patches) {
  context.fillStyle = hatched;
  for (const patch of patches) context.fillRect(...box(context.canvas, grid, patch));
}

/** The position under a pointer. @returns {import("./grid.js").Place} */
export function placeOf(canvas, event, model) {
  const area = canvas.getBoundingClientRect();
  const share = (value) => Math.min(Math.max(value, 0), 0.999999);
  const down = (event.clientY - area.top) / area.height;
  return { x: share((event.clientX - area.left) / area.width), y: share(model.upwards ? 1 - down : down) };
}

/** Saves canvases, side by side, as a PNG. @param {HTMLCanvasElement[]} canvases */
export function save(canvases, name) {
  const whole = document.createElement("canvas");
  const gap = canvases.length > 1 ? 12 : 0;
  whole.width = canvases.reduce((sum, canvas) => sum + canvas.width + gap, -gap);
  whole.height = Math.max(...canvases.map((canvas) => canvas.height));
  let x = 0;
  for (const canvas of canvases) {
    whole.getContext("2d").drawImage(canvas, x, 0);
    const marks = canvas.nextElementSibling;
    if (marks?.width === canvas.width) whole.getContext("2d").drawImage(marks, x, 0);
    x += canvas.width + gap;
  }
  whole.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });
}
