// What stands beside the map: readings, the chart, seeds that are kept, and saving.

import { drawChart } from "./chart.js";
import { Drawing } from "./drawing.js";
import { getJson, post } from "./net.js";
import { NOTHING } from "./volume.js";

const MOST_PINS = 8;
const PAUSE = 120; // ms of rest until the readings are asked for
const $ = (id) => document.getElementById(id);

export class Beside extends Drawing {
  tellSoon() {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.tell(), PAUSE);
  }

  async tell() {
    await this.maps.landed();
    const { state } = this, [ax, ay, az] = state.at;
    const threshold = Math.min(1, state.look.r.threshold);
    const query = { ...this.seedQuery(), ax, ay, az, threshold, ...this.maps.turn };
    const told = await getJson("about", query).catch(() => null);
    if (!told || [ax, ay, az].some((value, k) => value !== this.state.at[k])) return;
    this.told = told;
    this.controls.told(told);
    this.drawChart();
    $("live").textContent = `${state.at.join(", ")} millimetres, ${told.placeName}. ${this.written(this.valueAt(state.at))}`;
  }

  async keep() {
    const { state } = this;
    const pin = { seed: [...state.seed], radius: state.radius, name: state.name };
    const same = (other) => other.radius === pin.radius && other.seed.join() === pin.seed.join();
    state.named = false;
    state.pins = [...state.pins.filter((other) => !same(other)), pin].slice(-MOST_PINS);
    await this.showPins();
    this.writeLink();
  }

  drop(pin) {
    this.state.pins = this.state.pins.filter((other) => other !== pin);
    this.showPins();
    this.writeLink();
  }

  async showPins() {
    await this.pins.show(this.state.pins, this.map, async (pin) => {
      const query = new URLSearchParams({ ...this.seedQuery(pin), n: 0, w: `pin ${pin.name}` });
      const answer = await fetch(`api/map?${query}`);
      if (answer.status !== 200) return null;
      const values = new Int16Array(await answer.arrayBuffer());
      const data = new Int16Array(this.map.data.length).fill(NOTHING);
      this.places.forEach((place, n) => (data[place] = values[n]));
      return data;
    });
    this.refresh();
  }

  async save() {
    this.controls.done("Saving…");
    await this.noting; // what is saved says how many seeds were looked at
    try {
      const { folder, files } = await post("save", this.seedQuery());
      const maps = files.filter((name) => name.endsWith(".nii.gz")).length;
      this.controls.done(`${maps} maps with their sidecars are in ${folder}`);
      this.saved = files;
    } catch (error) {
      this.controls.done("");
      this.trouble(error.message);
    }
  }

  drawChart(ink = this.ink()) {
    const { seedSeries, placeSeries } = this.told;
    drawChart($("chart").querySelector("canvas"), { seedSeries, placeSeries, keep: this.run.keep, step: this.run.t_r }, ink);
  }
}
