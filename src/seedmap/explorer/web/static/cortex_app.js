// The page of a run on surfaces or grayordinates. A place is three coordinates [mm], and behind them
// its position in the run's row of vertices and voxels: what lies where, and what the server is asked.

import { App } from "./app.js";
import { CortexPane, cortexFigure } from "./cortex.js";
import { CortexCard } from "./cortex_pins.js";
import { getBytes } from "./net.js";
import { Sheet } from "./raster.js";
import { View } from "./slices.js";
import { begin, nameOf } from "./state.js";
import { NOTHING, Volume, apply } from "./volume.js";

const NEAR = 10; // mm from typed coordinates to the nearest place
const $ = (id) => document.getElementById(id);
const KEYS = [
  ["Shift+drag, two fingers", "turn a view of the cortex; Shift and arrow keys do the same"],
  ["arrow keys on the cortex", "the next vertex in that direction"],
  ["H", "the other hemisphere"],
];

export class CortexApp extends App {
  Card = CortexCard;

  async load(run) {
    const surfaces = run.parts.filter((part) => part.kind === "surface");
    const [numbers, ...sheets] = await Promise.all([
      getBytes("positions"),
      ...surfaces.map(({ name }) => getBytes(`sheet?part=${name}`)),
    ]);
    this.numbers = new Int32Array(numbers);
    this.sheets = new Map(
      surfaces.map((part, n) => [part.name, new Sheet(part, sheets[n], this.numbers.subarray(part.start, part.start + part.size))]),
    );
    this.findVoxels(run);
    this.arrange(surfaces);
    await super.load(run);
  }

  /** From each voxel of the box to its position in the row; -1 for none. */
  findVoxels({ parts, grid }) {
    this.voxels = new Int32Array(grid.shape.reduce((a, b) => a * b)).fill(-1);
    for (const { kind, start, size } of parts) {
      if (kind === "surface") continue;
      this.hasVoxels = true;
      for (let p = start; p < start + size; p++) this.voxels[this.numbers[p]] = p;
    }
  }

  /** Put the views of the cortex before the slices, which go where there are no voxels. */
  arrange(surfaces) {
    const viewer = $("viewer"), slices = [...viewer.querySelectorAll(".pane")];
    viewer.classList.add(this.hasVoxels ? "grayordinates" : "surfaces");
    viewer.setAttribute("aria-label", this.hasVoxels ? "Cortex and slices" : "Cortex");
    for (const view of ["lateral", "medial"]) {
      for (const { name } of surfaces) viewer.insertBefore(cortexFigure(name, view), slices[0]);
    }
    if (!this.hasVoxels) slices.forEach((figure) => figure.remove());
    for (const [keys, what] of KEYS) {
      const row = $("keys").querySelector("table").insertRow();
      row.insertCell().textContent = keys;
      row.insertCell().textContent = what;
    }
  }

  paneOf(figure) {
    return figure.dataset.part ? new CortexPane(figure, this) : super.paneOf(figure);
  }

  /** The picture of the head lies under the slices only. */
  async fetchPicture() {
    if (this.hasVoxels) return super.fetchPicture();
    this.underlay.key = "the cortex alone";
  }


  take(run, places) {
    this.run = run;
    this.places = new Int32Array(places);
    const size = this.voxels.length;
    this.map = new Volume(run.grid.affine, run.grid.shape, new Int16Array(size).fill(NOTHING));
    this.row = new Int16Array(this.numbers.length).fill(NOTHING);
    this.inside = new Uint8Array(this.numbers.length);
    for (const position of this.places) this.inside[position] = 1;
    this.full = 1;
    this.voxel = [0, 1, 2].map((k) => Math.hypot(...run.grid.affine.slice(0, 3).map((row) => row[k])));
  }

  begin(run) {
    const state = begin(run);
    state.seed = this.snapped(run.start.place, Infinity);
    state.at = [...state.seed];
    state.name = run.start.name ?? this.nameOf(state.seed);
    return state;
  }

  /** All that is shown, cortex included, so that the crosshair of a vertex lies in the slices. */
  viewOf() {
    const count = Math.ceil(this.numbers.length / 7);
    return View.around(Array.from({ length: count }, (_, n) => this.placeAt(7 * n)));
  }

  // --- places -----------------------------------------------------------------------------

  partOf(position) {
    return this.run.parts.find(({ start, size }) => position >= start && position < start + size);
  }

  /** The place at a position of the row. */
  placeAt(position) {
    const part = this.partOf(position), sheet = this.sheets.get(part.name), number = this.numbers[position];
    if (sheet) return [...sheet.place(number), position];
    const [, ny, nz] = this.run.grid.shape;
    const voxel = [Math.floor(number / (ny * nz)), Math.floor(number / nz) % ny, number % nz];
    return [...apply(this.run.grid.affine, voxel).map((value) => Math.round(value * 100) / 100), position];
  }

  placeOfVertex(sheet, vertex) {
    const position = sheet.position[vertex];
    return position < 0 ? null : [...sheet.place(vertex), position];
  }

