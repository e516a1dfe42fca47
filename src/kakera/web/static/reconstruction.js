// The reconstruction of hidden patches: visible patches, prediction, error.
import { fill, fillPixels, layered, lines, prepare } from "./canvas.js";
import { figure, largest, over, scales } from "./colour.js";
import { patchAt } from "./grid.js";
import { Resynthesis } from "./hearing.js";
import { painting, reconstruction } from "./masking.js";
import { Panel } from "./panel.js";
import { frames } from "./picture.js";
import { cursor, paintable, pointable } from "./pointing.js";
import { shown, state } from "./state.js";

export class ReconstructionPanel extends Panel {
  constructor(column) {
    super("reconstruction", column);
    const model = () => shown()[column - 1];
    const triple = document.createElement("div");
    triple.className = "triple";
    this.canvases = ["Visible", "Prediction", "Error"].map((label, number) => {
      const canvas = number ? document.createElement("canvas") : this.canvas;
      canvas.className = "drawing";
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", label);
      const box = document.createElement("div");
      const name = document.createElement("span");
      name.textContent = label;
      box.append(name, number ? canvas : this.canvas.parentElement);
      if (number) layered(canvas);
      triple.append(box);
      return canvas;
    });
    this.caption.after(triple);
    const [masked, ...others] = this.canvases;
    paintable(masked, model);
    for (const canvas of others) pointable(canvas, model);
    this.resynthesis = new Resynthesis(this.extra, column, model);
  }

  draw(model) {
    this.title(model, "");
    this.element.classList.toggle("unable", !model.reconstructs);
    this.extra.hidden = !model.reconstructs;
    if (!model.reconstructs) return this.show("none", `${model.id}/${state.picture}`, model.about);
    this.canvas.classList.toggle("painting", painting());
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
    const borrowed = result.borrowed ? " Mean and contrast of each hidden patch are copied from the original." : "";
    const hidden = `${result.hidden.length} of ${model.rows * model.cols} patches hidden.`;
    this.extra.textContent = `Mean error ${share} of the range of values. ${hidden}${borrowed}`;
    const under = patchAt(model, cursor());
    this.point("error", result.errors[under - 1]);
    if (!result.hidden.includes(under)) this.here.textContent = this.value = "patch not hidden";
  }

  drawTriple(model, { masked, prediction, errors }) {
    const most = largest(errors);
    const contexts = this.canvases.map((canvas) => prepare(canvas, model));
    fill(contexts[0], masked);
    lines(contexts[0], model);
    fill(contexts[1], prediction);
    fillPixels(contexts[2], over(errors, model, scales.rising, most, null));
    for (const canvas of this.canvases) frames(canvas, model);
    this.scale(scales.rising, most);
  }
}
