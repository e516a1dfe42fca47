// What is heard: the window of a recording, and, from its spectrogram, what a model makes of it.
import { postForFile } from "./api.js";
import { maskOf } from "./masking.js";
import { change, guide, state } from "./state.js";

const at = (id) => document.getElementById(id);
const LABEL = "Griffin-Lim: made from the spectrogram alone. Phases are estimated, what lies between bands is lost.";

/** The player of the clip, and which window of it is shown. */
export function drawHearing(model) {
  at("hearing").hidden = !model.sound || Boolean(model.waiting);
  if (at("hearing").hidden) return;
  const words = new URLSearchParams({ model: model.id, picture: state.picture });
  const source = `api/sound?${words}`;
  if (at("clip").getAttribute("src") !== source) at("clip").src = source;
  at("window").max = String(model.windows);
  if (document.activeElement !== at("window")) at("window").value = String(model.window);
  at("window").disabled = model.windows < 2;
  at("window-place").textContent = `of ${model.windows}: ${model.start.toFixed(2)} to ${model.end.toFixed(2)} s`;
}

export function connectHearing() {
  at("window").addEventListener("change", ({ target }) => {
    const number = Math.min(Math.max(Math.round(Number(target.value)) || 1, 1), guide().windows ?? 1);
    const [id] = state.picture.split("@");
    target.value = String(number);
    change({ picture: number > 1 ? `${id}@${number}` : id });
  });
}

/** Buttons that have a reconstruction, or the spectrogram it began with, made audible. */
export class Resynthesis {
  /** @param {HTMLElement} beneath @param {1 | 2} column @param {() => any} modelOf */
  constructor(beneath, column, modelOf) {
    this.column = column;
    this.modelOf = modelOf;
    this.element = document.createElement("div");
    this.element.className = "resynthesis";
    this.player = document.createElement("audio");
    this.player.controls = true;
    this.player.hidden = true;
    this.said = document.createElement("p");
    this.said.textContent = LABEL;
    const buttons = [["guess", "Hear the guess"], ["original", "Hear the whole spectrogram"]].map(([of, text]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = text;
      button.dataset.of = of;
      button.addEventListener("click", () => this.make(of));
      return button;
    });
    this.element.append(...buttons, this.player, this.said);
    beneath.after(this.element);
  }

  draw(model, key) {
    this.element.hidden = !model.sound;
    if (this.key === key) return;
    this.key = key; // of another picture or mask: what was made no longer belongs to what is seen
    this.forget();
  }

  forget() {
    if (this.player.src) URL.revokeObjectURL(this.player.src);
    this.player.removeAttribute("src");
    this.player.hidden = true;
    this.said.textContent = LABEL;
  }

  async make(of) {
    const mask = maskOf(this.column, this.modelOf());
    if (!mask) return;
    const key = this.key;
    this.element.setAttribute("aria-busy", "true");
    try {
      const file = await postForFile("api/sound", { ...mask, of });
      if (key !== this.key) return;
      this.forget();
      this.player.src = URL.createObjectURL(file);
      this.player.dataset.of = of;
      this.player.hidden = false;
      this.player.play().catch(() => {}); // where the browser wants a click on the player itself
    } catch (error) {
      if (key === this.key) this.said.textContent = error.message;
    } finally {
      this.element.removeAttribute("aria-busy");
    }
  }
}
