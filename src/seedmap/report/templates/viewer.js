// Slices of the maps that the page itself holds, drawn with the code of the explorer.

import { Page } from "./page.js";
import { Painter, write } from "./painter.js";
import { Pane, View } from "./slices.js";
import { Volume } from "./volume.js";

async function unpack({ data }) {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

class Reader extends Page {
  state = {
    at: [0, 0, 0], seed: [0, 0, 0], radius: 0, radiological: false, theme: "",
    look: { threshold: 0.3, range: 0.8, opacity: 0.9, fade: true },
  };
  controls = { read: () => this.read() };

  constructor(facts) {
    super();
    this.facts = facts;
    this.painter = new Painter(this);
    const ends = facts.maps.map((map) => map.corners);
    const over = (which, of) => [0, 1, 2].map((axis) => of(...ends.map((end) => end[which][axis])));
    this.view = new View(over(0, Math.min), over(1, Math.max));
    this.panes = [...document.querySelectorAll("#viewer .pane")].map((figure) => new Pane(figure, this));
  }

  async begin() {
    const { anatomy } = this.facts;
    this.underlay = new Volume(anatomy.affine, anatomy.shape, new Uint8Array(await unpack(anatomy)));
    this.underlay.key = "template";
    this.view.widen(this.underlay);
    await this.show(0);
    const choice = $("which"), threshold = $("threshold");
    choice.addEventListener("change", () => this.show(choice.selectedIndex));
    threshold.addEventListener("input", () => this.limit(Number(threshold.value)));
    for (const one of [darkness, narrowness]) one.addEventListener("change", () => this.painter.refresh());
    new ResizeObserver(() => this.painter.refresh()).observe($("viewer"));
  }

  async show(number) {
    const map = this.facts.maps[number];
    this.map = new Volume(map.affine, map.shape, new Int16Array(await unpack(map)));
    if (map.center) this.state.seed = this.state.at = [...map.center];
    this.state.radius = map.center ? 4 : -1;
    this.voxel = [0, 1, 2].map((axis) => Math.hypot(...map.affine.slice(0, 3).map((row) => row[axis])));
    this.painter.refresh();
  }

  limit(value) {
    this.look.threshold = Math.min(0.95, Math.max(0, Math.round(value * 100) / 100));
    $("threshold").value = this.look.threshold;
    this.painter.refresh();
  }

  read() {
    const value = this.valueAt(this.state.at);
    const place = this.state.at.map((one) => Math.round(one)).join(", ");
    const r = Number.isFinite(value) ? `r = ${value.toFixed(2)}` : "no value";
    write($("value"), `${r} at ${place} mm`.replaceAll("-", "−"));
    write($("limit"), this.look.threshold.toFixed(2));
  }

  move(place) {
    this.state.at = place.map((value) => Math.round(value));
    this.painter.refresh();
  }

  through(axis, steps) {
    this.state.at = this.along(axis, steps);
    this.painter.refresh();
  }

  /** Do what a key means, beside those that move the crosshair; false where it means nothing. */
  act(key) {
    const { threshold } = this.look;
    if (key === "Home") this.move(this.state.seed);
    else if (key === "+" || key === "=") this.limit(threshold + 0.05);
    else if (key === "-") this.limit(threshold - 0.05);
    else return false;
    return true;
  }
}

/** For scripts, and for the tests. */
window.seedmap = new Reader(JSON.parse($("maps-data").textContent));
window.seedmap.begin();
