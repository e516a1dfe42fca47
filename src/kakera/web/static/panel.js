// One view of one model: a canvas with its legend, a note if nothing can be drawn, and a button to save it.
import { layered, save } from "./canvas.js";
import { bar, figure, scales } from "./colour.js";

export class Panel {
  /**
   * @param {string} view the name of the view
   * @param {1 | 2} column
   */
  constructor(view, column) {
    this.view = view;
    this.column = column;
    this.element = document.getElementById("panel").content.firstElementChild.cloneNode(true);
    this.element.dataset.panel = view;
    this.element.dataset.column = String(column);
    const part = (name) => this.element.querySelector(`.${name}`);
    [this.canvas, this.caption, this.legend, this.here, this.note, this.extra, this.tools] =
      ["drawing", "caption", "legend", "here", "note", "extra", "tools"].map(part);
    this.button = part("save");
    this.button.dataset.download = view;
    this.button.setAttribute("aria-label", `Save ${view} as PNG${column === 2 ? ", second model" : ""}`);
    this.button.addEventListener("click", () => save(this.canvases, this.fileName()));
    this.canvases = [this.canvas];
    layered(this.canvas);
    this.words = "";
    /** name and value under the cursor, for the status line */
    this.value = "";
    document.querySelector(`[data-view="${view}"]`).append(this.element);
  }

  /** Puts the controls of the view below this drawing, the last of its view. */
  placeControls() {
    const controls = document.querySelector(`[data-controls="${this.view}"]`);
    if (controls && !this.tools.contains(controls)) this.tools.append(controls);
  }

  /** Sets the caption; it names the model while two models are compared. */
  title(model, text) {
    const name = document.body.classList.contains("comparing") ? model.name : "";
    this.caption.textContent = [name, text].filter(Boolean).join(": ");
  }

  fileName() {
    return `kakera-${[this.view, this.words, this.column === 2 ? "model2" : ""].filter(Boolean).join("-")}.png`;
  }

  /** @param {"ready" | "waiting" | "none"} state @param {string} key @param {string} note shown instead of a drawing */
  show(state, key, note = "") {
    for (const canvas of this.canvases) {
      canvas.dataset.state = state;
      canvas.dataset.key = key;
    }
    this.element.dataset.state = state;
    this.element.setAttribute("aria-busy", String(state === "waiting"));
    this.button.disabled = state !== "ready";
    if (this.note.textContent !== note) this.note.textContent = note;
    if (state !== "ready") this.here.textContent = this.value = "";
  }

  /** True if the answer has arrived; otherwise shows that the panel waits, or the error. */
  has(entry, key) {
    if (entry?.error) this.show("none", key, entry.error.message);
    else if (!entry?.value) this.show("waiting", key);
    return Boolean(entry?.value);
  }

  scale(scale, most) {
    const [least, strip, greatest] = this.legend.children;
    const signed = scale === scales.signed;
    least.textContent = signed ? "−1 opposite" : "0";
    greatest.textContent = signed ? "1 similar" : figure(most);
    this.legend.hidden = false;
    if (this.drawn === scale) return;
    this.drawn = scale;
    const colours = bar(scale);
    [strip.width, strip.height] = [colours.width, 1];
    strip.getContext("2d").putImageData(colours, 0, 0);
  }

  /** Shows the value under the cursor beside the legend; the status line follows a little later. */
  point(label, value) {
    this.value = `${label} ${figure(value)}`;
    this.here.textContent = `here ${figure(value)}`;
  }
}
