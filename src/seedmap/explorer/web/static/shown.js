// What the page of a run shows: places, the regions of an atlas, and the values of a map. Nothing here
// changes what is shown but `take` and `fill`.

import { Page } from "./page.js";
import { View } from "./slices.js";
import { nameOf } from "./state.js";
import { STATS, written } from "./stats.js";
import { NOTHING, Volume, apply } from "./volume.js";

const $ = (id) => document.getElementById(id);

export class Shown extends Page {
  /** Take what the server says of the run: at first, and after it was cleaned anew. */
  take(run, places) {
    this.run = run;
    this.places = new Int32Array(places);
    const size = run.grid.shape.reduce((a, b) => a * b);
    this.map = new Volume(run.grid.affine, run.grid.shape, new Int16Array(size).fill(NOTHING));
    this.brain = new Uint8Array(size);
    for (const place of this.places) this.brain[place] = 1;
    this.full = 1;
    this.voxel = [0, 1, 2].map((k) => Math.hypot(...run.grid.affine.slice(0, 3).map((row) => row[k])));
  }

  viewOf() {
    const [, ny, nz] = this.run.grid.shape;
    const step = Math.max(1, Math.floor(this.places.length / 20000));
    return View.around(Array.from({ length: Math.ceil(this.places.length / step) }, (_, n) => {
      const p = this.places[n * step];
      return apply(this.run.grid.affine, [Math.floor(p / (ny * nz)), Math.floor(p / nz) % ny, p % nz]);
    }));
  }

  // --- places: three coordinates [mm]; what follows these, if anything, is the page's own ------

  /** A place under the pointer, in whole millimetres. */
  rounded(place) {
    return place.map((value) => Math.round(value));
  }

  /** What typed coordinates stand for. */
  snapped(place) {
    return place;
  }

  inBrain(place) {
    return Boolean(this.brain[this.map.at(place)]);
  }

  nameOf(place) {
    return nameOf(place);
  }

  /** A place in words. */
  whereText(place) {
    return `${place.map((v) => String(Math.round(v * 10) / 10).replace("-", "−")).join(", ")} mm`;
  }

  // --- the regions of an atlas, and many slices -----------------------------------------

  /** The number of the region at a place; 0 for none. */
  regionAt(place) {
    return this.regions?.labels[this.map.at(place)] ?? 0;
  }

  /** Labels of the space in the box of voxels. */
  inBox(labels) {
    return labels;
  }

  /** What a seed is, in words. */
  seedText({ seed, radius, region }) {
    return region ? `region ${this.regions.nameOf(region)}` : `${this.whereText(seed)}, radius ${radius} mm`;
  }

  get hasSlices() {
    return true;
  }

  // --- the map that is shown -------------------------------------------------------------

  get stat() {
    return this.shown?.stat ?? "r";
  }

  /** Whether what is shown has no negative values. */
  get unsigned() {
    return false;
  }

  /** What the values on the screen are called. */
  get sign() {
    return STATS[this.stat].sign;
  }

  /** How far the sliders of a statistic go, and by which steps. */
  ends(stat) {
    return STATS[stat];
  }

  /** What a picture is called, and what the table of colours of kept seeds is. */
  get title() {
    return this.state.name;
  }

  get divided() {
    return !this.run.parts && !this.state.mosaic;
  }

  pinLook() {
    return this.stat === "z" ? [this.state.look.r, 1] : [this.look, this.full];
  }

  /** The line at the top of the page. */
  about() {
    const { run } = this, kept = run.keep.reduce((a, b) => a + b, 0);
    const { high, low, smoothing } = run.settings;
    const band = high || low ? `${high ?? 0}–${low ?? "∞"} Hz` : "no filter";
    const parts = [`${kept} of ${run.frames} frames`, run.t_r ? `TR ${run.t_r} s` : "", band, smoothing ? `${smoothing} mm` : "unsmoothed", `${run.samples.toLocaleString("en")} ${run.elements}`];
    $("gone").hidden = kept === run.frames;
    return parts.filter(Boolean).join("  ·  ");
  }

  get look() {
    return this.state.look[this.stat];
  }

  written(value) {
    return Number.isFinite(value) ? `${this.sign} = ${written(value, this.stat)}` : "no value";
  }

  /** What the numbers of the scale mean: colours are the same beside each other only where this is. */
  get scaleName() {
    return this.state.stat;
  }

  fill(values) {
    this.spread(values, this.map.data);
  }

  /** Put the values of the samples where they belong. */
  spread(values, data = new Int16Array(this.map.data.length).fill(NOTHING)) {
    const { places } = this;
    for (let n = 0; n < places.length; n++) data[places[n]] = values[n];
    return data;
  }
}
