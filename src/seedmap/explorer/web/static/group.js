// The page of a group: all people of a study at once; contrasts, and people who can be switched off.

import { App } from "./app.js";
import { Controls } from "./controls.js";
import { getJson, post } from "./net.js";
import { write } from "./painter.js";
import { Panel } from "./panel.js";
import { LOOK, begin } from "./state.js";
import { STATS, written } from "./stats.js";
import { drawStrip, personAt } from "./strip.js";
import { NOTHING } from "./volume.js";

const WHOLE = 120; // ms after the last movement until the whole map is asked for
const FULL = 32767, STAT_FULL = 60;
const $ = (id) => document.getElementById(id);
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

export class GroupApp extends App {
  address = "group/map";
  off = new Set(); // numbers of people who are switched off

  begin(run) {
    const usual = { ...LOOK, threshold: 3, range: 10 };
    this.effects = {}; // how effects are drawn, once one was seen
    return {
      ...begin(run),
      stat: "t",
      contrast: 0,
      less: null, // a seed whose maps are subtracted within each person
      look: { effect: { ...LOOK }, t: usual, z: { ...usual, range: 8 }, n: { ...LOOK, threshold: 0, range: run.people.length } },
    };
  }

  panelOf() {
    return new GroupPanel(this);
  }

  controlsOf() {
    return new GroupControls(this);
  }

  /** Which of t and z the server sends beside the effect. */
  get tested() {
    return this.state.stat === "z" ? "z" : "t";
  }

  get stat() {
    return this.state.stat;
  }

  get sign() {
    return this.stat === "effect" ? this.unit : STATS[this.stat].sign;
  }

  /** The unit of effects: r where the mean over people is in the contrast, else that of Fisher transforms. */
  get unit() {
    return this.run.contrasts[this.state.contrast].mean && !this.state.less ? "r" : "z′";
  }

  get scaleName() {
    return this.stat === "effect" ? `effect ${this.unit}` : this.stat;
  }

  get title() {
    const { name, less, contrast } = this.state;
    return `${less ? `${name} less ${less.name}` : name}, ${this.run.contrasts[contrast].text}`;
  }

  pinLook() {
    return [this.state.look[this.tested], STAT_FULL];
  }

  ends(stat) {
    if (stat === "n") return { ...STATS.n, threshold: this.run.people.length, range: this.run.people.length };
    const reach = this.facts?.effectFull ?? 1;
    if (stat !== "effect" || reach > 0.5) return STATS[stat];
    return { ...STATS.effect, threshold: reach, range: reach, step: reach / 200, nudge: reach / 20 };
  }

  question(seed) {
    const { contrast, less } = this.state, asked = { ...this.seedQuery(seed), contrast, off: [...this.off].join(), stat: this.tested };
    if (seed || !less) return asked;
    const [lx, ly, lz] = less.seed;
    return { ...asked, lx, ly, lz, lradius: less.radius, lname: less.name };
  }

  /** Under which name it is kept how effects are drawn. */
  get effectKey() {
    return `${this.state.contrast}${this.state.less ? " less" : ""}`;
  }

  /** While the pointer moves, the samples of the three slices are enough. */
  ask() {
    const [ax, ay, az] = this.state.at;
    this.maps.wish({ ...this.question(), part: "slices", ax, ay, az });
    clearTimeout(this.wholly);
    this.wholly = setTimeout(() => this.askAll(), WHOLE);
  }

  askAll() {
    clearTimeout(this.wholly);
    this.wholly = null;
    this.maps.wish({ ...this.question(), part: "all" }, { rest: true });
  }

  decode(bytes, { samples, part }) {
    let at = 0;
    const next = (Kind) => {
      const found = new Kind(bytes, at, samples);
      at += found.byteLength;
      return found;
    };
    const which = part === "slices" ? next(Uint32Array) : null;
    const effect = next(Int16Array), tested = next(Int16Array);
    return { which, effect, tested, people: at < bytes.byteLength ? next(Uint16Array) : null };
  }

