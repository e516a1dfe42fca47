// The sources of pictures: samples, and files that are chosen, dropped or pasted.
import { upload } from "./api.js";
import { change, colourWords, shown, state } from "./state.js";

const KEPT = 6;
const message = document.getElementById("message");
const strip = document.getElementById("samples");
let newest = 0;

export function say(sentence) {
  message.textContent = sentence;
  message.hidden = !sentence;
}

export function choosePicture(id) {
  newest += 1; // ignore an unfinished upload
  say("");
  change({ picture: id });
}

/** @param {File} file */
async function send(file) {
  const number = ++newest;
  strip.setAttribute("aria-busy", "true");
  try {
    const { id } = await upload(file);
    const others = state.uploads.filter((each) => each.id !== id);
    state.uploads = [{ id, name: file.name || `pasted ${shown()[0]?.sound ? "recording" : "picture"}` }, ...others].slice(0, KEPT);
    if (number === newest) choosePicture(id);
    else change({});
  } catch (error) {
    if (number === newest) say(error.message);
  }
  strip.removeAttribute("aria-busy");
}

function first(list) {
  const [file] = list ?? [];
  if (file) send(file);
  return Boolean(file);
}

/** Accepts files from the button, from dropping and from pasting. */
export function listen() {
  const input = document.getElementById("file");
  input.addEventListener("change", () => {
    first(input.files);
    input.value = ""; // so that the same file may be chosen again
  });
  document.addEventListener("paste", (event) => first(event.clipboardData?.files));
  const over = (shows) => document.getElementById("drop").classList.toggle("over", shows);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    over(true);
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget || over(false));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    if (!first(event.dataTransfer.files)) say("This is not a file. Drop a file from a folder.");
  });
}

/** Draws the row of samples and uploads. */
export function drawSamples() {
  const pictures = [...state.uploads, ...state.samples];
  const [model] = shown();
  const ids = pictures.map(({ id }) => id).join() + colourWords(model);
  if (strip.dataset.ids !== ids) {
    strip.dataset.ids = ids;
    strip.replaceChildren(...pictures.map(({ id, name }) => {
      const button = document.createElement("button");
      const image = document.createElement("img");
      button.type = "button";
      button.dataset.id = id;
      button.title = name;
      button.addEventListener("click", () => choosePicture(id));
      image.src = `api/pictures/${id}?model=${model.id}${colourWords(model)}`;
      image.alt = name;
      button.append(image);
      return button;
    }));
  }
  const [chosen] = state.picture.split("@");
  for (const button of strip.children) button.setAttribute("aria-pressed", String(button.dataset.id === chosen));
}
