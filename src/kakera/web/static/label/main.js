// Builds the page: keys, buttons, the shown file, progress, and the map.
import { drawClasses, keyOf } from "./classes.js";
import { FileMap } from "./map.js";
import { drawProgress, per } from "./progress.js";
import { fetchBatch, fetchProgress, label, marked, select, shown, state, step, undo } from "./state.js";
import { scales } from "../colour.js";

const MANY = 12; // thumbnails of a selection
const SMALL = 200; // pixels: smaller pictures are enlarged without blur
const at = (id) => document.getElementById(id);
const classes = () => state.progress?.classes ?? [];
const map = new FileMap(at("map"), picked);

function say(text, kind = "error") {
  at("message").hidden = !text;
  at("message").dataset.kind = kind;
  at("message").textContent = text;
}

/** Runs one action at a time; an error is a message, and nothing else happens. */
async function act(action) {
  if (state.busy) return;
  state.busy = true;
  at("stage").setAttribute("aria-busy", "true");
  try {
    await action();
    state.busy = false; // before drawing, which waits for the picture
    draw();
  } catch (error) {
    say(error.message);
    state.busy = false;
    at("stage").setAttribute("aria-busy", "false");
  }
}

const next = () => (state.queue.length ? undefined : fetchBatch(at("choose").value === "1").then(() => map.refresh()));

function click(name) {
  if (!marked().length || !showsIt()) return;
  act(async () => {
    const { files, before, notes } = await label(name, at("person").value.trim());
    say(notes.length > 3 ? `${notes.length} files had a label of another person; it is kept in the table` : notes.join("; "), "note");
    map.relabel(files, name ? classes().indexOf(name) : -2, classes());
    map.marked.clear();
    const what = files.length === 1 ? before?.name ?? "1 file" : `${files.length} files`;
    const expected = before?.predicted ? `; the head expected ${before.predicted} (${per(before.likely)})` : "";
    at("status").textContent = name ? `${what}: ${name}${expected}` : `${what}: skipped`;
    await next();
  });
}

/** True once the file is on the screen: a key pressed too early must not label a file that nobody has seen. */
const showsIt = () => state.many.length > 0 || at("stage").dataset.file === String(shown()?.file);

function picked(files) {
  if (files.length === 1) act(() => select(files[0]));
  else {
    Object.assign(state, { many: files, single: null });
    draw();
  }
}

function drawFile() {
  const file = shown();
  const many = state.many.length;
  at("file-title").textContent = many ? `${many} selected files` : file?.name ?? "No file left";
  at("nothing").hidden = Boolean(file) || many > 0;
  at("nothing").textContent = "All files have a label, or other people are labelling the rest.";
  const said = !file || many ? "" : file.label === null ? "" : file.label ? `labelled ${file.label}` : "skipped";
  const head = file?.predicted && file.label !== null ? `; the head predicts ${file.predicted}` : "";
  at("told").textContent = many ? "A class labels all of them." : said + head;
  at("picture").hidden = !file;
  if (!file) {
    at("stage").setAttribute("aria-busy", "false");
    at("sound").hidden = true;
    delete at("stage").dataset.file;
    return;
  }
  if (at("picture").dataset.file !== String(file.file)) {
    delete at("stage").dataset.file;
    at("stage").setAttribute("aria-busy", "true");
    Object.assign(at("picture"), { src: `api/files/${file.file}/picture`, alt: `The file ${file.name}` });
    at("picture").dataset.file = String(file.file);
    at("sound").hidden = state.progress.kind !== "recordings";
    if (!at("sound").hidden) at("sound").src = `api/files/${file.file}/sound`;
  } else {
    at("stage").setAttribute("aria-busy", String(at("stage").dataset.file === undefined));
  }
}

at("picture").addEventListener("load", () => {
  at("picture").classList.toggle("small", at("picture").naturalWidth < SMALL);
  at("stage").dataset.file = at("picture").dataset.file;
  at("stage").setAttribute("aria-busy", "false");
});
at("picture").addEventListener("error", async () => {
  at("stage").dataset.file = at("picture").dataset.file; // it can be skipped
  at("stage").setAttribute("aria-busy", "false");
  const answer = await fetch(at("picture").src).catch(() => undefined);
  const body = await answer?.json().catch(() => undefined);
  say(body?.detail ?? "The server does not respond.");
});