  draw(values, facts, query) {
    this.trouble("");
    this.answer = values;
    this.facts = facts;
    const { x, y, z, radius, name } = query;
    this.shown = { state: { seed: [x, y, z], radius, name, less: this.state.less }, off: new Set(this.off), contrast: query.contrast };
    this.r = values.which ? null : values;
    this.controls.lineOf(query);
    this.fitEffects(facts);
    this.refill();
    this.painter.now();
    this.controls.sampled(facts);
    this.controls.counted(facts);
  }

  /** The first map of a contrast sets where the colours of effects end. */
  fitEffects({ reach, part }) {
    const { look } = this.state, key = this.effectKey;
    if (this.effects[key] || part !== "all") return;
    const range = this.unit === "r" ? LOOK.range : Number((reach || 1).toPrecision(1));
    this.effects[key] = this.linked ? look.effect : { ...look.effect, range, threshold: this.unit === "r" ? LOOK.threshold : range / 4 };
    this.linked = false;
    look.effect = this.effects[key];
    this.controls.look(this.state);
  }

  /** Put the statistic that is wanted into the volume; where nothing was sent, there is nothing. */
  refill() {
    const { answer, places } = this, { data } = this.map;
    const { values, full } = this.valuesOf(answer);
    this.full = full;
    if (!answer.which) return this.fill(values);
    data.fill(NOTHING);
    answer.which.forEach((sample, n) => (data[places[sample]] = values[n]));
  }

  valuesOf({ effect, tested, people }) {
    if (this.stat === "effect") return { values: effect, full: this.facts.effectFull };
    if (this.stat !== "n") return { values: tested, full: STAT_FULL };
    const most = this.run.people.length;
    return { values: effect.map((_, n) => Math.round(((people ? people[n] : this.facts.people) / most) * FULL)), full: most };
  }

  setStat(stat) {
    const before = this.tested;
    this.state.stat = stat;
    if (this.tested !== before) this.rest();
    else if (this.answer) this.refill();
    this.panel.showPins();
    this.changed();
  }

  setContrast(number) {
    this.state.contrast = number;
    this.state.look.effect = this.effects[this.effectKey] ?? { ...LOOK };
    this.asked();
  }

  /** Subtract the maps of a kept seed within each person; null for the seed alone. */
  setLess(pin) {
    this.state.less = pin && { seed: [...pin.seed], radius: pin.radius, name: pin.name };
    this.state.look.effect = this.effects[this.effectKey] ?? { ...LOOK };
    this.asked();
  }

  /** Switch a person on or off. */
  toggle(person) {
    if (!this.run.people[person].used) return;
    if (!this.off.delete(person)) this.off.add(person);
    this.asked();
  }

  everybody() {
    this.off.clear();
    this.asked();
  }

  /** Something else is asked of the same seed. */
  asked() {
    this.rest();
    this.panel.showPins();
    this.changed();
  }

  follow(text) {
    this.linked = new URLSearchParams(text).get("stat") === "effect";
    return super.follow(text);
  }

  /** z comes with the map. */
  askZ() {}

  refused(text) {
    if (text && this.shown) {
      this.off = new Set(this.shown.off);
      this.state.contrast = this.shown.contrast ?? this.state.contrast;
    }
    super.refused(text);
  }

  about() {
    const { run } = this, used = run.people.filter((one) => one.used).length;
    const back = run.keptBack ? `, ${run.keptBack} kept back` : "";
    const parts = [`${used} people${back}`, `${run.runs} runs`, `model ${run.model}`, `${run.samples.toLocaleString("en")} voxels`, run.numbers];
    return parts.join("  ·  ");
  }
}

