// Scales beside a spectrogram: seconds below it, hertz to its left. Pictures have no scales.

/** The range of an axis as text. @param {{edges: number[], unit: string}} axis */
export const span = ({ edges, unit }) =>
  `${Number(edges[0].toPrecision(3))} to ${Number(edges.at(-1).toPrecision(3))} ${unit}`;

export class Scales {
  /** @param {HTMLCanvasElement} canvas the spectrogram */
  constructor(canvas) {
    const layers = canvas.parentElement;
    this.plot = document.createElement("div");
    this.plot.className = "plot";
    canvas.parentElement.replaceWith(this.plot);
    [this.down, this.across] = ["down", "across"].map((name) => {
      const scale = document.createElement("div");
      scale.className = name;
      scale.setAttribute("aria-hidden", "true");
      return scale;
    });
    this.plot.append(this.down, layers, this.across);
  }

  draw(model) {
    this.plot.classList.toggle("scaled", Boolean(model.sound));
    if (!model.sound || this.drawn === model) return;
    this.drawn = model;
    this.mark(this.down, model.down, (at) => ["bottom", at]);
    this.mark(this.across, model.across, (at) => ["left", at]);
  }

  mark(scale, { ticks, unit }, place) {
    scale.replaceChildren(...ticks.map(({ at, text }, number) => {
      const mark = document.createElement("span");
      const [side, share] = place(at);
      mark.textContent = number === ticks.length - 1 ? `${text} ${unit}` : text;
      mark.style.setProperty(side, `${100 * share}%`);
      return mark;
    }));
  }
}
