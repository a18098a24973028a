// What the drawing code, `Painter` and `Pane`, may ask of the page that it draws on: this, and no more.
// The explorer and the viewer in reports are pages; each fills in what it shows.

import { NOTHING } from "./volume.js";

const LARGEST = 32767; // the int16 that stands for `full`

export class Page {
  /** Crosshair and seed `at`, `seed` [mm], its `radius` [mm], `radiological`, and `theme`. */
  state = null;
  /** The part of space that is shown, a `View`. */
  view = null;
  /** The picture of the head beneath the map, a `Volume`. */
  underlay = null;
  /** The map, a `Volume`, and what its largest number stands for. */
  map = null;
  full = 1;
  /** Edges of a voxel [mm]. */
  voxel = [1, 1, 1];
  /** What draws each view. */
  panes = [];
  /** Whether a map is `soon` there, that a picture should wait for. */
  maps = { soon: () => false };
  /** Small maps that are drawn too, and a chart that has the page's colours. */
  panel = { pins: { cards: [] }, drawChart() {} };
  /** What shows the value at the crosshair. */
  controls = { read() {} };
  /** What is near the seed and hatched, a `Near`; null for nothing. */
  near = null;
  /** Regions of an atlas, which are outlined; null without one. */
  regions = null;
  /** A page that shows another one beside this one, and follows every picture. */
  beside = null;

  /** The statistic that is shown. */
  get stat() {
    return "r";
  }

  /** How it is shown: `threshold`, `range`, `opacity`, `fade`. */
  get look() {
    return this.state.look;
  }

  /** How small maps are shown: a look, and what the largest number stands for. */
  pinLook() {
    return [this.look, this.full];
  }

  /** Whether the rows of slices get heights by what they show; else the style sheet gives them. */
  get divided() {
    return true;
  }

  /** The value at a place [mm]; NaN for none. */
  valueAt(place) {
    const position = this.map.at(place);
    const value = position < 0 ? NOTHING : this.map.data[position];
    return value === NOTHING ? NaN : (value / LARGEST) * this.full;
  }

  /** The number of the region at a place; 0 for none. */
  regionAt() {
    return 0;
  }

  /** A place as the crosshair takes it. */
  placed(place) {
    return place;
  }

  /** The place that lies some voxels along an axis from the crosshair, within what is shown. */
  along(axis, steps) {
    const at = this.state.at.slice(0, 3), moved = Math.round((at[axis] + steps * this.voxel[axis]) * 100) / 100;
    at[axis] = Math.min(this.view.high[axis], Math.max(this.view.low[axis], moved));
    return this.placed(at);
  }

  /** The pointer goes to a place, or is drawn along. */
  move() {}

  /** The pointer rests. */
  settle() {}

  /** The pointer is over a place, or over none. */
  hover() {}

  /** A key or the wheel goes some voxels along an axis. */
  through() {}

  /** Do what a key stands for in every view; return whether it stands for something. */
  act() {
    return false;
  }
}
