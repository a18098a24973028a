// What stands beside the map of a group: contrasts, people, and each person's value at the crosshair.

import { Controls } from "./controls.js";
import { getJson, post } from "./net.js";
import { write } from "./painter.js";
import { Panel, isMap } from "./panel.js";
import { seedKey } from "./state.js";
import { STATS, written } from "./stats.js";
import { drawStrip, personAt } from "./strip.js";

const $ = (id) => document.getElementById(id);
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const TITLES = {
  effect: "Effect: r of the mean, or a difference of Fisher transforms",
  t: "Student's t",
  f: "F of all rows of the contrast; it has no sign",
  z: "Normal score of t, or of F",
  n: "People with a value",
};
const WEIGHTED = "people count by their own standard errors, which takes longer: the whole map follows when the seed rests";

export class GroupControls extends Controls {
  title() {
    super.title();
    const { run } = this.app;
    $("people").hidden = $("asked").hidden = $("lines").hidden = false;
    $("cleaning").hidden = true;
    $("verb").textContent = "seedmap group";
    $("contrast").replaceChildren(...run.contrasts.map((one, n) => new Option(this.contrastText(one), n)));
    const columns = run.columns.map(({ name }, n) => new Option(name, n));
    $("against").replaceChildren(new Option("nothing", ""), ...columns);
    $("stats").replaceChildren(...run.stats.map((stat) => this.choice(stat)));
    $("persons").append(...run.people.map((one, n) => this.person(one, n)));
    $("chart").classList.add("strip");
    for (const key of $("chart").querySelectorAll(".key")) key.hidden = true;
    const notes = [...run.notes, run.estimator === "weighted" ? WEIGHTED : ""].filter(Boolean);
    $("model-notes").textContent = notes.join("; ");
    $("model-notes").hidden = !notes.length;
    $("confirm").hidden = !run.keptBack;
  }

  contrastText({ text, rows, statistic }) {
    const test = rows > 1 ? "F" : "t";
    return statistic === "pooled" && rows === 1 ? text : `${text} (${statistic === "pooled" ? test : `${statistic} ${test}`})`;
  }

  choice(stat) {
    const label = document.createElement("label"), shown = document.createElement("span");
    label.title = TITLES[stat];
    shown.append(stat === "effect" ? "effect" : Object.assign(document.createElement("i"), { textContent: STATS[stat].sign }));
    label.append(Object.assign(document.createElement("input"), { type: "radio", name: "stat", value: stat }), shown);
    return label;
  }

  person({ label, used, why }, number) {
    const row = Object.assign(document.createElement("label"), { className: "check", title: why });
    const box = Object.assign(document.createElement("input"), { type: "checkbox", value: number, checked: used, disabled: !used });
    row.classList.toggle("absent", !used);
    row.append(box, `sub-${label}`, document.createElement("small"));
    return row;
  }

  wireMap() {
    super.wireMap();
    const { app } = this;
    $("contrast").addEventListener("change", () => app.setContrast(Number($("contrast").value)));
    $("against").addEventListener("change", () => app.panel.drawChart());
    $("confirm").addEventListener("click", () => app.panel.save({ confirm: true }));
    $("less").querySelector("button").addEventListener("click", () => app.setLess(null));
    $("correct").addEventListener("click", () => this.correct());
    $("use-line").addEventListener("click", () => this.useLine());
    $("everybody").addEventListener("click", () => app.everybody());
    $("persons").addEventListener("change", (event) => app.toggle(Number(event.target.value)));
    $("people").addEventListener("submit", (event) => event.preventDefault());
    $("chart").querySelector("canvas").addEventListener("click", (event) => app.panel.clicked(event));
  }

  show() {
    super.show();
    const { state, off, run } = this.app;
    if ($("contrast").value !== String(state.contrast)) {
      $("contrast").value = state.contrast;
      this.drawnAgainst = undefined;
    }
    if (this.drawnAgainst !== state.contrast) {
      this.drawnAgainst = state.contrast;
      const at = run.columns.findIndex(({ name }) => name === run.contrasts[state.contrast].against);
      $("against").value = at < 0 ? "" : at;
    }
    const stats = this.app.statsOf(this.app.contrast);
    for (const choice of document.getElementsByName("stat")) choice.parentElement.hidden = !stats.includes(choice.value);
    $("less").hidden = !state.less;
    write($("less").querySelector("span"), state.less ? `${state.name} less ${state.less.name}` : "");
    for (const box of $("persons").querySelectorAll("input")) box.checked = run.people[box.value].used && !off.has(Number(box.value));
    $("everybody").disabled = !off.size;
  }

  /** Ask which size chance alone reaches somewhere in this map. */
  async correct() {
    const { app } = this, question = app.question();
    write($("line"), "Shuffling people…");
    $("correct").disabled = true;
    await app.noting;
    try {
      const line = await getJson("group/line", question);
      if (JSON.stringify(question) !== JSON.stringify(app.question())) return this.lineOf({});
      const sign = this.app.unsigned ? STATS[line.kind].sign : `|${line.kind}|`;
      const size = (value) => (value === null ? "no size" : `${sign} > ${written(value, "t")}`);
      write($("line"), `By chance alone (${line.shuffles} shuffles, ${line.samples.toLocaleString("en")} ${app.run.elements}) one map in twenty has ${size(line.alone)} somewhere; for one of the ${line.looks} maps looked at it takes ${size(line.ofLooks)}.`);
      this.line = { ...line, key: this.keyOf(question) };
      this.marks();
      $("use-line").disabled = line.ofLooks === null;
      app.controls.looked(line.looks);
    } catch (error) {
      write($("line"), "");
      app.trouble(error.message);
    } finally {
      $("correct").disabled = false;
    }
  }