class GroupControls extends Controls {
  title() {
    super.title();
    const { run } = this.app;
    $("people").hidden = $("asked").hidden = $("lines").hidden = false;
    $("cleaning").hidden = true;
    $("verb").textContent = "seedmap group";
    $("contrast").replaceChildren(...run.contrasts.map(({ text, robust }, n) => new Option(robust ? `${text} (robust t)` : text, n)));
    const columns = run.columns.map(({ name }, n) => new Option(name, n));
    $("against").replaceChildren(new Option("nothing", ""), ...columns);
    $("stats").replaceChildren(...["effect", "t", "z", "n"].map((stat) => this.choice(stat)));
    $("persons").append(...run.people.map((one, n) => this.person(one, n)));
    $("chart").classList.add("strip");
    for (const key of $("chart").querySelectorAll(".key")) key.hidden = true;
    $("model-notes").textContent = run.notes.join("; ");
    $("model-notes").hidden = !run.notes.length;
    $("confirm").hidden = !run.keptBack;
  }

  choice(stat) {
    const label = document.createElement("label"), shown = document.createElement("span");
    const title = { effect: "Effect: r of the mean, or a difference of Fisher transforms", t: "Student's t", z: "Normal score of t", n: "People with a value" };
    label.title = title[stat];
    shown.append(stat === "effect" ? "effect" : Object.assign(document.createElement("i"), { textContent: stat }));
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
      const size = (value) => (value === null ? "no size" : `|${line.kind}| > ${written(value, "t")}`);
      write($("line"), `By chance alone (${line.shuffles} shuffles, ${line.samples.toLocaleString("en")} voxels) one map in twenty has ${size(line.alone)} somewhere; for one of the ${line.looks} maps looked at it takes ${size(line.ofLooks)}.`);
      this.line = { ...line, key: this.keyOf(question) };
      $("use-line").disabled = line.ofLooks === null;
      app.controls.looked(line.looks);
    } catch (error) {
      write($("line"), "");
      app.trouble(error.message);
    } finally {
      $("correct").disabled = false;
    }
  }

  keyOf({ x, y, z, radius, contrast, off, lx, ly, lz, lradius }) {
    return [x, y, z, radius, contrast, off, lx, ly, lz, lradius].join();
  }

  /** The line belongs to one map: with another it goes. */
  lineOf(query) {
    if (this.line && this.line.key === this.keyOf(query)) return;
    this.line = null;
    write($("line"), "");
    $("use-line").disabled = true;
  }

  useLine() {
    const { app, line } = this;
    if (app.stat !== line.kind) app.setStat(line.kind);
    app.state.look[line.kind].threshold = line.ofLooks;
    app.changed();
  }

  /** Who counts in the map on the screen. */
  counted({ used, lacking, dof, robust }) {
    const freedom = dof === null ? "" : `, ${Math.round(dof * 10) / 10} degrees of freedom`;
    write($("used"), `${used} of ${this.app.run.people.length}${freedom}${robust ? ", robust" : ""}`);
    write($("lacking"), lacking ? `${lacking} ${lacking === 1 ? "person lacks" : "people lack"} the seed and ${lacking === 1 ? "is" : "are"} left out.` : "");
    $("lacking").hidden = !lacking;
  }

  readings({ placeName, peaks, command, values, here }) {
    $("region").textContent = placeName;
    $("command").value = command;
    $("peaks").querySelector("tbody").replaceChildren(...peaks.map((peak) => this.peak(peak)));
    $("peaks").querySelector("th:last-child i").textContent = "t";
    $("persons").querySelectorAll("small").forEach((cell, n) => write(cell, values?.[n] == null ? "–" : written(values[n], "effect")));
    const said = here.t == null ? "" : `n = ${here.n}, t(${Math.round(here.dof * 10) / 10}) = ${written(here.t, "t")}`;
    write($("agree"), said);
  }
}

class GroupPanel extends Panel {
  address = "group/about";
  dots = [];

  pinActs() {
    return { ...super.pinActs(), less: (pin) => this.app.setLess(pin) };
  }

  beyond() {
    return { stat: this.app.tested, threshold: this.app.state.look.t.threshold };
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
          return controls.done(`${job.files.filter((name) => name.endsWith(".nii.gz")).length} maps, their sidecars and a page are in ${folder}${confirm ? `: of the ${app.run.keptBack} people who were kept back` : ""}`);
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
