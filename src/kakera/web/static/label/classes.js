// The buttons of the classes, and their keys.
import { colourOf } from "./map.js";

const KEYS = "1234567890abcdefghijklmopqrstvwyz"; // n, u and x are commands
const place = document.getElementById("classes");

/** The number of the class of a key; −1 for other keys. */
export const keyOf = (key) => (key.length === 1 ? KEYS.indexOf(key) : -1);

function button(click) {
  const made = document.createElement("button");
  made.type = "button";
  made.dataset.testid = "class";
  made.append(...["i", "span", "b", "kbd"].map((tag) => document.createElement(tag)));
  made.addEventListener("click", () => click(made.dataset.name));
  return made;
}

/** Draws a button for each class; `label` is that of the shown file. Buttons are kept, so that none loses the focus. */
export function drawClasses({ classes, counts }, label, click) {
  while (place.children.length > classes.length) place.lastChild.remove();
  while (place.children.length < classes.length) place.append(button(click));
  classes.forEach((name, number) => {
    const own = place.children[number];
    const [square, text, count, key] = own.children;
    own.dataset.name = name;
    own.setAttribute("aria-pressed", String(label === name));
    square.style.background = colourOf(number);
    text.textContent = name;
    count.textContent = String(counts[number] ?? 0);
    key.textContent = KEYS[number] ?? "";
    key.hidden = !KEYS[number];
  });
}
