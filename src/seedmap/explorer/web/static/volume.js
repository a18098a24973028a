// Volumes of voxels, and slices through them.

import { packed } from "./colors.js";

/** -32768 in a map: outside the mask, or not a number. */
export const NOTHING = -32768;
const BRIGHTNESS = 0.9; // so that colours stand out from white matter
const OPAQUE_FROM = 40; // darker grey than this fades into the page: air has no colour

/** Inverse of an affine given as rows of four. */
export function inverse(m) {
  const [[a, b, c, x], [d, e, f, y], [g, h, i, z]] = m;
  const A = e * i - f * h, B = c * h - b * i, C = b * f - c * e;
  const det = a * A + d * B + g * C;
  const rows = [
    [A, B, C],
    [f * g - d * i, a * i - c * g, c * d - a * f],
    [d * h - e * g, b * g - a * h, a * e - b * d],
  ].map((row) => row.map((value) => value / det));
  return rows.map((row) => [...row, -(row[0] * x + row[1] * y + row[2] * z)]);
}

export function apply(m, [x, y, z]) {
  return m.map((row) => row[0] * x + row[1] * y + row[2] * z + row[3]).slice(0, 3);
}

/** A box of voxels in C order (the last index runs fastest). */
export class Volume {
  constructor(affine, shape, data) {
    this.affine = affine;
    this.back = inverse(affine);
    this.shape = shape;
    this.data = data;
    this.steps = [shape[1] * shape[2], shape[2], 1];
  }

  /** Position in `data` of the voxel that holds a place [mm]; -1 outside. */
  at(place) {
    let position = 0;
    const voxel = apply(this.back, place);
    for (let k = 0; k < 3; k++) {
      const index = Math.floor(voxel[k] + 0.5);
      if (index < 0 || index >= this.shape[k]) return -1;
      position += index * this.steps[k];
    }
    return position;
  }

  /** A slice in voxels: where its first pixel lies, and the steps to the right and down. */
  cut({ origin, right, down }) {
    const turn = (v) => this.back.map((row) => row[0] * v[0] + row[1] * v[1] + row[2] * v[2]);
    return { start: apply(this.back, origin), right: turn(right), down: turn(down) };
  }
}

/**
 * Sample a slice, linear between voxels. Where a neighbour has no value it is left out; where more
 * than half is missing, so is the sample. `nothing` marks missing voxels, and pixels of `out`.
 */
export function sample(volume, place, width, height, out, nothing) {
  const cut = volume.cut(place);
  const axis = (v) => {
    const big = v.map((value) => Math.abs(value) > 1e-6);
    return big.filter(Boolean).length === 1 ? big.indexOf(true) : -1;
  };
  const h = axis(cut.right), v = axis(cut.down);
  if (h < 0 || v < 0 || h === v) oblique(volume, cut, width, height, out, nothing);
  else straight(volume, cut, h, v, width, height, out, nothing);
}

// The grid lies along the slice: one plane between two layers of voxels, then row by row.
function straight(volume, { start, right, down }, h, v, width, height, out, nothing) {
  const plane = planeOf(volume, 3 - h - v, start[3 - h - v], h, v, nothing);
  const across = places(start[h], right[h], width, volume.shape[h]);
  const along = places(start[v], down[v], height, volume.shape[v]);
  const values = new Float32Array(plane.wide), weights = new Float32Array(plane.wide);
  for (let j = 0, pixel = 0; j < height; j++) {
    const f = along.rest[j], p = along.first[j] * plane.wide;
    let any = 0;
    for (let k = 0, q = p; k < plane.wide; k++, q++) {
      values[k] = plane.values[q] + (plane.values[q + plane.wide] - plane.values[q]) * f;
      weights[k] = plane.weights[q] + (plane.weights[q + plane.wide] - plane.weights[q]) * f;
      any += weights[k];
    }
    if (any === 0) {
      out.fill(nothing, pixel, pixel + width);
      pixel += width;
      continue;
    }
    for (let i = 0; i < width; i++, pixel++) {
      const k = across.first[i], g = across.rest[i];
      const weight = weights[k] + (weights[k + 1] - weights[k]) * g;
      if (weight > 0.5) out[pixel] = (values[k] + (values[k + 1] - values[k]) * g) / weight;
      else out[pixel] = nothing;
    }
  }
}

