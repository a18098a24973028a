// Three slices through one place: drawing them, and pointing into them.

import { write } from "./painter.js";
import { marks } from "./regions.js";
import { NOTHING, compose, sample } from "./volume.js";

const MOST_PER_MM = 2; // pixels: finer than any run, and quick without a graphics card
const AIR = -1; // no underlay has such a voxel; kept as 0, which is as dark
const SLOP = 3; // CSS pixels that a pointer may move before a click becomes a drag
const MARGIN = 6; // mm around the brain
const MOST_WIDER = 20; // mm
const VISIBLE = 40; // grey value
// For each axis that is cut through: the axis to the right and the axis upwards.
export const PLANES = [[1, 2], [0, 2], [0, 1]];
export const NAMES = ["Sagittal", "Coronal", "Axial"];
const ENDS = [["L", "R"], ["P", "A"], ["I", "S"]];

/** The part of space that is shown [mm], for a brain of which corners are given, and heights of its samples (Float32Array) where many slices are. */
export class View {
  constructor(low, high, heights = Float32Array.of(low[2], high[2])) {
    this.low = low.map((value) => value - MARGIN);
    this.high = high.map((value) => value + MARGIN);
    this.brain = [0.02, 0.98].map((share) => heights.sort()[Math.floor(share * (heights.length - 1))]);
    this.radiological = false;
  }

  /** The view around the places of many samples [mm]. */
  static around(places) {
    const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
    const heights = [];
    for (const place of places) {
      heights.push(place[2]);
      for (let k = 0; k < 3; k++) {
        low[k] = Math.min(low[k], place[k]);
        high[k] = Math.max(high[k], place[k]);
      }
    }
    return new View(low, high, Float32Array.from(heights));
  }

  /** Widen the cuts to what the underlay shows beyond the brain's mask, but not for a neck. */
  widen(underlay) {
    const { shape, steps, data, affine } = underlay;
    for (let axis = 0; axis < 3; axis++) {
      const [a, b] = PLANES[axis];
      const seen = (index) => {
        for (let i = 0; i < shape[a]; i += 2) {
          for (let j = 0, p = index * steps[axis] + i * steps[a]; j < shape[b]; j += 2, p += 2 * steps[b]) {
            if (data[p] > VISIBLE) return true;
          }
        }
        return false;
      };
      let first = 0, last = shape[axis] - 1;
      while (first < last && !seen(first)) first++;
      while (last > first && !seen(last)) last--;
      const row = affine[axis];
      if (Math.abs(row[axis]) < 1e-6 || Math.abs(row[a]) + Math.abs(row[b]) > 1e-6) continue; // turned: leave it
      const ends = [first, last].map((index) => row[axis] * index + row[3]).sort((x, y) => x - y);
      this.low[axis] = Math.max(this.low[axis] - MOST_WIDER, Math.min(this.low[axis], ends[0] - MARGIN));
      this.high[axis] = Math.min(this.high[axis] + MOST_WIDER, Math.max(this.high[axis], ends[1] + MARGIN));
    }
  }

  size(axis) {
    return this.high[axis] - this.low[axis];
  }

  flipped(axis) {
    return axis === 0 && this.radiological;
  }
}

/** Pixels of one slice, at some pixels per mm. The underlay is sampled anew only where it changed. */
export class Slice {
  constructor(axis) {
    this.axis = axis;
  }

  /** Sample the underlay, if it is not there yet. What waits for a map can do so already. */
  prepare(view, underlay, at, perMm) {
    const [h, v] = PLANES[this.axis];
    const fine = Math.min(MOST_PER_MM, perMm);
    const width = Math.max(1, Math.round(view.size(h) * fine));
    const height = Math.max(1, Math.round(view.size(v) * fine));
    if (this.image?.width !== width || this.image.height !== height) {
      this.image = new ImageData(width, height);
      this.pixels = new Uint32Array(this.image.data.buffer);
      this.grey = new Uint8ClampedArray(width * height);
      this.steps = new Int16Array(width * height);
      this.key = "";
    }
    const key = [at[this.axis], view.flipped(h), underlay.key, view.low, view.high].join();
    if (key === this.key) return;
    this.key = key;
    this.place = this.placeOf(view, at, width, height);
    sample(underlay, this.place, width, height, this.grey, AIR);
  }

