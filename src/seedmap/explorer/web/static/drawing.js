// When the page is drawn, and with what: one picture for all that changed together.

import { table } from "./colors.js";
import { NOTHING } from "./volume.js";

// ms that a picture waits for a map that should be there by then. The crosshair and its map then
// come in one frame: drawn apart, the first picture would keep the second from coming.
const PATIENCE = 50;
const INKS = ["cross", "seed", "halo", "gone", "line", "place", "quiet", "ink", "pane"];
const darkness = matchMedia("(prefers-color-scheme: dark)");
const narrowness = matchMedia("(max-width: 820px)");
const $ = (id) => document.getElementById(id);

/** Write a text where it is another than before: the same text would be laid out again. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export class Drawing {
  colors = {};
  inks = {};

  get look() {
    return this.state.look[this.shown?.stat ?? "r"];
  }

  ink() {
    const key = document.documentElement.className;
    if (!this.inks[key]) {
      const css = getComputedStyle(document.documentElement);
      this.inks[key] = Object.fromEntries(INKS.map((name) => [name, css.getPropertyValue(`--${name}`).trim()]));
    }
    return this.inks[key];
  }

  /** The table of colours of a look, made anew only where the look is another. */
  table(look, full) {
    const key = JSON.stringify([look, full]);
    if (this.colors.key !== key) this.colors = { key, table: table(look, full) };
    return this.colors.table;
  }

  /** Draw soon: with the map that is about to come, else with the next frame. */
  refresh() {
    if (this.wanted) return;
    if (this.maps.soon(PATIENCE)) {
      const timers = [setTimeout(() => this.prepare()), setTimeout(() => this.now(), PATIENCE)];
      this.wanted = () => timers.forEach(clearTimeout);
    } else {
      const frame = requestAnimationFrame(() => this.now());
      this.wanted = () => cancelAnimationFrame(frame);
    }
  }

  /** Do what can be done before the map is there. */
  prepare() {
    for (const pane of this.panes) pane.prepare(this.view, this.underlay, this.state);
  }

  now() {
    this.wanted?.();
    this.wanted = null;
    const started = performance.now(), { state, view } = this;
    const dark = state.theme ? state.theme === "dark" : darkness.matches;
    if (dark !== this.dark) document.documentElement.classList.toggle("dark", dark);
    view.radiological = state.radiological;
    const ink = this.ink(), colors = this.table(this.look, this.full), narrow = narrowness.matches;
    this.divide(narrow);
    const room = this.panes.map((pane) => pane.measure(view)), least = Math.min(...room);
    this.panes.forEach((pane, n) => pane.draw(view, this.underlay, this.map, state, colors, narrow ? room[n] : least, ink));
    if (this.pins.cards.length) {
      this.pins.draw(view, this.underlay, state.at, this.shown?.stat === "z" ? table(state.look.r, 1) : colors, ink);
    }
    this.controls.read(this.valueAt(state.at), this.shown?.stat ?? "r", this.look, this.full);
    if (this.told && this.dark !== dark) this.drawChart(ink);
    this.dark = dark;
    this.lastDraw = performance.now() - started;
  }

  /** Give the rows of slices heights in the proportion of what they show. */
  divide(narrow) {
    const rows = narrow ? "" : `minmax(0, ${this.view.size(2)}fr) minmax(0, ${this.view.size(1)}fr)`;
    if (rows === this.rows) return;
    this.rows = rows;
    $("viewer").style.gridTemplateRows = rows;
  }

  valueAt(place) {
    const position = this.map.at(place);
    const value = position < 0 ? NOTHING : this.map.data[position];
    return value === NOTHING ? NaN : (value / 32767) * this.full;
  }

  written(value) {
    const stat = this.shown?.stat ?? "r";
    return Number.isFinite(value) ? `${stat} = ${value.toFixed(stat === "z" ? 2 : 3)}`.replace("-", "−") : "no value";
  }
}
