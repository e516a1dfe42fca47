// Colour scales; lightness shows the value. The stops equal those in kakera/explain/colour.py.
const RISING = [[12, 8, 38], [66, 24, 108], [150, 44, 102], [222, 92, 56], [250, 172, 48], [252, 250, 190]];
const SIGNED = [[10, 62, 130], [116, 164, 214], [246, 246, 244], [230, 150, 84], [130, 52, 6]];
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

const css = (stops) => `linear-gradient(to right, ${stops.map((s) => `rgb(${s.join(" ")})`).join(", ")})`;

/** 0 dark … `most` light, and −1 blue … 0 white … 1 brown. */
export const scales = {
  rising: { table: table(RISING), css: css(RISING), share: (value, most) => (most > 0 ? value / most : 0) },
  signed: { table: table(SIGNED), css: css(SIGNED), share: (value) => value / 2 + 0.5 },
};

/** An image with one pixel for each value. @param {ArrayLike<number>} values @param {{rows: number, cols: number}} grid */
export function image(values, { rows, cols }, scale, most) {
  const pixels = new ImageData(cols, rows);
  for (let i = 0; i < rows * cols; i++) {
    const index = Math.round(Math.min(Math.max(scale.share(values[i], most), 0), 1) * (STEPS - 1));
    for (let c = 0; c < 4; c++) pixels.data[4 * i + c] = scale.table[4 * index + c];
  }
  return pixels;
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