function drawMap() {
  at("clear").hidden = !state.many.length && !state.single;
  map.marked = new Set(state.many.length ? state.many : shown() ? [shown().file] : []);
  map.draw();
  const rows = map.legend().map(([key, text, colour, count]) => {
    const [item, button, square] = ["li", "button", "i"].map((tag) => document.createElement(tag));
    button.type = "button";
    button.setAttribute("aria-pressed", String(map.only === key));
    square.style.background = colour;
    button.append(square, `${text} (${count})`);
    button.addEventListener("click", () => {
      map.only = map.only === key ? null : key;
      drawMap();
    });
    item.append(button);
    return item;
  });
  if (map.way === "suspicion") {
    const [item, bar] = ["li", "i"].map((tag) => document.createElement(tag));
    item.className = "scale";
    bar.style.background = scales.rising.css;
    if (document.documentElement.dataset.theme !== "dark") bar.style.transform = "scaleX(-1)";
    const suspects = document.createElement("button");
    Object.assign(suspects, { type: "button", textContent: "Show the most suspicious labels" });
    suspects.addEventListener("click", () => thumbnails(map.suspects(MANY), "Labels that the head doubts most"));
    item.append("sure", bar, "doubtful", suspects);
    rows.push(item);
  }
  at("legend").replaceChildren(...rows);
  const share = map.places ? ` The two axes keep ${per(map.places.share)} of the variance.` : "";
  at("map-note").textContent = `Similar files are near each other. Click a point to see its file, or drag a rectangle.${share}`;
  if (state.many.length) thumbnails(state.many.slice(0, MANY), `${state.many.length} selected files`);
  else if (!state.single) at("picked").hidden = true;
}

function thumbnails(files, title) {
  const head = document.createElement("p");
  head.textContent = files.length ? title : "None";
  const buttons = files.map((file) => {
    const [button, image] = ["button", "img"].map((tag) => document.createElement(tag));
    button.type = "button";
    Object.assign(image, { src: `api/files/${file}/picture`, alt: `File ${file}` });
    button.append(image);
    button.addEventListener("click", () => act(() => select(file)));
    return button;
  });
  at("picked").replaceChildren(head, ...buttons);
  at("picked").hidden = false;
}

function draw() {
  if (!state.progress) return;
  drawFile();
  drawClasses(state.progress, state.many.length ? undefined : shown()?.label, click);
  drawProgress(state.progress);
  at("undo").disabled = !state.progress.labelled && !state.progress.skipped;
  at("back").disabled = !state.history.length;
  drawMap();
}

function back() {
  act(async () => step(-1));
}

const takeBack = () =>
  act(async () => {
    const files = await undo();
    say("");
    at("status").textContent = `undone: ${files.length === 1 ? files[0].name : `${files.length} files`}`;
    await map.refresh();
  });

function press(event) {
  const inField = event.target.closest?.("input, select, textarea");
  if (event.key === "Escape") {
    if (inField) event.target.blur();
    else act(async () => step(1));
    return;
  }
  if (inField || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  const key = event.key.toLowerCase();
  if (key === " " && event.target.closest?.("button, summary, audio")) return;
  const actions = { u: takeBack, x: () => click(""), " ": () => click(""), n: () => at("new-class").focus() };
  actions.arrowleft = back;
  actions.arrowright = () => act(async () => step(1));
  const number = keyOf(key);
  if (actions[key]) actions[key]();
  else if (number >= 0 && number < classes().length) click(classes()[number]);
  else return;
  event.preventDefault();
}

function remember() {
  try {
    at("person").value = localStorage.getItem("kakera-person") ?? "";
    at("person").addEventListener("change", () => localStorage.setItem("kakera-person", at("person").value));
  } catch {
    // storage is switched off: the name lasts as long as the page
  }
}

document.addEventListener("keydown", press);
at("skip").addEventListener("click", () => click(""));
at("undo").addEventListener("click", takeBack);
at("back").addEventListener("click", back);
at("clear").addEventListener("click", () => act(async () => step(1)));
at("colours").addEventListener("change", () => {
  Object.assign(map, { way: at("colours").value, only: null });
  at("picked").hidden = true;
  drawMap();
});
at("add").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = at("new-class").value.trim();
  if (!name) return;
  click(name);
  at("new-class").value = "";
  at("new-class").blur();
});
new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
remember();
act(async () => {
  await fetchProgress();
  await Promise.all([next(), map.load()]);
});
