// Many axial slices at once, with the crosshair, the scale and the keys of the three.

import { PLANES, Pane, Slice, drawCrosshair, drawSeed } from "./slices.js";

const FEWEST = 12, MOST = 20;
const AXIS = 2;
const GAP = 2; // CSS pixels between slices
const [ACROSS, UP] = PLANES[AXIS];

/** The element of the mosaic. */
export function mosaicFigure() {
  const figure = document.createElement("figure");
  figure.className = "pane mosaic";
  figure.innerHTML =
    `<canvas tabindex="0" role="application" aria-roledescription="slices" aria-label="Axial slices beside each other. ` +
    `Arrow keys move the crosshair, Page Up and Page Down go through the slices, S sets the seed, M shows three slices."></canvas><figcaption class="unseen"></figcaption>`;
  return figure;
}

/** Columns and rows for slices of some size [mm], as large as they can be and as many as fit; CSS pixels a mm. */
export function arranged(width, height, across, up) {
  let best = { scale: 0, worth: -1 };
  for (let columns = 2; columns <= MOST / 2; columns++) {
    for (let rows = Math.ceil(FEWEST / columns); columns * rows <= MOST; rows++) {
      const scale = Math.min((width / columns - GAP) / across, (height / rows - GAP) / up);
      const worth = scale ** 3 * columns * rows;
      if (worth > best.worth) best = { columns, rows, scale, worth };
    }
  }
  return best;
}

/** The heights [mm] of some slices through the brain; that nearest to the crosshair is the crosshair's. */
export function heights([low, high], count, at) {
  const step = (high - low) / count;
  const found = Array.from({ length: count }, (_, n) => Math.round(low + (n + 0.5) * step));
  const away = found.map((z) => Math.abs(z - at)), here = away.indexOf(Math.min(...away));
  found[here] = at;
  return { found, here };
}

export class MosaicPane extends Pane {
  constructor(figure, app) {
    super(figure, app, AXIS);
    this.slices = [];
    this.tiles = [];
  }

  measure(view) {
    super.measure(view);
    const { clientWidth, clientHeight } = this.canvas;
    this.plan = arranged(clientWidth, clientHeight, view.size(ACROSS), view.size(UP));
    return this.plan.scale;
  }

  /** Work out where each slice stands, and at which height. */
  lay(view, state) {
    const { columns, rows } = this.plan, { clientWidth, clientHeight } = this.canvas;
    const width = view.size(ACROSS) * this.scale + GAP, height = view.size(UP) * this.scale + GAP;
    this.left = (clientWidth - columns * width + GAP) / 2;
    this.top = (clientHeight - rows * height + GAP) / 2;
    const { found, here } = heights(view.brain, columns * rows, state.at[AXIS]);
    this.tiles = found.map((z, n) => new Tile(this, view, z, n === here, {
      left: this.left + (n % columns) * width,
      top: this.top + Math.floor(n / columns) * height,
      width: width - GAP,
      height: height - GAP,
    }));
    while (this.slices.length < this.tiles.length) this.slices.push(new Slice(AXIS));
  }

  prepare(view, underlay, state) {
    if (!this.scale) return;
    this.lay(view, state);
    this.tiles.forEach((tile, n) => this.slices[n].prepare(view, underlay, tile.at, this.scale * this.ratio));
  }

  draw(view, underlay, map, state, colors, scale, ink) {
    Object.assign(this, { view, scale });
    this.lay(view, state);
    const c = this.context, { canvas, ratio } = this;
    c.setTransform(1, 0, 0, 1, 0, 0);
    c.fillStyle = ink.pane;
    c.fillRect(0, 0, canvas.width, canvas.height);
    this.tiles.forEach((tile, n) => {
      const slice = this.slices[n];
      slice.render(view, underlay, map, tile.at, colors, scale * ratio, ink.pane);
      this.app.near?.onSlice(slice);
      this.outline(slice, ink);
      slice.show(c, ...["left", "top", "width", "height"].map((side) => Math.round(tile[side] * ratio)));
    });
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (const tile of this.tiles) tile.mark(c, state, ink);
  }

  toPixel(place) {
    return this.tiles.find(({ here }) => here).toPixel(place);
  }

  /** A place in the slice under the pointer; while it is held, in the slice that was touched. */
  toPlace(event) {
    const box = this.canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    if (!this.held || event.type === "pointerdown" || !this.tiles[this.touched]) {
      const away = this.tiles.map((tile) => tile.away(x, y));
      this.touched = away.indexOf(Math.min(...away));
    }
    const { view } = this, place = this.tiles[this.touched].toPlace(x, y);
    return place.map((value, k) => Math.min(view.high[k], Math.max(view.low[k], value)));
  }
}

/** One slice of the mosaic, and where it stands on the canvas [CSS pixels]. */
class Tile {
  axis = AXIS;

  constructor(pane, view, z, here, box) {
    Object.assign(this, { pane, view, z, here, scale: pane.scale, canvas: pane.canvas, at: [0, 0, z] }, box);
  }

  toPixel(place) {
    const { view, left, top, scale } = this;
    const across = view.flipped(ACROSS) ? view.high[ACROSS] - place[ACROSS] : place[ACROSS] - view.low[ACROSS];
    return [left + across * scale, top + (view.high[UP] - place[UP]) * scale];
  }

  toPlace(x, y) {
    const { view, left, top, scale, z } = this, across = (x - left) / scale;
    return [view.flipped(ACROSS) ? view.high[ACROSS] - across : view.low[ACROSS] + across, view.high[UP] - (y - top) / scale, z];
  }

  /** How far a point is outside of it. */
  away(x, y) {
    const { left, top, width, height } = this;
    return Math.max(left - x, x - left - width, 0) + Math.max(top - y, y - top - height, 0);
  }

  /** Draw seed, crosshair and height. */
  mark(c, state, ink) {
    c.save();
    c.beginPath();
    c.rect(this.left, this.top, this.width, this.height);
    c.clip();
    if (this.here) drawCrosshair(c, this.toPixel(state.at), this, ink);
    drawSeed(c, this, { ...state, at: this.at }, ink);
    c.font = `${this.here ? 700 : 400} 11px system-ui, sans-serif`;
    c.fillStyle = this.here ? ink.ink : ink.quiet;
    c.strokeStyle = ink.halo;
    c.lineWidth = 3;
    c.textAlign = "left";
    c.textBaseline = "top";
    const text = `${Math.round(this.z * 10) / 10}`.replace("-", "−");
    for (const write of ["strokeText", "fillText"]) c[write](text, this.left + 3, this.top + 3);
    c.restore();
  }
}
