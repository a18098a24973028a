// What the page shows, as one plain object; as a link; and as a history.

export const LOOK = { threshold: 0.3, range: 0.8, opacity: 0.9, fade: true };

export function begin(run) {
  const place = run.start.place;
  return {
    seed: [...place],
    at: [...place],
    radius: run.start.radius ?? 8,
    name: run.start.name ?? nameOf(place),
    named: false, // by the user, so that the name stays when the seed moves
    region: 0, // number of the region that is the seed; 0 where it is a sphere or a patch
    outlines: true,
    mosaic: false,
    follow: true,
    stat: "r",
    look: { r: { ...LOOK }, z: { ...LOOK, threshold: 3, range: 10 } },
    radiological: false,
    theme: "",
    pins: [],
    settings: { ...run.settings },
  };
}

/** A name for a place: left or right, anterior or posterior, superior or inferior. */
export function nameOf(place) {
  const ends = [["L", "R"], ["P", "A"], ["I", "S"]];
  return place.slice(0, 3).map((value, k) => ends[k][+(value >= 0)] + Math.abs(Math.round(value))).join("");
}

const three = (place) => place.map((value) => String(Math.round(value * 100) / 100)).join(",");

function placeOf(text) {
  const place = (text ?? "").split(",").map(Number);
  return [3, 4].includes(place.length) && place.every(Number.isFinite) ? place : null;
}

/** The state as the part of the address after the hash. */
export function toLink(state) {
  const { threshold, range, opacity, fade } = state.look[state.stat];
  const link = new URLSearchParams({
    seed: three(state.seed),
    radius: state.radius,
    name: state.name,
    at: three(state.at),
    follow: +state.follow,
    stat: state.stat,
    threshold,
    range,
    opacity,
    fade: +fade,
    side: state.radiological ? "radiological" : "neurological",
    smoothing: state.settings.smoothing ?? 0,
    high: state.settings.high ?? 0,
    low: state.settings.low ?? 0,
    groups: state.settings.groups.join("|"),
  });
  if (state.region) link.set("region", state.region);
  if (!state.outlines) link.set("outlines", 0);
  if (state.mosaic) link.set("mosaic", 1);
  if (state.contrast) link.set("contrast", state.contrast);
  if (state.less) link.set("less", pinText(state.less));
  if (state.theme) link.set("theme", state.theme);
  for (const pin of state.pins) link.append("pin", pinText(pin));
  return link.toString();
}

const number = (text, low, high, otherwise) => {
  const value = text === null || text === "" ? NaN : Number(text);
  return value >= low && value <= high ? value : otherwise;
};

/** Bring a link's state into `state`; what cannot be read stays as it is. */
export function fromLink(state, text, run) {
  const link = new URLSearchParams(text);
  if (!link.has("seed")) return false;
  state.seed = placeOf(link.get("seed")) ?? state.seed;
  state.at = placeOf(link.get("at")) ?? state.seed;
  state.radius = number(link.get("radius"), 0, run.mostRadius, state.radius);
  state.name = (link.get("name") || state.name).slice(0, 40);
  state.region = number(link.get("region"), 0, run.regions, 0);
  state.outlines = link.get("outlines") !== "0";
  state.mosaic = link.get("mosaic") === "1";
  state.follow = link.get("follow") !== "0";
  state.stat = run.stats.includes(link.get("stat")) ? link.get("stat") : run.stats[0];
  if (run.contrasts) state.contrast = number(link.get("contrast"), 0, run.contrasts.length - 1, 0);
  if (run.contrasts) state.less = link.has("less") ? pinOf(link.get("less")) : null;
  const look = state.look[state.stat];
  look.threshold = number(link.get("threshold"), 0, 1000, look.threshold);
  look.range = number(link.get("range"), 1e-6, 1000, look.range);
  look.opacity = number(link.get("opacity"), 0, 1, look.opacity);
  look.fade = link.get("fade") !== "0";
  state.radiological = link.get("side") === "radiological";
  state.theme = ["light", "dark"].includes(link.get("theme")) ? link.get("theme") : "";
  state.pins = link.getAll("pin").map((text) => pinOf(text, run.parts ? 4 : 3)).filter(Boolean).slice(0, 8);
  if (link.has("high")) state.settings = settingsOf(link, state.settings, run);
  return true;
}

const pinText = (pin) => `${three(pin.seed)},${pin.region ? `region ${pin.region}` : pin.radius},${pin.name}`;

function pinOf(text, length = 3) {
  const words = text.split(","), seed = placeOf(words.slice(0, length).join(",")), [radius, ...name] = words.slice(length);
  const region = Number(/^region (\d+)$/.exec(radius)?.[1] ?? 0);
  return seed && { seed, radius: number(radius, 0, 30, 8), region, name: name.join(",").slice(0, 40) || nameOf(seed) };
}

function settingsOf(link, settings, run) {
  const some = (name) => number(link.get(name), 0, 100, settings[name] ?? 0) || null;
  const groups = (link.get("groups") ?? "").split("|").filter((group) => group in run.groups);
  return { ...settings, smoothing: some("smoothing"), high: some("high"), low: some("low"), groups };
}

export const sameSettings = (a, b) =>
  ["smoothing", "high", "low"].every((key) => (a[key] ?? null) === (b[key] ?? null)) &&
  a.groups.join("|") === b.groups.join("|");

/** Whether two seeds are one: the same region, or the same place and radius. */
export const sameSeed = (a, b) =>
  (a.region ?? 0) === (b.region ?? 0) && three(a.seed) === three(b.seed) && (Boolean(a.region) || a.radius === b.radius);

const KEPT = 100;

const SEED = ["x", "y", "z", "hemisphere", "vertex", "region", "radius"];

/** What a map depends on, of a question: its seeds and its contrast. */
export const seedKey = (query) => [...SEED, ...SEED.map((name) => `l${name}`), "contrast"].map((name) => query[name]).join();

/** Seeds that were looked at, with a place in them. */
export class History {
  /** Begins with seeds that were mapped before, the first of them last. */
  constructor(before) {
    this.entries = before.map(({ place, radius, name }) => ({ seed: place, radius, name, at: [...place] })).reverse();
    this.now = this.entries.length - 1;
  }

  add(entry) {
    const last = this.entries[this.now];
    if (last && sameSeed(last, entry)) {
      last.name = entry.name;
      return;
    }
    this.entries = [...this.entries.slice(0, this.now + 1), entry].slice(-KEPT);
    this.now = this.entries.length - 1;
  }

  /** A seed that turned out to be none. */
  forget(seed) {
    const last = this.entries[this.now];
    if (!last || !sameSeed(last, seed)) return;
    this.entries.splice(this.now, 1);
    this.now = Math.min(this.now, this.entries.length) - 1;
    if (this.now < 0 && this.entries.length) this.now = 0;
  }

  step(by) {
    const next = this.now + by;
    if (next < 0 || next >= this.entries.length) return null;
    this.now = next;
    return this.entries[next];
  }
}

export { three };
