// When the page is drawn, and with what: one picture for all that changed together.

import { table } from "./colors.js";

// ms that a picture waits for a map that should be there by then. The crosshair and its map then
// come in one frame: drawn apart, the first picture would keep the second from coming.
const PATIENCE = 50;
const INKS = ["cross", "seed", "halo", "gone", "line", "place", "quiet", "ink", "pane", "outline"];
const darkness = matchMedia("(prefers-color-scheme: dark)");
const narrowness = matchMedia("(max-width: 820px)");
const $ = (id) => document.getElementById(id);

/** Write a text where it is another than before: the same text would be laid out again. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Draws the slices, the seeds that are kept and the reading at the crosshair of a `Page`. */
export class Painter {
  colors = {};
  inks = {};

  constructor(app) {
    this.app = app;
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
    if (this.app.maps.soon(PATIENCE)) {
      const timers = [setTimeout(() => this.prepare()), setTimeout(() => this.now(), PATIENCE)];
      this.wanted = () => timers.forEach(clearTimeout);
    } else {
      const frame = requestAnimationFrame(() => this.now());
      this.wanted = () => cancelAnimationFrame(frame);
    }
  }

  /** Do what can be done before the map is there. */
  prepare() {
    const { panes, view, underlay, state } = this.app;
    for (const pane of panes) pane.prepare(view, underlay, state);
  }

  now() {
    this.wanted?.();
    this.wanted = null;
    const { state, view, panes, panel, underlay, map, look, full, stat } = this.app;
    const dark = state.theme ? state.theme === "dark" : darkness.matches;
    if (dark !== this.dark) document.documentElement.classList.toggle("dark", dark);
    view.radiological = state.radiological;
    const ink = this.ink(), colors = this.table(look, full), narrow = narrowness.matches;
    this.divide(view, narrow);
    const scales = panes.map((pane) => pane.measure(view)), least = Math.min(...scales);
    panes.forEach((pane, n) => pane.draw(view, underlay, map, state, colors, narrow ? scales[n] : least, ink));
    if (panel.pins.cards.length) {
      panel.pins.draw(view, underlay, state.at, table(...this.app.pinLook()), ink);
    }
    this.app.controls.read(this.app.valueAt(state.at), stat, look, full);
    if (this.dark !== dark) panel.drawChart(ink);
    this.dark = dark;
    this.app.beside?.drawn(this.app);
  }

  /** Give the rows of slices heights in the proportion of what they show. */
  divide(view, narrow) {
    const rows = narrow || !this.app.divided ? "" : `minmax(0, ${view.size(2)}fr) minmax(0, ${view.size(1)}fr)`;
    if (rows === this.rows) return;
    this.rows = rows;
    $("viewer").style.gridTemplateRows = rows;
  }
}