  keyOf(query) {
    return `${seedKey(query)} ${query.off}`;
  }

  /** The line belongs to one map: with another it goes. */
  lineOf(query) {
    if (this.line && this.line.key === this.keyOf(query)) return;
    this.line = null;
    this.marks();
    write($("line"), "");
    $("use-line").disabled = true;
  }

  /** Mark on the slider which thresholds the corrected line stands for. */
  marks() {
    const { line, app } = this, { max } = $("threshold"), shown = line && line.kind === app.stat;
    for (const [name, value] of [["alone", line?.alone], ["looks", line?.ofLooks]]) {
      const mark = $("marks").querySelector(`.${name}`);
      mark.hidden = !shown || value === null || value > max;
      if (!mark.hidden) mark.style.left = `${(100 * value) / max}%`;
    }
  }

  look(state) {
    super.look(state);
    this.marks();
  }

  useLine() {
    const { app, line } = this;
    if (app.stat !== line.kind) app.setStat(line.kind);
    app.state.look[line.kind].threshold = line.ofLooks;
    app.changed();
  }

  /** Who counts in the map on the screen. */
  counted({ used, lacking, dof, statistic }) {
    const freedom = dof === null ? "" : `, ${Math.round(dof * 10) / 10} degrees of freedom`;
    write($("used"), `${used} of ${this.app.run.people.length}${freedom}${statistic === "pooled" ? "" : `, ${statistic}`}`);
    write($("lacking"), lacking ? `${lacking} ${lacking === 1 ? "person lacks" : "people lack"} the seed and ${lacking === 1 ? "is" : "are"} left out.` : "");
    $("lacking").hidden = !lacking;
  }

  readings({ placeName, peaks, command, values, here }) {
    this.named(placeName);
    $("command").value = command;
    $("peaks").querySelector("tbody").replaceChildren(...peaks.map((peak) => this.peak(peak)));
    const sign = this.app.contrast.rows > 1 ? "F" : "t";
    $("peaks").querySelector("th:last-child i").textContent = sign;
    $("persons").querySelectorAll("small").forEach((cell, n) => write(cell, values?.[n] == null ? "–" : written(values[n], "effect")));
    const freedom = Math.round(here.dof * 10) / 10, of = sign === "F" ? `${this.app.contrast.rows}, ${freedom}` : freedom;
    const said = here.t == null ? "" : `n = ${here.n}, ${sign}(${of}) = ${written(here.t, "t")}`;
    write($("agree"), said);
  }
}

export class GroupPanel extends Panel {
  address = "group/about";
  dots = [];

  pinActs() {
    return { ...super.pinActs(), less: (pin) => this.app.setLess(pin) };
  }

  beyond() {
    const { look, contrast } = this.app.state, { rows } = this.app.run.contrasts[contrast];
    return { stat: this.app.question().stat, threshold: look[rows > 1 ? "f" : "t"].threshold };
  }

  pinKey() {
    const { state, off, tested } = this.app;
    return JSON.stringify([state.contrast, [...off], tested]);
  }

  pinQuery(pin) {
    return { ...super.pinQuery(pin), part: "all" };
  }

  pinValues({ tested }) {
    return tested;
  }

  read(readings, query) {
    super.read(readings, query);
    this.app.hatch(readings.near, query);
  }

  clicked(event) {
    const box = event.target.getBoundingClientRect();
    const person = personAt(this.dots, event.clientX - box.left, event.clientY - box.top);
    if (person >= 0) this.app.toggle(person);
  }

  drawChart(ink = this.app.painter.ink()) {
    if (!this.readings) return;
    const canvas = $("chart").querySelector("canvas"), { run, off } = this.app;
    const values = this.readings.values ?? run.people.map(() => null);
    const at = $("against").value, column = at === "" ? null : run.columns[at];
    this.dots = drawStrip(canvas, { values, column, off }, ink);
    const known = values.filter((value) => value !== null);
    const range = known.length ? ` from ${written(Math.min(...known), "effect")} to ${written(Math.max(...known), "effect")}` : "";
    canvas.setAttribute("aria-label", `Fisher transforms of ${known.length} people at the crosshair${range}${column ? `, against ${column.name}` : ""}; the list of people has each`);
  }

  async save({ confirm = false } = {}) {
    const { app } = this, { controls } = app;
    this.saved = null;
    controls.done("Making the maps with seedmap group…");
    await app.noting; // what is saved says how many seeds were looked at
    try {
      const { off, contrast, ...seed } = app.question();
      const { folder } = await post("save", { ...seed, contrast, off: [...app.off], confirm });
      for (;;) {
        const { job } = await getJson("job");
        if (!job.running) {
          if (job.error) throw new Error(job.error);
          this.saved = job.files;
          return controls.done(`${job.files.filter(isMap).length} maps, their sidecars and a page are in ${folder}${confirm ? `: of the ${app.run.keptBack} people who were kept back` : ""}`);
        }
        if (job.total) controls.done(`Making the maps with seedmap group: ${job.done} of ${job.total} shuffles`);
        await wait(200);
      }
    } catch (error) {
      controls.done("");
      app.trouble(error.message);
    }
  }
}
