// Colour scales: CIE L* rises in proportion to the value. The stops equal those in kakera/explain/colour.py.
const RISING = [
  [28, 17, 73], [74, 24, 109], [130, 26, 124], [188, 29, 118], [233, 61, 94],
  [255, 112, 65], [255, 166, 54], [253, 211, 94], [255, 248, 191],
];
const SIGNED = [
  [0, 37, 69], [1, 59, 106], [1, 85, 133], [68, 110, 141], [132, 132, 132],
  [187, 152, 110], [233, 176, 85], [255, 208, 104], [255, 244, 199],
];
const STEPS = 256;

function table(stops) {
  const colours = new Uint8ClampedArray(4 * STEPS);
  for (let i = 0; i < STEPS; i++) {
    const place = (i / (STEPS - 1)) * (stops.length - 1);
    const left = Math.min(Math.floor(place), stops.length - 2);
    const share = place - left;
    for (let c = 0; c < 3; c++) colours[4 * i + c] = stops[left][c] * (1 - share) + stops[left + 1][c] * share;
    colours[4 * i + 3] = 255;
  }
  return colours;
}

/** 0 dark … `most` light, and −1 dark blue … 0 grey … 1 light yellow. */
export const scales = {
  rising: { table: table(RISING), share: (value, most) => (most > 0 ? value / most : 0) },
  signed: { table: table(SIGNED), share: (value) => value / 2 + 0.5 },
};

/** An image with one pixel for each value. @param {ArrayLike<number>} values @param {{rows: number, cols: number}} grid */
export function image(values, { rows, cols }, scale, most) {
  const pixels = new ImageData(cols, rows);
  for (let i = 0; i < rows * cols; i++) paint(pixels, i, scale, placeOn(scale, values[i], most) + 0.5);
  return pixels;
}

/** All colours of a scale, from left to right. */
export function bar(scale) {
  const pixels = new ImageData(STEPS, 1);
  pixels.data.set(scale.table);
  return pixels;
}

/** The place of a value on a scale, 0 … STEPS − 1. */
const placeOn = (scale, value, most) => Math.min(Math.max(scale.share(value, most), 0), 1) * (STEPS - 1);

function paint(pixels, i, { table: colours }, place) {
  const index = 4 * Math.min(Math.max(Math.floor(place), 0), STEPS - 1);
  for (let c = 0; c < 4; c++) pixels.data[4 * i + c] = colours[index + c];
}

const DETAIL = 0.25; // difference of the picture inside a cell, as a share of the scale, for black beside white
const LEVELS = 64; // shades between two colours of the table, as mixtures inside a cell

/** The size of a cell of a map in pixels: whole pixels of the picture, and enough of them to mix shades. */
export function cellOf({ patch: [high, wide] }) {
  const least = Math.sqrt(LEVELS);
  return { high: high * Math.ceil(least / high), wide: wide * Math.ceil(least / wide) };
}

/**
 * An image of a map with the details of a picture inside its cells, like `over` in kakera/explain/colour.py: the mean
 * over a cell is the lightness of its value. Between two colours of the table, a cell is a mixture of both, so cells
 * whose values differ little do so too.
 *
 * @param {ArrayLike<number>} values @param {{rows: number, cols: number, patch: number[]}} grid
 * @param {Uint8ClampedArray | null} grey the picture as RGBA, one pixel for each pixel of the image
 */
export function over(values, grid, scale, most, grey) {
  const { high, wide } = cellOf(grid);
  const width = grid.cols * wide;
  const pixels = new ImageData(width, grid.rows * high);
  for (let cell = 0; cell < grid.rows * grid.cols; cell++) {
    const first = Math.floor(cell / grid.cols) * high * width + (cell % grid.cols) * wide;
    const at = (k) => first + Math.floor(k / wide) * width + (k % wide);
    const place = placeOn(scale, values[cell], most);
    const [mean, amount] = grey ? detailOf(grey, at, high * wide, place) : [0, 0];
    for (let k = 0; k < high * wide; k++) {
      const shade = (((k * 37) % LEVELS) + 0.5) / LEVELS; // 37: neighbours get different shades
      const more = amount ? amount * (grey[4 * at(k)] - mean) : 0;
      paint(pixels, at(k), scale, place + more + shade);
    }
  }
  return pixels;
}

/** The mean of a picture in a cell, and the factor of its differences that keeps them inside the scale. */
function detailOf(grey, at, count, place) {
  let [sum, least, greatest] = [0, 255, 0];
  for (let k = 0; k < count; k++) {
    const value = grey[4 * at(k)];
    sum += value;
    least = Math.min(least, value);
    greatest = Math.max(greatest, value);
  }
  const mean = sum / count;
  const room = Math.min(place, STEPS - 1 - place) / Math.max(greatest - mean, mean - least, 1e-6);
  return [mean, Math.min((DETAIL * (STEPS - 1)) / 255, room)];
}

/** @param {ArrayLike<number>} values */
export function largest(values) {
  let most = 0;
  for (let i = 0; i < values.length; i++) if (values[i] > most) most = values[i];
  return most;
}

/** A number with three significant digits. */
export function figure(value) {
  if (value === 0) return "0";
  return Math.abs(value) < 0.001 ? value.toExponential(1).replace("-", "−") : value.toPrecision(3).replace("-", "−");
}
