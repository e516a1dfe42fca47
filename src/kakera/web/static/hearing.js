// Audio: the window of a recording, and the reconstruction of its spectrogram.
import { postForFile } from "./api.js";
import { maskOf } from "./masking.js";
import { change, guide, state } from "./state.js";

const at = (id) => document.getElementById(id);
const LABEL = "Griffin-Lim: computed from the spectrogram alone. Phases are estimated; details between bands are lost.";

/** Draws the audio player and the number of the window. */
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

/** Buttons that play a reconstruction, or the original spectrogram. */
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
    this.note = document.createElement("p");
    this.note.textContent = LABEL;
    const buttons = [["guess", "Play the prediction"], ["original", "Play the original spectrogram"]].map(([of, text]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = text;
      button.dataset.of = of;
      button.addEventListener("click", () => this.make(of));
      return button;
    });
    this.element.append(...buttons, this.player, this.note);
    beneath.after(this.element);
  }

  draw(model, key) {
    this.element.hidden = !model.sound;
    if (this.key === key) return;
    this.key = key; // another picture or mask: the audio no longer belongs to what the page shows
    this.forget();
  }

  forget() {
    if (this.player.src) URL.revokeObjectURL(this.player.src);
    this.player.removeAttribute("src");
    this.player.hidden = true;
    this.note.textContent = LABEL;
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
      this.player.play().catch(() => {}); // some browsers require a click on the player itself
    } catch (error) {
      if (key === this.key) this.note.textContent = error.message;
    } finally {
      this.element.removeAttribute("aria-busy");
    }
  }
}
