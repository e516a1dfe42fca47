// The map of all files: a canvas with a point for each, colours, and selection by click or rectangle.
import { getJson } from "../api.js";
import { scales } from "../colour.js";

const LIGHT = ["#1f77b4", "#d95f02", "#2a8a3a", "#c2185b", "#7048b6", "#8c5a2b", "#00818a", "#8a8a00", "#4b5563", "#b3412c"];
const DARK = ["#6db3f2", "#ffa65c", "#6fd184", "#ff7eb0", "#b79bf5", "#d3a06c", "#5fd3d9", "#d6d65a", "#aab4c0", "#ff8d78"];
const MARGIN = 0.04;
const NEAR = 14; // CSS pixels from a click to its file
const dark = () => document.documentElement.dataset.theme === "dark";

/** The colour of a class, the same on the map and at its button. */
export const colourOf = (number) => (dark() ? DARK : LIGHT)[number % LIGHT.length];

export class FileMap {
  /** @param {HTMLCanvasElement} canvas @param {(files: number[]) => void} selected */
  constructor(canvas, selected) {
    Object.assign(this, { canvas, selected, way: "label", only: null, marked: new Set(), box: null, places: null, colours: null });
    new ResizeObserver(() => this.draw()).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", () => this.#drop());
  }

  async load() {
    this.places ??= await getJson("api/map");
    await this.refresh();
  }

  async refresh() {
    this.colours = await getJson("api/colours");
    this.draw();
  }

  /** Changes the label of files at once; the other colours follow with the next batch. */
  relabel(files, number, classes) {
    if (!this.colours) return;
    this.colours.classes = classes;
    for (const file of files) this.colours.label[file] = number;
    this.draw();
  }

  /** The rows of the legend: [key, text, colour, number of files]. */
  legend() {
    if (!this.colours || this.way === "suspicion") return [];
    const counts = new Map();
    for (const key of this.colours[this.way]) counts.set(key, (counts.get(key) ?? 0) + 1);
    const names = this.way === "part" ? ["no label", "train", "test"] : this.colours.classes;
    const row = (key) => [key, names[key] ?? (key === -2 ? "skipped" : this.way === "label" ? "no label" : "no head yet"), this.#colour(key), counts.get(key)];
    return [...counts.keys()].sort((a, b) => (a < 0) - (b < 0) || a - b).map(row);
  }

  /** The files with the highest suspicion among the labelled ones. */
  suspects(most) {
    const { label, suspicion } = this.colours;
    const files = label.map((_, file) => file).filter((file) => label[file] >= 0 && suspicion[file] > 0.5);
    return files.sort((a, b) => suspicion[b] - suspicion[a]).slice(0, most);
  }

  #colour(key) {
    if (this.way === "part") return key === 0 ? this.#faint() : colourOf(key - 1);
    return key < 0 ? this.#faint() : colourOf(key);
  }

  #faint() {
    return dark() ? "#59656a" : "#b9c1c4";
  }

  draw() {
    const { canvas, places, colours } = this;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth * ratio, canvas.clientHeight * ratio].map(Math.round);
    if (!width || !places || !colours) return;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    const count = places.x.length;
    const side = ratio * Math.max(2, Math.min(6, 400 / Math.sqrt(count)));
    const values = colours[this.way];
    const late = [];
    for (let file = 0; file < count; file++) {
      // labelled and marked files are drawn last, above the others
      if (colours.label[file] !== -1 || this.marked.has(file)) late.push(file);
      else this.#point(context, file, values[file], side);
    }
    for (const file of late) this.#point(context, file, values[file], side * 1.6);
    context.strokeStyle = getComputedStyle(canvas).color;
    context.lineWidth = 2 * ratio;
    for (const file of this.marked) {
      const [x, y] = this.#at(file);
      context.strokeRect(x - side - 2 * ratio, y - side - 2 * ratio, 2 * side + 4 * ratio, 2 * side + 4 * ratio);
    }
    if (this.box) {
      const [x, y, right, bottom] = this.box.map((value) => value * ratio);
      context.setLineDash([6 * ratio, 4 * ratio]);
      context.strokeRect(x, y, right - x, bottom - y);
      context.setLineDash([]);
    }
    canvas.dataset.drawn = `${this.way} ${count}`;
  }

  #point(context, file, value, side) {
    if (this.way === "suspicion") {
      const place = 4 * Math.round(255 * (dark() ? value : 1 - value) * 0.85 + (dark() ? 38 : 0));
      const [red, green, blue] = scales.rising.table.subarray(place, place + 3);
      context.fillStyle = `rgb(${red} ${green} ${blue})`;
    } else {
      context.fillStyle = this.#colour(value);
    }
    context.globalAlpha = this.only === null || this.only === value ? 1 : 0.08;
    const [x, y] = this.#at(file);
    context.fillRect(x - side / 2, y - side / 2, side, side);
    context.globalAlpha = 1;
  }

  /** The place of a file in pixels of the canvas. */
  #at(file) {
    const { canvas, places } = this;
    const place = (value, size) => ((value + 1) / 2) * (1 - 2 * MARGIN) * size + MARGIN * size;
    return [place(places.x[file], canvas.width), place(-places.y[file], canvas.height)];
  }

  #pointer(event) {
    const area = this.canvas.getBoundingClientRect();
    return [event.clientX - area.left, event.clientY - area.top];
  }

  #down(event) {
    if (event.button !== 0) return;
    const [x, y] = this.#pointer(event);
    this.box = [x, y, x, y];
    if (event.pointerType === "mouse") this.canvas.setPointerCapture(event.pointerId);
  }

  #move(event) {
    if (!this.box) return;
    [this.box[2], this.box[3]] = this.#pointer(event);
    this.draw();
  }

  #drop() {
    this.box = null;
    this.draw();
  }

  #up() {
    if (!this.box || !this.places) return this.#drop();
    const ratio = this.canvas.width / this.canvas.clientWidth;
    const [left, right] = [this.box[0], this.box[2]].sort((a, b) => a - b);
    const [top, bottom] = [this.box[1], this.box[3]].sort((a, b) => a - b);
    const seen = (file) => this.only === null || this.colours[this.way][file] === this.only;
    const files = this.places.x.map((_, file) => file).filter(seen);
    const at = (file) => this.#at(file).map((value) => value / ratio);
    let found = files.filter((file) => {
      const [x, y] = at(file);
      return x >= left && x <= right && y >= top && y <= bottom;
    });
    if (right - left < 5 && bottom - top < 5) {
      const distance = (file) => Math.hypot(at(file)[0] - left, at(file)[1] - top);
      const nearest = files.reduce((best, file) => (best < 0 || distance(file) < distance(best) ? file : best), -1);
      found = nearest >= 0 && distance(nearest) <= NEAR ? [nearest] : [];
    }
    this.#drop();
    this.selected(found);
  }
}
