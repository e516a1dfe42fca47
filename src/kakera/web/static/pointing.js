// Pointer, touch and keyboard: select, pin, hide or show patches.
import { placeOf } from "./canvas.js";
import { between, centre, patchAt, step } from "./grid.js";
import { hiddenOn, leader, paint, painting } from "./masking.js";
import { change, state } from "./state.js";

const same = (model, one, other) => patchAt(model, one) === patchAt(model, other);

/** The place of the cursor: under the pointer, else on the selected patch. */
export const cursor = () => state.cursor ?? state.at;

function move(model, place) {
  const middle = centre(model, patchAt(model, place));
  if (state.cursor && state.cursor.x === middle.x && state.cursor.y === middle.y) return;
  change(state.pinned ? { cursor: middle } : { cursor: middle, at: middle });
}

function pin(model, place) {
  const middle = centre(model, patchAt(model, place));
  change({ cursor: middle, pinned: !(state.pinned && same(model, middle, state.at)), at: middle });
}

/** Makes a map show its value under the pointer; a click pins the patch. @param {() => any} modelOf */
export function pointable(canvas, modelOf) {
  const placeIn = (event) => placeOf(canvas, event, modelOf());
  const over = (event) => modelOf() && change({ cursor: centre(modelOf(), patchAt(modelOf(), placeIn(event))) });
  canvas.addEventListener("pointermove", over);
  canvas.addEventListener("pointerleave", () => change({ cursor: null }));
  canvas.addEventListener("click", (event) => modelOf() && pin(modelOf(), placeIn(event)));
}

/** Makes the maps follow the pointer; with "Hide patches" on, a stroke hides or shows patches. */
export function paintable(canvas, modelOf) {
  /** the current stroke: {last, hide} */
  let stroke = null;

  canvas.addEventListener("pointerdown", (event) => {
    if (!painting() || !modelOf() || !event.isPrimary || event.button !== 0) return;
    const model = modelOf();
    const place = placeOf(canvas, event, model);
    const patch = patchAt(model, place);
    stroke = { last: place, hide: !hiddenOn(model)?.has(patch) };
    canvas.setPointerCapture(event.pointerId);
    paint(model, [patch], stroke.hide);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!modelOf()) return;
    const place = placeOf(canvas, event, modelOf());
    if (stroke && event.isPrimary) {
      paint(modelOf(), between(modelOf(), stroke.last, place), stroke.hide);
      stroke.last = place;
    }
    move(modelOf(), place);
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (stroke = null));
  canvas.addEventListener("pointerleave", () => change({ cursor: null }));
  canvas.addEventListener("click", (event) => modelOf() && !painting() && pin(modelOf(), placeOf(canvas, event, modelOf())));
}

const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** Arrow keys move the cursor, Enter pins, Space hides or shows. */
export function withKeys(canvas, modelOf) {
  canvas.addEventListener("keydown", (event) => {
    const model = modelOf();
    if (!model || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in ARROWS) {
      const [down, right] = ARROWS[event.key];
      move(model, step(model, cursor(), model.upwards ? -down : down, right));
    }
    else if (event.key === "Enter") pin(model, cursor());
    else if (event.key === "Escape") change({ pinned: false, at: cursor() });
    else if (event.key === " " && leader()) {
      const patch = patchAt(model, cursor());
      change({ hiding: true });
      paint(model, [patch], !hiddenOn(model)?.has(patch));
    } else return;
    event.preventDefault();
  });
}
