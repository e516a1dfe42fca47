// The predictions of a classifier: a bar and a number for each of the most probable classes.
import { getJson } from "./api.js";
import { Panel } from "./panel.js";
import { change, memory, stamp, state } from "./state.js";

const MOST = 10;
const RARE = 0.05; // share of held-out training files
const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** A warning for an input that is unlike the training files, from the share of those that are as unusual. */
const unlike = (typical) => (typical === null || typical > RARE ? ""
  : `perhaps none of these: at most ${percent(typical)} of files like the training files are this unusual`);

export class PredictionsPanel extends Panel {
  constructor(column) {
    super("predictions", column);
    this.canvas.hidden = true; // only for saving as PNG; the page shows the list
    this.list = document.createElement("ul");
    this.list.className = "bars";
    this.caption.after(this.list);
    this.listed = null;
  }

  draw(model) {
    const key = `${model.id}/${state.picture}`;
    this.title(model, "");
    const words = new URLSearchParams({ model: model.id, picture: state.picture });
    const entry = memory.want(`predict?${words}/${stamp(model)}`, (signal) => getJson(`api/predict?${words}`, signal));
    if (!this.has(entry, key)) return;
    this.title(model, [entry.value.multi_label ? "multi-label: more than one class is possible" : "",
      unlike(entry.value.typical)].filter(Boolean).join("; "));
    if (this.listed !== entry.value) this.fill(entry.value.probabilities.slice(0, MOST), entry.value.labels);
    this.listed = entry.value;
    const chosen = state.target || entry.value.probabilities[0].name;
    for (const { firstElementChild: button } of this.list.children) {
      button.setAttribute("aria-pressed", String(button.dataset.name === chosen));
    }
    this.show("ready", key);
  }

  fill(rows, predicted) {
    this.list.replaceChildren(...rows.map(({ name, probability }) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      const [label, bar, number] = ["span", "i", "b"].map((tag) => document.createElement(tag));
      button.type = "button";
      button.dataset.name = name;
      button.title = `Show the relevance map for ${name}`;
      button.addEventListener("click", () => change({ target: name }));
      label.textContent = name;
      label.style.fontWeight = predicted.includes(name) ? "bold" : "";
      number.textContent = percent(probability);
      bar.style.setProperty("--share", String(probability));
      button.append(label, bar, number);
      item.append(button);
      return item;
    }));
    this.drawForSaving(rows);
  }

  drawForSaving(rows) {
    [this.canvas.width, this.canvas.height] = [640, 40 * rows.length + 20];
    const context = this.canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    context.font = "18px system-ui, sans-serif";
    context.textBaseline = "middle";
    rows.forEach(({ name, probability }, row) => {
      const y = 40 * row + 30;
      context.fillStyle = "#0b6b74";
      context.fillRect(220, y - 9, 320 * probability, 18);
      context.fillStyle = "#1c1f21";
      context.fillText(name, 10, y, 200);
      context.fillText(percent(probability), 550, y, 80);
    });
  }
}
