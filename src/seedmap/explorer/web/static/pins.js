// Seeds that are kept side by side: small slices at the same crosshair, one card a seed.

import { NAMES, PLANES, Slice } from "./slices.js";
import { NOTHING, Volume } from "./volume.js";

export const HEIGHT = 104; // CSS pixels of the little slices

export class Card {
  constructor(pin, { data, full, key }, base, acts) {
    Object.assign(this, { pin, full, key, acts });
    this.map = new Volume(base.affine, base.shape, data);
    this.slices = [0, 1, 2].map((axis) => new Slice(axis));
    this.element = document.createElement("article");
    this.element.innerHTML = `<header><button type="button" class="go"></button><output></output><button type="button" class="less" hidden>Subtract</button><button type="button" class="drop" aria-label="Let go">×</button></header>`;
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("role", "img");
    this.element.append(this.canvas);
    this.context = this.canvas.getContext("2d", { alpha: false });
    const go = this.element.querySelector(".go");
    go.textContent = pin.name;
    go.title = `${acts.app.seedText(pin)}: look at this seed again`;
    go.addEventListener("click", () => acts.go(pin));
    this.canvas.addEventListener("click", () => acts.go(pin));
    const less = this.element.querySelector(".less");
    less.hidden = !acts.less;
    less.setAttribute("aria-label", `Subtract the maps of ${pin.name} within each person`);
    less.addEventListener("click", () => acts.less(pin));
    this.element.querySelector(".drop").addEventListener("click", () => acts.drop(pin));
  }

  draw(view, underlay, at, colors, ink) {
    const ratio = window.devicePixelRatio || 1;
    const scale = HEIGHT / Math.max(view.size(2), view.size(1));
    const widths = PLANES.map(([h]) => view.size(h) * scale);
    const width = widths.reduce((a, b) => a + b) + 12;
    if (this.canvas.width !== Math.round(width * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(HEIGHT * ratio);
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${HEIGHT}px`;
    }
    const c = this.context;
    c.fillStyle = ink.pane;
    c.fillRect(0, 0, this.canvas.width, this.canvas.height);
    let left = 0;
    for (const [axis, slice] of this.slices.entries()) {
      slice.render(view, underlay, this.map, at, colors, scale * ratio, ink.pane);
      const height = view.size(PLANES[axis][1]) * scale;
      slice.show(c, ...[left, (HEIGHT - height) / 2, widths[axis], height].map((length) => Math.round(length * ratio)));
      left += widths[axis] + 6;
    }
    this.describe(at, ink, NAMES.join(", "));
  }

  describe(at, ink, views) {
    const value = this.valueAt(at);
    this.element.querySelector("output").textContent = Number.isFinite(value) ? value.toFixed(3) : "–";
    this.canvas.setAttribute("aria-label", `${views}: map of ${this.pin.name}`);
    this.element.style.setProperty("--seed", ink.seed);
  }

  valueAt(place) {
    const position = this.map.at(place);
    const value = position < 0 ? NOTHING : this.map.data[position];
    return value === NOTHING ? NaN : (value / 32767) * this.full;
  }
}

export class Pins {
  constructor(section, acts) {
    this.section = section;
    this.acts = acts;
    this.cards = [];
  }

  /** Show these pins; `valuesOf(pin)` promises the volume of each that is new, or of another `key`. */
  async show(pins, base, key, valuesOf) {
    const known = new Map(this.cards.map((card) => [card.pin, card]));
    const cards = [];
    for (const pin of pins) {
      let card = known.get(pin);
      if (!card || card.map.affine !== base.affine || card.key !== key) {
        const values = await valuesOf(pin);
        if (!values) continue;
        card = new this.acts.app.Card(pin, { ...values, key }, base, this.acts);
      }
      cards.push(card);
    }
    this.cards = cards;
    this.section.replaceChildren(...cards.map((card) => card.element));
    this.section.hidden = !cards.length;
  }

  draw(...look) {
    for (const card of this.cards) card.draw(...look);
  }
}
