// The page of a run: holds the state, and has every part draw when it must.

import { Controls } from "./controls.js";
import { MosaicPane, mosaicFigure } from "./mosaic.js";
import { Maps, certain, getBytes, getJson, post } from "./net.js";
import { Painter, write } from "./painter.js";
import { Panel } from "./panel.js";
import { pictureOf } from "./picture.js";
import { Card } from "./pins.js";
import { Regions } from "./regions.js";
import { Shown } from "./shown.js";
import { Pane } from "./slices.js";
import { History, begin, fromLink, sameSettings, toLink } from "./state.js";
import { Volume } from "./volume.js";

const REST = 220; // ms without a further step until a seed counts as looked at
const BRIEFLY = 60; // ms until what is not the map follows: by then the map was drawn
const $ = (id) => document.getElementById(id);
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

export class App extends Shown {
  Card = Card; // of a seed that is kept
  painter = new Painter(this);
  panel = this.panelOf();
  address = "map";
  sent = Promise.resolve(); // the last settings that the server was sent

  async load(run) {
    history.replaceState(null, "", location.pathname + location.hash); // without the token, which is used up
    this.take(run, await getBytes("mask"));
    this.regions = await Regions.of(this);
    this.underlay = new Volume(run.grid.affine, [2, 2, 2], new Uint8Array(8));
    this.underlay.key = "nothing yet";
    this.state = this.begin(run);
    this.view = this.viewOf();
    this.history = new History(run.before);
    this.maps = new Maps(this);
    this.panes = this.three = [...document.querySelectorAll(".pane")].map((figure) => this.paneOf(figure));
    this.controls = this.controlsOf();
    new ResizeObserver(() => {
      this.painter.refresh();
      this.panel.drawChart();
    }).observe($("viewer"));
    addEventListener("hashchange", () => this.follow(location.hash.slice(1)));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.painter.refresh());
    await this.follow(location.hash.slice(1));
    this.fetchPicture();
  }

  begin(run) {
    return begin(run);
  }

  paneOf(figure) {
    return new Pane(figure, this);
  }

  panelOf() {
    return new Panel(this);
  }

  controlsOf() {
    return new Controls(this);
  }

  /** The picture of the head may take longer than the first map. */
  async fetchPicture() {
    const [{ affine, shape, name }, grey] = await Promise.all([getJson("picture"), getBytes("underlay")]);
    this.underlay = new Volume(affine, shape, new Uint8Array(grey));
    this.underlay.key = name;
    this.view.widen(this.underlay);
    this.painter.refresh();
    this.panel.updateSoon();
  }

  /** Show what a link says; without one, what there is. */
  async follow(text) {
    if (text === this.link) return;
    fromLink(this.state, text, this.run);
    this.takeLink();
    this.arrangeViews();
    this.controls.show();
    if (!sameSettings(this.state.settings, this.run.settings)) await this.switchSettings(this.state.settings);
    this.painter.refresh();
    this.rest();
    this.remember();
    this.controls.show();
    this.panel.updateSoon();
    await this.panel.showPins();
  }

  seedQuery(seed = this.state) {
    const [x, y, z] = seed.seed;
    return { x, y, z, radius: seed.radius, name: seed.name, ...(seed.region ? { region: seed.region } : {}) };
  }

  /** The seed of a question that was asked. */
  seedOf({ x, y, z }) {
    return [x, y, z];
  }

  /** The place of the crosshair, as the server reads it. */
  crosshairQuery() {
    const [ax, ay, az] = this.state.at;
    return { ax, ay, az };
  }

  /** What is asked about a seed, beside the place of the crosshair. */
  question(seed = this.state) {
    return this.seedQuery(seed);
  }

  /** Ask for a map while the pointer moves. */
  ask(how) {
    this.maps.wish(this.question(), how);
  }

  /** Ask for the whole map of a seed that is looked at. */
  askAll() {
    this.maps.wish(this.question(), { rest: true });
  }

  /** From bytes to values; see `Maps`. */
  decode(bytes) {
    return new Int16Array(bytes);
  }

  /** Ask for the whole map of a seed that is looked at, and have it noted. */
  rest() {
    const { seed, radius, region, name, stat } = this.state;
    this.settled = { seed: [...seed], radius, region, name };
    this.askAll();
    this.note(this.question());
    if (stat === "z") this.askZ();
  }

  /** Have it noted that a seed is looked at, once its map is on the screen. */
  note(seed) {
    const noting = (this.noting = this.maps
      .landed()
      .then(() => wait(BRIEFLY))
      .then(() => post("look", seed))
      .then(({ looked }) => this.controls.looked(looked), () => {})
      .then(() => noting === this.noting && (this.noting = null)));
  }

  /** Bring the fields up to date, but the map first. */
  showSoon() {
    this.showing ??= setTimeout(() => {
      this.showing = null;
      this.controls.show();
    }, BRIEFLY);
  }

  /** Bring places that a link gave into the form that this page has. */
  takeLink() {
    for (const seed of [this.state, this.state.less, ...this.state.pins].filter(Boolean)) {
      if (seed.region > (this.regions?.list.length ?? 0)) seed.region = 0;
      if (seed.region) seed.seed = this.regions.placeOf(seed.region);
    }
  }

  // --- the regions of an atlas ------------------------------------------------------------

  /** The region at the crosshair becomes the seed. */
  regionHere() {
    if (!this.regions) return;
    const none = !this.regionAt(this.state.at);
    this.trouble(none ? "There is no region of the atlas at the crosshair." : "");
    if (!none) this.seedTo(this.state.at, { whole: true });
    this.painter.refresh();
  }

  toggleOutlines() {
    if (!this.regions) return;
    this.state.outlines = !this.state.outlines;
    this.changed();
  }

  // --- three slices, or many -----------------------------------------------------------------

  toggleMosaic() {
    if (!this.hasSlices) return;
    const inside = $("viewer").contains(document.activeElement);
    this.state.mosaic = !this.state.mosaic;
    this.changed();
    if (inside) this.panes.at(-1).canvas.focus({ preventScroll: true });
  }

  /** Bring the views into the arrangement of the state. */
  arrangeViews() {
    const mosaic = (this.state.mosaic &&= this.hasSlices);
    if (mosaic && !this.mosaic) {
      const figure = mosaicFigure();
      $("viewer").prepend(figure);
      this.mosaic = [new MosaicPane(figure, this)];
    }
    $("viewer").classList.toggle("mosaic", mosaic);
    this.panes = mosaic ? this.mosaic : this.three;
  }

  // --- what a user can do ---------------------------------------------------------------

  /** The pointer goes down somewhere, or is drawn along; `seed` sets the seed in any case. */
  move(place, { first = false, seed = false } = {}) {
    const { state } = this;
    state.at = this.rounded(place);
    if (seed) this.seeding = true;
    if (state.follow || this.seeding) this.seedTo(state.at, { drag: true, preview: !first });
    this.painter.refresh();
  }

  /** Move the seed as the user asks; outside the brain it stays where it was. */
  seedTo(place, { drag = false, preview = false, whole = Boolean(this.state.region) } = {}) {
    const region = whole ? this.regionAt(place) : 0;
    const nothing = whole ? !region || region === this.state.region : !this.inBrain(place);
    if (nothing) {
      if (!drag) this.settle();
      return;
    }
    Object.assign(this.state, { region, seed: region ? this.regions.placeOf(region) : [...place] });
    if (!this.state.named) this.state.name = region ? this.regions.nameOf(region).slice(0, 40) : this.nameOf(place);
    if (this.state.follow) this.state.at = [...place];
    this.moved = true;
    this.restSoon();
    if (drag) this.ask({ preview: preview && this.run.preview });
    else this.settle();
  }

  /** The pointer rests: the map counts, and is asked for in full. */
  settle() {
    clearTimeout(this.resting);
    this.seeding = false;
    if (this.moved) {
      this.moved = false;
      this.rest();
      this.remember();
    }
    this.panel.updateSoon();
    this.showSoon();
    this.writeLink();
  }

  restSoon() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => !this.held() && this.settle(), REST);
  }

  held() {
    return this.panes.some((pane) => pane.held);
  }

  through(axis, steps) {
    const { state } = this;
    state.at = this.along(axis, steps);
    if (state.follow) this.seedTo(state.at, { drag: true, preview: true });
    this.rested();
  }

  /** A key has moved the crosshair. */
  rested() {
    if (!this.state.follow) this.panel.updateSoon();
    this.painter.refresh();
    this.showSoon();
    this.writeLink();
  }

  seedHere() {
    this.seedTo(this.state.at, { whole: false });
    this.painter.refresh();
  }

  jump() {
    this.state.at = [...this.state.seed];
    this.painter.refresh();
    this.settle();
  }

  goTo(place) {
    this.state.at = place;
    if (this.state.follow) this.seedTo(place);
    else this.settle();
    this.painter.refresh();
  }

  /** Show a seed of before, or one that was kept. */
  go({ seed, radius, name, at, region = 0 }, { remember = true } = {}) {
    Object.assign(this.state, { seed: [...seed], radius, name, region, at: [...(at ?? seed)] });
    this.state.named = false;
    this.rest();
    if (remember) this.remember();
    this.panel.updateSoon();
    this.controls.show();
    this.writeLink();
    this.painter.refresh();
  }

  remember() {
    this.history.add({ ...this.settled, at: [...this.state.at] });
  }

  undo(by) {
    const entry = this.history.step(by);
    if (entry) this.go(entry, { remember: false });
  }

  toggleFollow() {
    this.state.follow = !this.state.follow;
    this.controls.show();
    this.writeLink();
  }

  /** Do what a key stands for in every view; return whether it stands for something. */
  act(key) {
    const acts = {
      Home: () => this.jump(), Enter: () => this.seedHere(), s: () => this.seedHere(), f: () => this.toggleFollow(),
      k: () => this.panel.keep(), r: () => this.regionHere(), o: () => this.toggleOutlines(), m: () => this.toggleMosaic(), "+": () => this.nudge(1), "=": () => this.nudge(1), "-": () => this.nudge(-1),
    };
    acts[key]?.();
    return key in acts;
  }

  nudge(by) {
    const look = this.state.look[this.state.stat], step = this.ends(this.state.stat).nudge;
    look.threshold = Math.max(0, Number((look.threshold + by * step).toFixed(step < 0.01 ? 6 : 2)));
    this.changed();
  }

  /** Something of the look changed. */
  changed() {
    this.arrangeViews();
    this.controls.show();
    this.painter.refresh();
    this.panel.updateSoon();
    this.writeLink();
  }

  hover(place) {
    const value = place ? this.valueAt(place) : NaN;
    $("pointer").textContent = Number.isFinite(value)
      ? `pointer ${place.slice(0, 3).map((v) => Math.round(v)).join(", ")}: ${this.written(value)}` : "";
  }

  // --- maps ------------------------------------------------------------------------------

  draw(values, facts, query) {
    if (facts.version !== this.run.version) return this.renew();
    this.trouble("");
    this.full = facts.full;
    const { radius, name, region = 0 } = query;
    this.shown = { state: { seed: this.seedOf(query), radius, name, region }, stat: "r", preview: facts.preview };
    this.r = facts.preview ? null : values;
    this.facts = facts;
    this.fill(values);
    this.painter.now();
    this.controls.sampled(facts);
  }

  async askZ() {
    const seed = this.seedQuery(), number = ++this.maps.number;
    this.controls.busy("error bars…");
    try {
      const answer = await certain(seed, number);
      await this.maps.landed(); // the map of r is drawn first
      if (!answer || JSON.stringify(seed) !== JSON.stringify(this.seedQuery()) || this.state.stat !== "z") return;
      this.full = answer.facts.full;
      this.shown.stat = "z";
      this.fill(answer.values);
      const { dof, notes } = answer.facts;
      const left = dof === null ? "No effective degrees of freedom are left, and no z." : `About ${dof} effective degrees of freedom.`;
      this.controls.notes(left, notes);
      this.painter.now();
      this.panel.updateSoon(); // the peaks are of z now
    } catch (error) {
      this.trouble(error.message);
    } finally {
      this.controls.busy("");
    }
  }

  setStat(stat) {
    this.state.stat = stat;
    this.controls.notes("", []);
    this.maps.key = "";
    this.rest();
    this.changed();
  }

  /** The run has been cleaned anew, here or in another window. */
  async renew() {
    if (this.renewing) return;
    this.renewing = true;
    const [run, places] = await Promise.all([getJson("run"), getBytes("mask")]);
    this.renewing = false;
    if (!run) return;
    this.take(run, places);
    this.maps.key = "";
    if (!this.turn) this.state.settings = { ...run.settings }; // else what is wished for by now
    this.controls.show();
    this.rest();
    this.panel.updateSoon();
    this.writeLink();
    await this.panel.showPins();
  }

  async switchSettings(settings) {
    const turn = (this.turn = {});
    try {
      const { smoothing, high, low, groups } = settings;
      // One after the other: of two that are under way the later might arrive first.
      await (this.sent = this.sent.catch(() => {}).then(() => post("settings", { smoothing, high, low, groups })));
      this.trouble("");
    } catch (error) {
      this.trouble(error.message);
      if (this.turn !== turn) return;
      this.turn = null;
      this.state.settings = { ...this.run.settings };
      this.controls.show();
      return;
    }
    while (this.turn === turn) {
      const { job } = await getJson("job");
      this.controls.progress(job);
      if (job && !job.running) {
        if (job.error) this.trouble(job.error);
        break;
      }
      await wait(60);
    }
    if (this.turn !== turn) return;
    this.turn = null;
    await this.renew();
  }

  picture() {
    pictureOf(this);
  }

  /** The server would not make this map: go back to the last that it made. */
  refused(text) {
    this.trouble(text);
    if (!text || !this.shown) return;
    this.history.forget(this.state);
    Object.assign(this.state, this.shown.state, { at: [...this.shown.state.seed], named: false });
    this.controls.show();
    this.panel.updateSoon();
    this.writeLink();
    this.painter.refresh();
  }

  trouble(text) {
    write($("trouble"), text);
  }

  linkText() {
    return toLink(this.state);
  }

  writeLink() {
    clearTimeout(this.writing);
    this.writing = setTimeout(() => {
      this.link = this.linkText();
      history.replaceState(null, "", `#${this.link}`);
    }, 150);
  }
}
