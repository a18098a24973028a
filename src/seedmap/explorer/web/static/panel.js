// What stands beside the map: readings, the chart, seeds that are kept, and saving.

import { drawChart } from "./chart.js";
import { getJson, mapOf, post } from "./net.js";
import { Pins } from "./pins.js";
import { sameSeed } from "./state.js";

const MOST_PINS = 8;
const PAUSE = 120; // ms of rest until the readings are asked for
const $ = (id) => document.getElementById(id);

/** Whether a file that was saved is a map: of a volume, a hemisphere or grayordinates. */
export const isMap = (name) => /\.(nii\.gz|dscalar\.nii|func\.gii)$/.test(name);

/** Asks for what is shown beside the map of an `App`, and shows it. */
export class Panel {
  constructor(app) {
    this.app = app;
    this.pins = new Pins($("pins"), this.pinActs());
  }

  address = "about";

  /** Of which statistic peaks are listed, and from which value on. */
  beyond() {
    const { stat, state } = this.app;
    return { stat, threshold: state.look[stat].threshold };
  }

  /** What can be done with kept seeds. */
  pinActs() {
    return { app: this.app, go: (pin) => this.app.go(pin), drop: (pin) => this.drop(pin) };
  }

  updateSoon() {
    clearTimeout(this.updating);
    this.updating = setTimeout(() => this.update(), PAUSE);
  }

  /** Ask what is known of the place under the crosshair, and show it. */
  async update() {
    const { app } = this, { state, maps } = app;
    await maps.landed();
    const { at } = state, { stat, threshold } = this.beyond();
    const query = { ...app.question(), ...app.crosshairQuery(), stat, threshold, ...maps.turn };
    const readings = await getJson(this.address, query).catch(() => null);
    if (!readings || at.join() !== state.at.join()) return;
    this.read(readings, query);
    $("live").textContent = `${app.whereText(at).replace("mm", "millimetres")}, ${readings.placeName}. ${app.written(app.valueAt(state.at))}`;
  }

  /** Show what is known. */
  read(readings, _query) {
    this.readings = readings;
    this.app.controls.readings(readings);
    this.drawChart();
  }

  async keep() {
    const { state } = this.app;
    const pin = { seed: [...state.seed], radius: state.radius, region: state.region, name: state.name };
    state.named = false;
    state.pins = [...state.pins.filter((other) => !sameSeed(other, pin)), pin].slice(-MOST_PINS);
    await this.showPins();
    this.app.writeLink();
  }

  drop(pin) {
    const { state } = this.app;
    state.pins = state.pins.filter((other) => other !== pin);
    this.showPins();
    this.app.writeLink();
  }

  async showPins() {
    const { app } = this;
    await this.pins.show(app.state.pins, app.map, this.pinKey(), async (pin) => {
      const found = await mapOf(app, this.pinQuery(pin));
      if (!found) return null;
      return { data: app.spread(this.pinValues(found.values)), full: app.pinLook()[1] };
    });
    app.painter.refresh();
  }

  /** What the maps of kept seeds depend on, beside the seed. */
  pinKey() {
    return "";
  }

  pinQuery(pin) {
    return { ...this.app.question(pin), n: 0, w: `pin ${pin.name}` };
  }

  pinValues(values) {
    return values;
  }

  async save() {
    const { app } = this, { controls } = app;
    controls.done("Saving…");
    await app.noting; // what is saved says how many seeds were looked at
    try {
      const { folder, files } = await post("save", app.seedQuery());
      const maps = files.filter(isMap).length;
      controls.done(`${maps} maps with their sidecars are in ${folder}`);
      this.saved = files;
    } catch (error) {
      controls.done("");
      app.trouble(error.message);
    }
  }

  /** Draw the series of the seed and of the place, once they are there. */
  drawChart(ink = this.app.painter.ink()) {
    if (!this.readings) return;
    const { seedSeries, placeSeries } = this.readings, { keep, t_r } = this.app.run;
    drawChart($("chart").querySelector("canvas"), { seedSeries, placeSeries, keep, step: t_r }, ink);
  }
}