  render(view, underlay, map, at, colors, perMm, paper) {
    this.prepare(view, underlay, at, perMm);
    const { width, height } = this.image;
    sample(map, this.place, width, height, this.steps, NOTHING);
    compose(this.grey, this.steps, colors, this.pixels, paper);
  }

  /** Put the pixels onto a canvas at some device pixels; as they are where they fit, else scaled. */
  show(c, left, top, width, height) {
    const { image } = this;
    if (image.width === width && image.height === height) {
      c.putImageData(image, left, top);
      return;
    }
    this.canvas ??= document.createElement("canvas");
    if (this.canvas.width !== image.width || this.canvas.height !== image.height) {
      Object.assign(this.canvas, { width: image.width, height: image.height });
    }
    this.canvas.getContext("2d").putImageData(image, 0, 0);
    c.drawImage(this.canvas, left, top, width, height);
  }

  placeOf(view, at, width, height) {
    const [h, v] = PLANES[this.axis];
    const dx = view.size(h) / width, dy = view.size(v) / height;
    const origin = [...at], right = [0, 0, 0], down = [0, 0, 0];
    right[h] = view.flipped(h) ? -dx : dx;
    origin[h] = (view.flipped(h) ? view.high[h] : view.low[h]) + right[h] / 2;
    down[v] = -dy;
    origin[v] = view.high[v] - dy / 2;
    return { origin, right, down };
  }
}

/** One slice on the page. */
export class Pane {
  constructor(figure, app, axis = Number(figure.dataset.axis)) {
    this.axis = axis;
    this.figure = figure;
    this.caption = figure.querySelector("figcaption");
    this.canvas = figure.querySelector("canvas");
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.slice = new Slice(this.axis);
    this.app = app;
    this.bindEvents();
  }

  /** Take the size the page gives; return how many CSS pixels a mm may take. */
  measure(view) {
    const { clientWidth, clientHeight } = this.canvas;
    this.ratio = window.devicePixelRatio || 1;
    const width = Math.round(clientWidth * this.ratio), height = Math.round(clientHeight * this.ratio);
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    const [h, v] = PLANES[this.axis];
    return Math.min(clientWidth / view.size(h), clientHeight / view.size(v));
  }

  prepare(view, underlay, state) {
    if (this.scale) this.slice.prepare(view, underlay, state.at, this.scale * this.ratio);
  }

  draw(view, underlay, map, state, colors, scale, ink) {
    Object.assign(this, { view, scale });
    const [h, v] = PLANES[this.axis], c = this.context, { canvas, ratio } = this;
    this.slice.render(view, underlay, map, state.at, colors, scale * ratio, ink.pane);
    this.app.near?.onSlice(this.slice);
    this.outline(this.slice, ink);
    const width = Math.round(view.size(h) * scale * ratio), height = Math.round(view.size(v) * scale * ratio);
    const left = Math.round((canvas.width - width) / 2), top = Math.round((canvas.height - height) / 2);
    this.left = left / ratio;
    this.top = top / ratio;
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.fillStyle = ink.pane;
    c.fillRect(0, 0, canvas.width, canvas.height);
    this.slice.show(c, left, top, width, height);
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawCrosshair(c, this.toPixel(state.at), this, ink);
    drawSeed(c, this, state, ink);
    drawLetters(c, this, ink);
    const axis = "xyz"[this.axis];
    write(this.caption, `${axis} = ${Math.round(state.at[this.axis] * 10) / 10}`.replace("-", "−"));
    this.caption.dataset.plane = NAMES[this.axis];
  }

  /** Draw the regions of an atlas over a slice. */
  outline(slice, ink) {
    const { regions, state } = this.app;
    regions?.onSlice(slice, marks(state, this.app.regionAt(state.at), ink));
  }

  toPixel(place) {
    const [h, v] = PLANES[this.axis], view = this.view;
    const across = view.flipped(h) ? view.high[h] - place[h] : place[h] - view.low[h];
    return [this.left + across * this.scale, this.top + (view.high[v] - place[v]) * this.scale];
  }

