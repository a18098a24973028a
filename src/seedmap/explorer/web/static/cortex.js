// Views of the cortex on the page: drawing them, pointing at vertices, and turning them.

import { write } from "./painter.js";
import { Raster } from "./raster.js";
import { marks } from "./regions.js";
import { drawCrosshair } from "./slices.js";
import { compose } from "./volume.js";

const SLOP = 3; // CSS pixels that a pointer may move before a click becomes a drag
const FAR = 5; // steps of Page Up and Page Down
const TURN = 15; // degrees of a key
const DEGREES = 0.5; // of turn per CSS pixel
const MOST_RATIO = 2; // pixels of the picture to those of the page
/** Azimuth and elevation [degrees] of each view, of the left and the right hemisphere. */
export const VIEWS = {
  lateral: { left: [180, 0], right: [0, 0] },
  medial: { left: [0, 0], right: [180, 0] },
  dorsal: { left: [-90, 90], right: [-90, 90] },
  ventral: { left: [90, -90], right: [90, -90] },
  anterior: { left: [90, 0], right: [90, 0] },
  posterior: { left: [-90, 0], right: [-90, 0] },
};
// Letters at the left and the right end of each view, as far as it is not turned.
const ENDS = {
  left: { lateral: ["A", "P"], medial: ["P", "A"], anterior: ["R", "L"], dorsal: ["L", "R"], ventral: ["R", "L"], posterior: ["L", "R"] },
  right: { lateral: ["P", "A"], medial: ["A", "P"], anterior: ["R", "L"], dorsal: ["L", "R"], ventral: ["R", "L"], posterior: ["L", "R"] },
};
const capital = (text) => text[0].toUpperCase() + text.slice(1);

/** The element of a view, for a hemisphere and one of `VIEWS`. */
export function cortexFigure(part, view) {
  const figure = document.createElement("figure");
  figure.className = "pane cortex";
  Object.assign(figure.dataset, { part, view });
  figure.innerHTML =
    `<canvas tabindex="0" role="application" aria-roledescription="view of the cortex"></canvas>` +
    `<figcaption></figcaption><select aria-label="View of the ${part} hemisphere">` +
    Object.keys(VIEWS).map((name) => `<option value="${name}">${capital(name)}</option>`).join("") +
    `</select>`;
  figure.querySelector("select").value = view;
  return figure;
}

/** One view of a hemisphere on the page; beside it stand the slices, each a `Pane`. */
export class CortexPane {
  constructor(figure, app) {
    this.app = app;
    this.figure = figure;
    this.sheet = app.sheets.get(figure.dataset.part);
    this.canvas = figure.querySelector("canvas");
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.caption = figure.querySelector("figcaption");
    this.choice = figure.querySelector("select");
    this.pointers = new Map();
    this.left = 0;
    this.show(figure.dataset.view);
    this.bindEvents();
  }

  /** Show one of `VIEWS`. */
  show(view) {
    this.view = view;
    [this.azimuth, this.elevation] = VIEWS[view][this.sheet.name];
    this.turned = false;
    this.choice.value = view;
    const name = `${capital(this.sheet.name)} hemisphere, ${view}`;
    this.canvas.setAttribute(
      "aria-label",
      `${name}. Arrow keys move the crosshair to the next vertex, Page Up and Page Down by ${FAR}, H to the other hemisphere; with Shift arrow keys turn the view, S sets the seed.`,
    );
  }

  turn(azimuth, elevation) {
    this.azimuth += azimuth;
    this.elevation = Math.max(-90, Math.min(90, this.elevation + elevation));
    this.turned = true;
    this.app.painter.refresh();
  }

  /** Take the size that the page gives; the cortex leaves the scale to the slices. */
  measure() {
    const { clientWidth, clientHeight } = this.canvas;
    this.ratio = Math.min(MOST_RATIO, window.devicePixelRatio || 1);
    const width = Math.max(1, Math.round(clientWidth * this.ratio)), height = Math.max(1, Math.round(clientHeight * this.ratio));
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    return Infinity;
  }

  /** Make the table of pixels, if the size or the view is another. */
  prepare() {
    const { width, height } = this.canvas, of = [width, height, this.azimuth, this.elevation].join();
    if (of === this.rasterOf) return;
    this.rasterOf = of;
    this.raster = new Raster(this.sheet, this.azimuth, this.elevation, width, height);
    this.image = new ImageData(width, height);
    this.pixels = new Uint32Array(this.image.data.buffer);
  }

  draw(_view, _underlay, _map, state, colors, _scale, ink) {
    this.prepare();
    const { context: c, raster, ratio } = this;
    compose(raster.grey, raster.sample(this.sheet.values), colors, this.pixels, ink.pane);
    this.app.near?.onCortex(raster, this.pixels);
    this.app.regions?.onCortex(raster, this.pixels, marks(state, this.app.regionAt(state.at), ink));
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.putImageData(this.image, 0, 0);
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.mark(state, ink);
    this.letters(ink);
    write(this.caption, capital(this.sheet.name));
  }

