// Colours of the map: symmetric, of equal lightness on both sides, which colour-blind people distinguish.

// Orange for positive and blue for negative, from dark near zero to bright at the ends.
const POSITIVE = [[122, 38, 8], [196, 66, 8], [240, 122, 24], [252, 182, 58], [255, 232, 138]];
const NEGATIVE = [[12, 50, 120], [20, 96, 178], [46, 146, 224], [104, 192, 246], [182, 232, 255]];

/** Entries of a table: one for every 32 steps of an int16. */
export const ENTRIES = 2048;

function along(stops, share) {
  const place = Math.min(1, share) * (stops.length - 1);
  const first = Math.min(stops.length - 2, Math.floor(place));
  const rest = place - first;
  return stops[first].map((value, i) => value + (stops[first + 1][i] - value) * rest);
}

/** Colour of a value, given the value at which the colours end. */
export function colorOf(value, range) {
  return along(value < 0 ? NEGATIVE : POSITIVE, Math.abs(value) / range);
}

/** Opacity of a value. Below the threshold it falls with the square, or to nothing. */
export function alphaOf(value, { threshold, opacity, fade }) {
  const size = Math.abs(value);
  if (size >= threshold) return opacity;
  return fade ? opacity * (size / threshold) ** 2 * 0.85 : 0;
}

/** A colour as one number: red in the lowest byte. */
export const packed = ([red, green, blue]) => (Math.round(blue) << 16) | (Math.round(green) << 8) | Math.round(red);

/**
 * Tables from (int16 >> 5) + 1024 to colours, and to opacities in 256ths. `full` is r or z at
 * 32767.
 */
export function table(look, full) {
  const inks = new Int32Array(ENTRIES), opacities = new Int32Array(ENTRIES);
  for (let entry = 0; entry < ENTRIES; entry++) {
    const value = ((entry - ENTRIES / 2 + 0.5) / (ENTRIES / 2)) * full;
    inks[entry] = packed(colorOf(value, look.range));
    opacities[entry] = Math.round(256 * alphaOf(value, look));
  }
  return { inks, opacities };
}