  /** Place [mm] under a pointer; the third coordinate is that of the slice. */
  toPlace(event) {
    const [h, v] = PLANES[this.axis], view = this.view, box = this.canvas.getBoundingClientRect();
    const across = (event.clientX - box.left - this.left) / this.scale;
    const place = this.app.state.at.slice(0, 3);
    place[h] = view.flipped(h) ? view.high[h] - across : view.low[h] + across;
    place[v] = view.high[v] - (event.clientY - box.top - this.top) / this.scale;
    return place.map((value, k) => Math.min(view.high[k], Math.max(view.low[k], value)));
  }

  bindEvents() {
    const { canvas, app } = this;
    this.held = false;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 && !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      this.held = true;
      this.start = [event.clientX, event.clientY];
      const seed = event.shiftKey && (event.ctrlKey || event.metaKey);
      app.move(this.toPlace(event), { first: true, seed });
      canvas.focus({ preventScroll: true });
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (this.start && Math.hypot(event.clientX - this.start[0], event.clientY - this.start[1]) > SLOP) this.start = null;
      if (this.held && !this.start) app.move(this.toPlace(event));
      app.hover(this.toPlace(event));
    });
    const release = () => {
      const held = this.held;
      this.held = false;
      if (held) app.settle();
    };
    canvas.addEventListener("pointerup", release);
    canvas.addEventListener("pointercancel", release);
    canvas.addEventListener("pointerleave", () => app.hover(null));
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      app.through(this.axis, event.deltaY < 0 ? 1 : -1);
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const [h, v] = PLANES[this.axis], app = this.app;
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const sign = this.view.flipped(h) ? -1 : 1;
    const steps = {
      ArrowLeft: [h, -sign], ArrowRight: [h, sign], ArrowUp: [v, 1], ArrowDown: [v, -1],
      PageUp: [this.axis, 1], PageDown: [this.axis, -1],
    };
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key in steps) app.through(...steps[key]);
    else if (!app.act(key)) return;
    event.preventDefault();
  }
}

export function drawCrosshair(c, [x, y], pane, ink) {
  const gap = 9, { clientWidth, clientHeight } = pane.canvas;
  c.strokeStyle = ink.cross;
  c.lineWidth = 1;
  c.beginPath();
  const px = Math.round(x) + 0.5, py = Math.round(y) + 0.5;
  for (const [x0, y0, x1, y1] of [[px, 0, px, py - gap], [px, py + gap, px, clientHeight], [0, py, px - gap, py], [px + gap, py, clientWidth, py]]) {
    c.moveTo(x0, y0);
    c.lineTo(x1, y1);
  }
  c.stroke();
}

// The seed is a ring: the sphere where this slice cuts it. That of a region is its outline.
export function drawSeed(c, pane, state, ink) {
  if (state.region) return;
  const away = Math.abs(state.seed[pane.axis] - state.at[pane.axis]);
  const radius = Math.max(state.radius, 2);
  if (away > radius) return;
  const [x, y] = pane.toPixel(state.seed);
  const ring = Math.max(3, Math.sqrt(radius ** 2 - away ** 2) * pane.scale);
  for (const [style, width] of [[ink.halo, 4], [ink.seed, 2]]) {
    c.strokeStyle = style;
    c.lineWidth = width;
    c.beginPath();
    c.arc(x, y, ring, 0, 2 * Math.PI);
    c.stroke();
  }
}

function drawLetters(c, pane, ink) {
  const [h, v] = PLANES[pane.axis], { clientWidth, clientHeight } = pane.canvas;
  const aside = Math.max(8, pane.left - 8);
  const [low, high] = pane.view.flipped(h) ? [...ENDS[h]].reverse() : ENDS[h];
  c.fillStyle = ink.quiet;
  c.strokeStyle = ink.halo;
  c.lineWidth = 3;
  c.font = "600 12px system-ui, sans-serif";
  c.textBaseline = "middle";
  const write = (letter, align, x, y) => {
    c.textAlign = align;
    c.strokeText(letter, x, y);
    c.fillText(letter, x, y);
  };
  write(low, "left", aside, clientHeight / 2);
  write(high, "right", clientWidth - aside, clientHeight / 2);
  write(ENDS[v][1], "center", clientWidth / 2, 12);
  write(ENDS[v][0], "center", clientWidth / 2, clientHeight - 10);
}
