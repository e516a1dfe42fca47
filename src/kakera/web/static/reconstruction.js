// The reconstruction of hidden patches: visible patches, prediction, error.
import { cover, fill, fillPixels, layered, lines, prepare } from "./canvas.js";
import { figure, largest, over, scales } from "./colour.js";
import { patchAt } from "./grid.js";
import { Resynthesis } from "./hearing.js";
import { painting, reconstruction } from "./masking.js";
import { Panel } from "./panel.js";
import { frames } from "./picture.js";
import { cursor, paintable, pointable } from "./pointing.js";
import { shown } from "./state.js";

export class ReconstructionPanel extends Panel {
  constructor(column) {
    super("reconstruction", column);
    const model = () => shown()[column - 1];
    const pair = document.createElement("div");
    pair.className = "pair";
    const others = ["Visible", "Error"].map((label) => {
      const canvas = document.createElement("canvas");
      const box = document.createElement("div");
      const name = document.createElement("span");
      canvas.className = "drawing";
      name.textContent = label;
      box.append(name, canvas);
      layered(canvas);
      pair.append(box);
      return canvas;
    });
    this.legend.before(pair);
    this.canvases = [this.canvas, ...others];
    ["Prediction", "Visible", "Error"].forEach((label, number) => {
      this.canvases[number].setAttribute("role", "img");
      this.canvases[number].setAttribute("aria-label", label);
    });
    const [prediction, visible, error] = this.canvases;
    paintable(visible, model);
    for (const canvas of [prediction, error]) pointable(canvas, model);
    this.bars = document.createElement("ul");
    this.bars.className = "errors";
    this.bars.setAttribute("aria-label", "Mean error");
    this.extra.before(this.bars);
    this.resynthesis = new Resynthesis(this.extra, column, model);
  }

  draw(model) {
    this.title(model, "prediction");
    this.canvases[1].classList.toggle("painting", painting());
    const { key, current, result, error } = reconstruction(this.column, model);
    const name = key.replace(/^[^/]*/, model.id);
    if (error) {
      this.extra.textContent = "";
      return this.show("none", name, error.message);
    }
    this.element.classList.toggle("old", !result);
    if (!result) return this.show("waiting", name);
    this.drawTriple(model, result);
    this.resynthesis.draw(model, key);
    this.show(current ? "ready" : "waiting", name);
    const share = `${figure(100 * result.error)} %`;
    this.drawBars([["model", result.error], ["mean of the visible patches", result.baseline]]);
    const borrowed = result.borrowed ? " Mean and contrast of each hidden patch are copied from the original." : "";
    const hidden = `${result.hidden.length} of ${model.rows * model.cols} patches hidden.`;
    this.extra.textContent = `Mean error ${share} of the range of values. ${hidden}${borrowed}`;
    const under = patchAt(model, cursor());
    this.point("error", result.errors[under - 1]);
    if (!result.hidden.includes(under)) this.here.textContent = this.value = "patch not hidden";
  }

  /** The error of the model beside that of a prediction that needs no model. */
  drawBars(rows) {
    const most = largest(rows.map(([, error]) => error));
    this.bars.replaceChildren(...rows.map(([label, error]) => {
      const [item, name, bar, number] = ["li", "span", "i", "b"].map((tag) => document.createElement(tag));
      name.textContent = `${label} `;
      number.textContent = `${figure(100 * error)} %`;
      bar.style.setProperty("--share", String(most > 0 ? error / most : 0));
      item.append(name, bar, number);
      return item;
    }));
  }

  drawTriple(model, { masked, prediction, errors, hidden }) {
    const most = largest(errors);
    const contexts = this.canvases.map((canvas) => prepare(canvas, model));
    fill(contexts[0], prediction);
    fill(contexts[1], masked);
    cover(contexts[1], model, hidden);
    lines(contexts[1], model);
    fillPixels(contexts[2], over(errors, model, scales.rising, most, null));
    for (const canvas of this.canvases) frames(canvas, model);
    this.scale(scales.rising, most);
  }
}