  mark(state, ink) {
    const seed = this.app.vertexOf(state.seed, this.sheet), at = this.app.vertexOf(state.at, this.sheet);
    if (at >= 0 && this.raster.sees(at)) drawCrosshair(this.context, this.toPixel(at), this, ink);
    if (seed >= 0 && !state.region && this.raster.sees(seed)) drawRing(this.context, this.toPixel(seed), ink);
  }

  letters(ink) {
    if (this.turned) return;
    const c = this.context, { clientWidth, clientHeight } = this.canvas;
    c.fillStyle = ink.quiet;
    c.strokeStyle = ink.halo;
    c.lineWidth = 3;
    c.font = "600 12px system-ui, sans-serif";
    c.textBaseline = "middle";
    ENDS[this.sheet.name][this.view].forEach((letter, right) => {
      c.textAlign = right ? "right" : "left";
      c.strokeText(letter, right ? clientWidth - 8 : 8, clientHeight / 2);
      c.fillText(letter, right ? clientWidth - 8 : 8, clientHeight / 2);
    });
  }

  /** Where a vertex lies on the canvas [CSS pixels]. */
  toPixel(vertex) {
    return [this.raster.x[vertex] / this.ratio, this.raster.y[vertex] / this.ratio];
  }

  /** The place under a pointer; null where there is no cortex, or none with data. */
  toPlace(event) {
    const box = this.canvas.getBoundingClientRect();
    const vertex = this.raster.pick((event.clientX - box.left) * this.ratio, (event.clientY - box.top) * this.ratio);
    return vertex < 0 ? null : this.app.placeOfVertex(this.sheet, vertex);
  }

  bindEvents() {
    const { canvas, app } = this;
    this.held = false;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.pointed(event));
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => this.release(event));
    canvas.addEventListener("pointerleave", () => app.hover(null));
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("dblclick", () => this.turned && this.reset());
    this.choice.addEventListener("change", () => {
      this.show(this.choice.value);
      app.painter.refresh();
    });
  }

  reset() {
    this.show(this.view);
    this.app.painter.refresh();
  }

  down(event) {
    if (event.button !== 0 && !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    const control = event.ctrlKey || event.metaKey;
    this.turning = this.pointers.size > 1 || (event.shiftKey && !control);
    this.start = [event.clientX, event.clientY];
    this.held = !this.turning;
    const place = this.held && this.toPlace(event);
    if (place) this.app.move(place, { first: true, seed: event.shiftKey && control });
  }

  pointed(event) {
    const before = this.pointers.get(event.pointerId), now = [event.clientX, event.clientY];
    if (before && this.turning) {
      const share = DEGREES / this.pointers.size;
      this.turn(-(now[0] - before[0]) * share, (now[1] - before[1]) * share);
    }
    if (before) this.pointers.set(event.pointerId, now);
    if (this.turning) return;
    if (this.start && Math.hypot(now[0] - this.start[0], now[1] - this.start[1]) > SLOP) this.start = null;
    const place = this.toPlace(event);
    if (this.held && !this.start && place) this.app.move(place);
    this.app.hover(place);
  }

  release(event) {
    this.pointers.delete(event.pointerId);
    const held = this.held && !this.turning;
    if (this.pointers.size) return;
    this.turning = this.held = false;
    if (held) this.app.settle();
  }

  key(event) {
    const { app } = this, key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const far = { PageUp: [0, -1], PageDown: [0, 1] };
    if (key in ways && event.shiftKey) this.turn(-TURN * ways[key][0], TURN * ways[key][1]);
    else if (key in ways) this.walk(ways[key], 1);
    else if (key in far) this.walk(far[key], FAR);
    else if (key === "h") app.mirror();
    else if (!app.act(key)) return;
    event.preventDefault();
  }

  /** Move the crosshair over the mesh; from elsewhere it comes to the middle of this view. */
  walk([right, down], steps) {
    const { app, raster, sheet } = this, may = (vertex) => sheet.position[vertex] >= 0;
    let vertex = app.vertexOf(app.state.at, sheet);
    if (vertex < 0) vertex = raster.pick(raster.width / 2, raster.height / 2);
    else for (let n = 0; n < steps; n++) vertex = raster.step(vertex, right, down, may);
    const place = vertex < 0 ? null : app.placeOfVertex(sheet, vertex);
    if (!place) return;
    app.move(place);
    app.rested();
  }
}

function drawRing(c, [x, y], ink) {
  for (const [style, width] of [[ink.halo, 4], [ink.seed, 2]]) {
    c.strokeStyle = style;
    c.lineWidth = width;
    c.beginPath();
    c.arc(x, y, 6, 0, 2 * Math.PI);
    c.stroke();
  }
}
