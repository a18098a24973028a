// The regions of an atlas: which lies at a place, and their outlines on slices and on the cortex.

import { getBytes, getJson } from "./net.js";
import { Volume } from "./volume.js";

const FAINT = 0.6; // opacity of the outlines of all; the crosshair's region and the seed's are opaque

export class Regions {
  /** `labels` has the region at each position of the space, from 1; `volume` those of voxels, for slices. */
  constructor(list, labels, volume) {
    Object.assign(this, { list, labels, volume });
  }

  /** Ask for the regions of what an app shows; null where there is no atlas. */
  static async of(app) {
    if (!app.run.regions) return null;
    const [list, bytes] = await Promise.all([getJson("regions"), getBytes("labels")]);
    const labels = new Uint16Array(bytes), { affine, shape } = app.map;
    return new Regions(list, labels, new Volume(affine, shape, app.inBox(labels)));
  }

  nameOf(number) {
    return this.list[number - 1]?.name ?? "";
  }

  /** The place of a region that is in its middle. */
  placeOf(number) {
    return [...this.list[number - 1].place];
  }

  /** The number of a region by its name; 0 for none. */
  called(name) {
    return this.list.findIndex((one) => one.name === name) + 1;
  }

  /** Outline regions on the pixels of a slice; see `marks`. */
  onSlice(slice, marks) {
    const { width, height } = slice.image, key = `${slice.key}|${width}x${height}`;
    if (slice.outlines?.key !== key) slice.outlines = { key, edges: edgesOf(labelsOn(this.volume, slice), width) };
    draw(slice.outlines.edges, slice.pixels, marks);
  }

  /** Outline regions on the pixels of a view of the cortex. */
  onCortex(raster, pixels, marks) {
    raster.edges ??= edgesOf(raster.labelsOf(this.labels), raster.width);
    draw(raster.edges, pixels, marks);
  }
}

/** What is outlined: all regions or none; strongly the one at the crosshair, and the seed. */
export function marks({ outlines, region }, at, ink) {
  return { all: outlines, at: outlines ? at : 0, seed: region, line: rgb(ink.outline), green: rgb(ink.seed) };
}

/** The number of the voxel that holds each pixel of a slice; 0 outside. */
export function labelsOn(volume, { image: { width, height }, place }) {
  const cut = volume.cut(place), labels = new Uint16Array(width * height), { data } = volume;
  const along = [0, 1, 2].map((k) => Math.abs(cut.right[k]) < 1e-6 || Math.abs(cut.down[k]) < 1e-6);
  if (!along.every(Boolean)) return oblique(volume, cut, width, height, labels);
  const down = offsets(volume, cut, (k) => Math.abs(cut.right[k]) < 1e-6, cut.down, height);
  const right = offsets(volume, { start: cut.start }, (k) => Math.abs(cut.right[k]) >= 1e-6, cut.right, width);
  for (let j = 0, pixel = 0; j < height; j++) {
    if (down[j] < 0) {
      pixel += width;
      continue;
    }
    for (let i = 0; i < width; i++, pixel++) if (right[i] >= 0) labels[pixel] = data[down[j] + right[i]];
  }
  return labels;
}

/** What some axes add to the position of a voxel, at each step; -1 outside. */
function offsets({ shape, steps }, { start }, takes, step, count) {
  return Int32Array.from({ length: count }, (_, n) => {
    let at = 0;
    for (let k = 0; k < 3; k++) {
      if (!takes(k)) continue;
      const index = Math.floor(start[k] + n * step[k] + 0.5);
      if (index < 0 || index >= shape[k]) return -1;
      at += index * steps[k];
    }
    return at;
  });
}

function oblique({ shape, steps, data }, { start, right, down }, width, height, labels) {
  for (let j = 0, pixel = 0; j < height; j++) {
    for (let i = 0; i < width; i++, pixel++) {
      let at = 0;
      for (let k = 0; k < 3 && at >= 0; k++) {
        const index = Math.floor(start[k] + i * right[k] + j * down[k] + 0.5);
        at = index < 0 || index >= shape[k] ? -1 : at + index * steps[k];
      }
      if (at >= 0) labels[pixel] = data[at];
    }
  }
  return labels;
}

/** Pairs of neighbouring pixels that lie in different regions, with these: four numbers a pair. */
function edgesOf(labels, width) {
  const edges = [];
  for (let pixel = 0; pixel + 1 < labels.length; pixel++) {
    const one = labels[pixel];
    if ((pixel + 1) % width && labels[pixel + 1] !== one) edges.push(pixel, pixel + 1, one, labels[pixel + 1]);
    const below = labels[pixel + width];
    if (below !== undefined && below !== one) edges.push(pixel, pixel + width, one, below);
  }
  return Int32Array.from(edges);
}

function draw(edges, pixels, { all, at, seed, line, green }) {
  if (all) for (let n = 0; n < edges.length; n += 4) blend(pixels, edges[n], line, FAINT);
  for (const [region, color] of [[at, line], [seed, green]]) {
    if (!region) continue;
    for (let n = 0; n < edges.length; n += 4) {
      if (edges[n + 2] !== region && edges[n + 3] !== region) continue;
      blend(pixels, edges[n], color, 1);
      blend(pixels, edges[n + 1], color, 1);
    }
  }
}

/** Lay a colour over a pixel, whose lowest byte is red. */
function blend(pixels, at, color, share) {
  const under = pixels[at];
  let mixed = 0xff000000;
  for (let k = 0; k < 3; k++) {
    const before = (under >> (8 * k)) & 255;
    mixed |= Math.round(before + (color[k] - before) * share) << (8 * k);
  }
  pixels[at] = mixed;
}

const rgb = (text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
