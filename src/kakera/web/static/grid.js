// Patches and places. Patches count from 1, row by row. A place is {x, y}, both 0 … 1 of the picture, so that models
// with different grids can show the same place.

/** @typedef {{rows: number, cols: number}} Grid */
/** @typedef {{x: number, y: number}} Place */

const clamp = (number, least, most) => Math.min(Math.max(number, least), most);

/** The patch at a place. @param {Grid} grid @param {Place} place */
export function patchAt({ rows, cols }, { x, y }) {
  return clamp(Math.floor(y * rows), 0, rows - 1) * cols + clamp(Math.floor(x * cols), 0, cols - 1) + 1;
}

/** The centre of a patch. @param {Grid} grid @param {number} patch @returns {Place} */
export function centre({ rows, cols }, patch) {
  return { x: (((patch - 1) % cols) + 0.5) / cols, y: (Math.floor((patch - 1) / cols) + 0.5) / rows };
}

/** The centre of the patch `down` rows and `right` columns away; it stays inside the grid. */
export function step(grid, place, down, right) {
  const patch = patchAt(grid, place) - 1;
  const row = clamp(Math.floor(patch / grid.cols) + down, 0, grid.rows - 1);
  const column = clamp((patch % grid.cols) + right, 0, grid.cols - 1);
  return centre(grid, row * grid.cols + column + 1);
}

/** All patches between two places, so that a fast stroke leaves no gaps. */
export function between(grid, from, to) {
  const steps = Math.ceil(2 * Math.max(Math.abs(to.x - from.x) * grid.cols, Math.abs(to.y - from.y) * grid.rows)) || 1;
  const found = new Set();
  for (let i = 0; i <= steps; i++) {
    const share = i / steps;
    found.add(patchAt(grid, { x: from.x + share * (to.x - from.x), y: from.y + share * (to.y - from.y) }));
  }
  return found;
}

/** Converts patches to another grid: the patches of `to` whose centres they cover. @returns {Set<number>} */
export function onGrid(patches, from, to) {
  if (from.rows === to.rows && from.cols === to.cols) return new Set(patches);
  const found = new Set();
  for (let patch = 1; patch <= to.rows * to.cols; patch++) {
    if (patches.has(patchAt(from, centre(to, patch)))) found.add(patch);
  }
  return found;
}

/** Patch numbers as text, with ranges for neighbours: 1-3.7 @param {Iterable<number>} patches */
export function toRanges(patches) {
  const sorted = [...patches].sort((a, b) => a - b);
  const starts = sorted.filter((patch, i) => sorted[i - 1] !== patch - 1);
  const ends = sorted.filter((patch, i) => sorted[i + 1] !== patch + 1);
  return starts.map((start, i) => (start === ends[i] ? `${start}` : `${start}-${ends[i]}`)).join(".");
}

/** The inverse of `toRanges`; null if the text is not a list of numbers in 1 … most. @returns {Set<number> | null} */
export function fromRanges(text, most) {
  const found = new Set();
  if (text === "") return found;
  for (const range of text.split(".")) {
    const [, first, last = first] = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(range) ?? [];
    if (!(first >= 1) || Number(last) < Number(first) || Number(last) > most) return null;
    for (let patch = Number(first); patch <= Number(last); patch++) found.add(patch);
  }
  return found;
}

/** All patches in the rows or columns of the given patches. @param {Iterable<number>} patches @param {"row" | "col"} way */
export function stretched({ rows, cols }, patches, way) {
  const found = new Set();
  for (const patch of patches) {
    const [row, col] = [Math.floor((patch - 1) / cols), (patch - 1) % cols];
    if (way === "row") for (let c = 0; c < cols; c++) found.add(row * cols + c + 1);
    else for (let r = 0; r < rows; r++) found.add(r * cols + col + 1);
  }
  return found;
}

/** @param {Grid} grid @param {number} patch */
export function describe(grid, patch) {
  const [row, col] = [Math.floor((patch - 1) / grid.cols), (patch - 1) % grid.cols];
  if (!grid.across) return `Patch ${patch} (row ${row + 1}, column ${col + 1})`;
  const span = ({ edges, unit }, i, digits) => `${edges[i].toFixed(digits)} to ${edges[i + 1].toFixed(digits)} ${unit}`;
  return `Patch ${patch} (${span(grid.across, col, 2)}, ${span(grid.down, row, 0)})`;
}

/** The corresponding layer of another model: the last for the last, else the same number. */
export function sameLayer(layer, from, to) {
  if (typeof layer !== "number") return layer;
  return layer >= from.layers ? to.layers : Math.min(layer, to.layers);
}