/** Values times weights, and weights, with a border of nothing all around. */
function planeOf(volume, through, at, h, v, nothing) {
  const { shape, steps, data } = volume;
  const wide = shape[h] + 2, values = new Float32Array(wide * (shape[v] + 2)), weights = new Float32Array(values.length);
  const layer = Math.floor(at);
  for (const [index, share] of [[layer, 1 - at + layer], [layer + 1, at - layer]]) {
    if (index < 0 || index >= shape[through] || share === 0) continue;
    for (let j = 0; j < shape[v]; j++) {
      let p = index * steps[through] + j * steps[v], q = (j + 1) * wide + 1;
      for (let i = 0; i < shape[h]; i++, p += steps[h], q++) {
        if (data[p] === nothing) continue;
        values[q] += share * data[p];
        weights[q] += share;
      }
    }
  }
  return { wide, values, weights };
}

/** For every pixel the voxel before it, in a plane with a border, and how far it is to the next. */
function places(start, step, count, size) {
  const first = new Int32Array(count), rest = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const place = Math.min(size + 0.999, Math.max(0, start + i * step + 1)); // beyond the last voxel is the border
    first[i] = Math.floor(place);
    rest[i] = place - first[i];
  }
  return { first, rest };
}

function oblique({ shape: [nx, ny, nz], steps: [sx, sy], data }, { start, right, down }, width, height, out, nothing) {
  for (let j = 0, pixel = 0; j < height; j++) {
    let x = start[0] + j * down[0], y = start[1] + j * down[1], z = start[2] + j * down[2];
    for (let i = 0; i < width; i++, pixel++, x += right[0], y += right[1], z += right[2]) {
      const a = Math.floor(x), b = Math.floor(y), c = Math.floor(z), u = x - a, v = y - b, w = z - c;
      let total = 0, weight = 0;
      for (let k = 0; k < 8; k++) {
        const l = a + (k >> 2), m = b + ((k >> 1) & 1), n = c + (k & 1);
        if (l < 0 || m < 0 || n < 0 || l >= nx || m >= ny || n >= nz) continue;
        const value = data[l * sx + m * sy + n];
        if (value === nothing) continue;
        const share = (k >> 2 ? u : 1 - u) * ((k >> 1) & 1 ? v : 1 - v) * (k & 1 ? w : 1 - w);
        total += value * share;
        weight += share;
      }
      out[pixel] = weight > 0.5 ? total / weight : nothing;
    }
  }
}

const RED_BLUE = 0xff00ff, GREEN = 0x00ff00, OPAQUE = 0xff000000;

/**
 * Lay a sampled map over sampled grey, and both over the colour of the paper. `colors` are the
 * tables of `colors.js`; `pixels` takes the four bytes of each at once, red first.
 */
export function compose(grey, map, { inks, opacities }, pixels, paper) {
  const shades = shadesOn(paper);
  for (let pixel = 0; pixel < grey.length; pixel++) {
    const shade = shades[grey[pixel]], value = map[pixel];
    if (value === NOTHING) {
      pixels[pixel] = OPAQUE | shade;
      continue;
    }
    const entry = (value >> 5) + 1024, ink = inks[entry], over = opacities[entry], under = 256 - over;
    const redBlue = (Math.imul(shade & RED_BLUE, under) + Math.imul(ink & RED_BLUE, over)) >>> 8;
    const green = ((shade & GREEN) * under + (ink & GREEN) * over) >>> 8;
    pixels[pixel] = OPAQUE | (redBlue & RED_BLUE) | (green & GREEN);
  }
}

/** Colours of the greys 0 to 255 on paper, given as #rrggbb. */
function shadesOn(paper) {
  const under = [1, 3, 5].map((at) => parseInt(paper.slice(at, at + 2), 16));
  return Int32Array.from({ length: 256 }, (_, grey) => {
    const tone = grey * BRIGHTNESS, alpha = Math.min(1, tone / OPAQUE_FROM);
    return packed(under.map((color) => color + (tone - color) * alpha));
  });
}