  /** The vertex of a place on a hemisphere; -1 where it lies elsewhere. */
  vertexOf(place, sheet) {
    const number = this.numbers[place[3]];
    return number !== undefined && this.partOf(place[3]).name === sheet.name ? number : -1;
  }

  /** A place as the crosshair takes it: coordinates get the voxel that holds them. */
  placed(place) {
    if (this.numbers[place[3]] !== undefined) return [...place];
    const mm = place.slice(0, 3), box = this.hasVoxels ? this.map.at(mm) : -1;
    return box < 0 || this.voxels[box] < 0 ? mm : [...mm, this.voxels[box]];
  }

  rounded(place) {
    return this.numbers[place[3]] === undefined ? this.placed(super.rounded(place)) : [...place];
  }

  /** The vertex or voxel nearest to coordinates; these as they are where it is farther than `most`. */
  snapped(place, most = NEAR) {
    if (this.numbers[place[3]] !== undefined) return this.placeAt(place[3]);
    const inBox = this.placed(place);
    if (inBox.length > 3) return inBox;
    let nearest = -1, least = most ** 2;
    for (const { places, position, count } of this.sheets.values()) {
      for (let n = 0, k = 0; n < count; n++, k += 3) {
        const away = (places[k] - place[0]) ** 2 + (places[k + 1] - place[1]) ** 2 + (places[k + 2] - place[2]) ** 2;
        if (away < least && position[n] >= 0 && this.inside[position[n]]) [nearest, least] = [position[n], away];
      }
    }
    return nearest < 0 ? [...place] : this.placeAt(nearest);
  }

  regionAt(place) {
    return this.regions?.labels[this.placed(place)[3]] ?? 0;
  }

  get hasSlices() {
    return this.hasVoxels;
  }

  /** Labels of the row in the box of voxels. */
  inBox(labels) {
    return Uint16Array.from(this.voxels, (position) => (position < 0 ? 0 : labels[position]));
  }

  inBrain(place) {
    return Boolean(this.inside[this.placed(place)[3]]);
  }

  nameOf(place) {
    const sheet = place.length > 3 && this.sheets.get(this.partOf(place[3]).name);
    return sheet ? `${sheet.name[0].toUpperCase()}H${this.numbers[place[3]]}` : nameOf(place);
  }

  whereText(place) {
    const sheet = place.length > 3 && this.sheets.get(this.partOf(place[3]).name);
    const mm = place.slice(0, 3);
    return sheet ? `${sheet.name} ${this.numbers[place[3]]}: ${super.whereText(mm.map(Math.round))}` : super.whereText(mm);
  }

  // --- what the server is asked --------------------------------------------------------------

  seedQuery({ seed, radius, name, ...other } = this.state) {
    const part = seed.length > 3 ? this.partOf(seed[3]) : null, [x, y, z] = seed;
    const region = other.region ? { region: other.region } : {};
    if (part?.kind !== "surface") return { x, y, z, radius, name, ...region };
    return { hemisphere: part.name, vertex: this.numbers[seed[3]], radius, name, ...region };
  }

  seedOf(query) {
    if (!("vertex" in query)) return this.placed(super.seedOf(query));
    const sheet = this.sheets.get(query.hemisphere);
    return this.placeOfVertex(sheet, query.vertex);
  }

  crosshairQuery() {
    return this.state.at.length > 3 ? { position: this.state.at[3] } : {};
  }

  takeLink() {
    super.takeLink();
    for (const key of ["seed", "at"]) this.state[key] = this.snapped(this.state[key]);
    for (const pin of this.state.pins) pin.seed = this.snapped(pin.seed);
  }

  // --- the map -------------------------------------------------------------------------------

  spread(values) {
    const row = new Int16Array(this.numbers.length).fill(NOTHING);
    this.places.forEach((position, n) => (row[position] = values[n]));
    return row;
  }

  fill(values) {
    this.row = this.spread(values);
    for (const { name, start, size } of this.run.parts) {
      const into = this.sheets.get(name)?.values ?? this.map.data;
      for (let p = start; p < start + size; p++) into[this.numbers[p]] = this.row[p];
    }
  }

  valueAt(place) {
    const value = this.row[this.placed(place)[3]] ?? NOTHING;
    return value === NOTHING ? NaN : (value / 32767) * this.full;
  }

  // --- what a user can do ----------------------------------------------------------------------

  /** Go to the place of the other hemisphere that mirrors the crosshair's. */
  mirror() {
    const part = this.state.at.length > 3 ? this.partOf(this.state.at[3]).name : "";
    const other = this.sheets.get(part === "left" ? "right" : "left");
    if (!this.sheets.has(part) || !other) return;
    const [x, y, z] = this.state.at, { places, count } = other;
    let nearest = 0, least = Infinity;
    for (let n = 0, k = 0; n < count; n++, k += 3) {
      const away = (places[k] + x) ** 2 + (places[k + 1] - y) ** 2 + (places[k + 2] - z) ** 2;
      if (away < least && other.position[n] >= 0) [nearest, least] = [n, away];
    }
    this.move(this.placeOfVertex(other, nearest));
    this.rested();
    this.panes.find((pane) => pane.sheet === other)?.canvas.focus({ preventScroll: true });
  }
}
