// The page of a group: all people of a study at once; contrasts, and people who can be switched off.

import { App } from "./app.js";
import { CortexApp } from "./cortex_app.js";
import { GroupControls, GroupPanel } from "./group_side.js";
import { Near } from "./hatch.js";
import { LOOK, seedKey } from "./state.js";
import { STATS } from "./stats.js";
import { NOTHING, Volume } from "./volume.js";

const WHOLE = 120; // ms after the last movement until the whole map is asked for
const FULL = 32767;

/** The page of a group in volumes, or on surfaces and grayordinates: what `Base` is of one run. */
const groupOf = (Base) => class extends Base {
  address = "group/map";
  off = new Set(); // numbers of people who are switched off

  begin(run) {
    const usual = { ...LOOK, threshold: 3, range: 10 };
    this.effects = {}; // how effects are drawn, once one was seen
    const look = { effect: { ...LOOK }, t: usual, f: { ...usual, range: 30 }, z: { ...usual, range: 8 } };
    return {
      ...super.begin(run),
      stat: run.contrasts[0].rows > 1 ? "f" : "t",
      contrast: 0,
      less: null, // a seed whose maps are subtracted within each person
      look: { ...look, n: { ...LOOK, threshold: 0, range: run.people.length } },
    };
  }

  panelOf() {
    return new GroupPanel(this);
  }

  controlsOf() {
    return new GroupControls(this);
  }

  get contrast() {
    return this.run.contrasts[this.state.contrast];
  }

  /** The statistics that a contrast has: of several rows no effect, and F in place of t. */
  statsOf({ rows }) {
    return rows > 1 ? ["f", "z", "n"] : ["effect", "t", "z", "n"];
  }

  /** Which statistic the server sends beside the effect: t or F, or its normal score. */
  get tested() {
    return this.state.stat === "z" ? "z" : this.contrast.rows > 1 ? "f" : "t";
  }

  /** The value of the largest step of it. */
  get testedFull() {
    return this.contrast.full[this.tested];
  }

  /** Whether what is shown has no negative values. */
  get unsigned() {
    return this.stat === "n" || this.contrast.rows > 1;
  }

  get stat() {
    return this.state.stat;
  }

  get sign() {
    return this.stat === "effect" ? this.unit : STATS[this.stat].sign;
  }

  /** The unit of effects: r where the mean over people is in the contrast, else that of Fisher transforms. */
  get unit() {
    return this.contrast.mean && !this.state.less ? "r" : "z′";
  }

  get scaleName() {
    return this.stat === "effect" ? `effect ${this.unit}` : this.stat;
  }

  get title() {
    const { name, less } = this.state;
    return `${less ? `${name} less ${less.name}` : name}, ${this.contrast.text}`;
  }

  pinLook() {
    return [this.state.look[this.tested], this.testedFull];
  }

  ends(stat) {
    if (stat === "n") return { ...STATS.n, threshold: this.run.people.length, range: this.run.people.length };
    const reach = this.facts?.effectFull ?? 1;
    if (stat !== "effect" || reach > 0.5) return STATS[stat];
    return { ...STATS.effect, threshold: reach, range: reach, step: reach / 200, nudge: reach / 20 };
  }

  question(seed) {
    const { contrast, less } = this.state, stat = this.state.stat === "z" ? "z" : "t";
    const asked = { ...this.seedQuery(seed), contrast, off: [...this.off].join(), stat };
    if (seed || !less) return asked;
    for (const [name, value] of Object.entries(this.seedQuery(less))) asked[`l${name}`] = value;
    return asked;
  }

  /** Under which name it is kept how effects are drawn. */
  get effectKey() {
    return `${this.state.contrast}${this.state.less ? " less" : ""}`;
  }

  /** While the pointer moves, the samples of the three slices are enough; cortex and mosaic show more. */
  ask() {
    const [ax, ay, az] = this.state.at, whole = this.run.parts || this.state.mosaic;
    if (whole && this.run.estimator === "ols") return this.askAll();
    if (!whole) this.maps.wish({ ...this.question(), part: "slices", ax, ay, az });
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
    const { radius, name, region = 0 } = query;
    const state = { seed: this.seedOf(query), radius, name, region, less: this.state.less };
    this.shown = { state, off: new Set(this.off), contrast: query.contrast };
    this.r = values.which ? null : values;
    if (this.near?.key !== seedKey(query)) this.near = null;
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
    if (this.stat !== "n") return { values: tested, full: this.facts.statFull };
    const most = this.run.people.length;
    return { values: effect.map((_, n) => Math.round(((people ? people[n] : this.facts.people) / most) * FULL)), full: most };
  }

  /** Hatch the samples near the seed of a question. */
  hatch(samples, query) {
    const { places, map, run } = this, size = run.parts ? this.numbers.length : map.data.length;
    const flags = new Uint8Array(size), data = run.parts ? new Uint8Array(map.data.length) : flags;
    for (const sample of samples) flags[places[sample]] = 1;
    if (run.parts) this.voxels.forEach((position, n) => (data[n] = position < 0 ? 0 : flags[position]));
    this.near = samples.length ? new Near(seedKey(query), new Volume(map.affine, map.shape, data), flags) : null;
    this.painter.refresh();
  }

  setStat(stat) {
    const before = this.question().stat;
    this.state.stat = stat;
    if (this.question().stat !== before) this.rest();
    else if (this.answer) this.refill();
    this.panel.showPins();
    this.changed();
  }

  setContrast(number) {
    this.state.contrast = number;
    this.fitStat();
    this.state.look.effect = this.effects[this.effectKey] ?? { ...LOOK };
    this.asked();
  }

  /** Show what the contrast has. */
  fitStat() {
    const { state } = this;
    if (!this.statsOf(this.contrast).includes(state.stat)) state.stat = this.contrast.rows > 1 ? "f" : "t";
  }

  takeLink() {
    super.takeLink();
    const { less } = this.state;
    if (less) less.seed = this.snapped(less.seed);
    this.fitStat();
  }

  /** Subtract the maps of a kept seed within each person; null for the seed alone. */
  setLess(pin) {
    this.state.less = pin && { seed: [...pin.seed], radius: pin.radius, region: pin.region, name: pin.name };
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
      this.fitStat();
    }
    super.refused(text);
  }

  about() {
    const { run } = this, used = run.people.filter((one) => one.used).length;
    const back = run.keptBack ? `, ${run.keptBack} kept back` : "";
    const parts = [`${used} people${back}`, `${run.runs} runs`, `model ${run.model}`, run.estimator === "ols" ? "" : run.estimator, `${run.samples.toLocaleString("en")} ${run.elements}`, run.numbers];
    return parts.filter(Boolean).join("  ·  ");
  }
};

export class GroupApp extends groupOf(App) {}

export class CortexGroupApp extends groupOf(CortexApp) {}
