// The fields beside the slices: from the state into them, and back.

import { alphaOf, colorOf } from "./colors.js";
import { write } from "./painter.js";
import { three } from "./state.js";
import { written } from "./stats.js";

const $ = (id) => document.getElementById(id);
const on = (id, event, act) => $(id).addEventListener(event, act);

export class Controls {
  constructor(app) {
    this.app = app;
    this.title();
    this.groups();
    this.wireSeed();
    this.wireMap();
    this.wireCleaning();
    this.wireKeeping();
  }

  title() {
    const { run } = this.app;
    $("run").textContent = run.name;
    $("run").title = run.source;
    document.title = `${run.name} – seedmap`;
  }

  facts() {
    write($("facts"), this.app.about());
  }

  groups() {
    const { run } = this.app;
    for (const [name, count] of Object.entries(run.groups)) {
      const label = document.createElement("label");
      label.className = "check";
      const box = Object.assign(document.createElement("input"), { type: "checkbox", value: name });
      const number = Object.assign(document.createElement("small"), { textContent: count });
      label.append(box, name, number);
      $("groups").append(label);
    }
    $("groups").hidden = !Object.keys(run.groups).length;
    $("mind").textContent = run.notes.join(" ");
    $("mind").hidden = !run.notes.length;
  }

  wireSeed() {
    const { app } = this;
    on("seed", "submit", (event) => {
      event.preventDefault();
      this.typed();
    });
    for (const axis of "xyz") on(axis, "paste", (event) => this.pasted(event));
    on("name", "change", () => {
      app.state.name = $("name").value.trim() || app.nameOf(app.state.seed);
      app.state.named = Boolean($("name").value.trim());
      app.changed();
    });
    on("radius", "input", () => {
      const radius = $("radius").valueAsNumber;
      if (!(radius >= 0 && radius <= app.run.mostRadius)) return app.trouble(`radius: a number from 0 to ${app.run.mostRadius} mm`);
      app.trouble("");
      app.state.radius = radius;
      app.moved = true;
      app.restSoon();
      app.ask({ preview: app.run.preview });
      app.painter.refresh();
    });
    on("follow", "change", () => {
      app.state.follow = $("follow").checked;
      app.writeLink();
    });
    on("here", "click", () => app.seedHere());
    on("whole", "click", () => app.regionHere());
    on("jump", "click", () => app.jump());
    on("undo", "click", () => app.undo(-1));
    on("redo", "click", () => app.undo(1));
    on("history", "change", () => app.undo(Number($("history").value) - app.history.now));
    addEventListener("keydown", (event) => {
      const inField = event.target.closest?.("input:not([type=range]):not([type=checkbox]), textarea");
      if (inField || !(event.ctrlKey || event.metaKey)) return;
      const key = event.key.toLowerCase();
      if (key !== "z" && key !== "y") return;
      event.preventDefault();
      app.undo(key === "y" || event.shiftKey ? 1 : -1);
    });
  }

  typed() {
    const { app } = this;
    const typed = ["x", "y", "z"].map((axis) => Number($(axis).value.replace(",", ".").replace("−", "-") || NaN));
    const wrong = typed.findIndex((value) => !Number.isFinite(value));
    if (wrong >= 0) {
      $("xyz"[wrong]).focus();
      return app.trouble(`${"xyz"[wrong]}: a number in mm is wanted`);
    }
    app.trouble("");
    const { named, name, radius } = app.state, place = app.snapped(typed);
    app.go({ seed: place, radius, name: named ? name : app.nameOf(place) });
    app.state.named = named;
  }

  /** Three numbers pasted into one field fill all of them. */
  pasted(event) {
    const numbers = (event.clipboardData.getData("text").match(/-?\d+(\.\d+)?/g) ?? []).slice(0, 3);
    if (numbers.length < 3) return;
    event.preventDefault();
    ["x", "y", "z"].forEach((axis, k) => ($(axis).value = numbers[k]));
    this.typed();
  }

  wireMap() {
    const { app } = this;
    for (const name of ["threshold", "range", "opacity"]) {
      on(name, "input", () => {
        app.state.look[app.state.stat][name] = $(name).valueAsNumber;
        app.changed();
      });
    }
    on("fade", "change", () => {
      app.state.look[app.state.stat].fade = $("fade").checked;
      app.changed();
    });
    for (const choice of document.getElementsByName("stat")) {
      choice.addEventListener("change", () => app.setStat(choice.value));
    }
    on("map", "submit", (event) => event.preventDefault());
    on("outlines", "change", () => app.toggleOutlines());
    on("mosaic", "click", () => app.toggleMosaic());
    on("side", "click", () => {
      app.state.radiological = !app.state.radiological;
      app.changed();
    });
    on("theme", "click", () => {
      app.state.theme = document.documentElement.classList.contains("dark") ? "light" : "dark";
      app.changed();
    });
    on("help", "click", () => $("keys").showModal());
  }

  wireCleaning() {
    const { app } = this;
    const switched = () => {
      const of = (id) => ($(id).value === "" ? null : $(id).valueAsNumber || null);
      const groups = [...$("groups").querySelectorAll("input:checked")].map((box) => box.value);
      app.state.settings = { ...app.state.settings, smoothing: of("smoothing"), high: of("high"), low: of("low"), groups };
      app.switchSettings(app.state.settings);
    };
    on("cleaning", "change", switched);
    on("cleaning", "submit", (event) => event.preventDefault());
  }

  wireKeeping() {
    const { app } = this;
    on("pin", "click", () => app.panel.keep());
    on("save", "click", () => app.panel.save());
    on("picture", "click", () => app.picture());
    on("link", "click", () => {
      app.link && history.replaceState(null, "", `#${app.link}`);
      this.copy(location.href, "The link is on the clipboard. It opens in this browser while the explorer runs.");
    });
    on("copy", "click", () => this.copy($("command").value, "The command is on the clipboard."));
  }

  async copy(text, done) {
    try {
      await navigator.clipboard.writeText(text);
      this.done(done);
    } catch {
      this.done(text); // no right to the clipboard: show it, to be copied from there
    }
  }

  // --- from the state ------------------------------------------------------------------------

  show() {
    const { state, history, run } = this.app;
    const put = (id, value) => document.activeElement !== $(id) && ($(id).value = value);
    ["x", "y", "z"].forEach((axis, k) => put(axis, String(Math.round(state.seed[k] * 100) / 100)));
    put("name", state.name);
    put("radius", state.radius);
    $("radius").disabled = Boolean(state.region);
    this.views(state);
    $("follow").checked = state.follow;
    $("undo").disabled = history.now < 1;
    $("redo").disabled = history.now >= history.entries.length - 1;
    const options = history.entries.map((entry, n) => new Option(`${entry.name} ${three(entry.seed.slice(0, 3))}`, n)).reverse();
    $("history").replaceChildren(...options);
    $("history").value = history.now;
    this.look(state);
    put("smoothing", state.settings.smoothing ?? "");
    put("high", state.settings.high ?? "");
    put("low", state.settings.low ?? "");
    for (const box of $("groups").querySelectorAll("input")) box.checked = state.settings.groups.includes(box.value);
    for (const field of $("cleaning").elements) field.disabled = run.fixed;
    $("low").disabled ||= run.settings.filter === "cosine";
    if (run.fixed) write($("cleaned"), "as this run was stored");
    $("side").textContent = state.radiological ? "Radiological" : "Neurological";
    this.facts();
  }

  /** The switches of outlines and of the mosaic. */
  views({ outlines, mosaic }) {
    const { regions, hasSlices } = this.app;
    for (const element of [$("whole"), $("outlines").parentElement]) element.hidden = !regions;
    $("outlines").checked = outlines;
    $("mosaic").hidden = !hasSlices;
    $("mosaic").setAttribute("aria-pressed", mosaic);
  }

  look(state) {
    const look = state.look[state.stat], ends = this.app.ends(state.stat);
    for (const name of ["threshold", "range", "opacity"]) {
      const slider = $(name);
      slider.max = ends[name] ?? 1;
      slider.step = name === "opacity" ? 0.05 : ends.step;
      slider.value = look[name];
      slider.previousElementSibling.textContent = name === "opacity" ? `${Math.round(look[name] * 100)} %` : written(look[name], state.stat, true);
    }
    $("fade").checked = look.fade;
    document.querySelector(".segmented").hidden = this.app.run.stats.length < 2;
    for (const choice of document.getElementsByName("stat")) choice.checked = choice.value === state.stat;
  }

  /** The big number, and the colour bar. */
  read(value, stat, look) {
    write($("value"), Number.isFinite(value) ? written(value, stat) : "–");
    $("value").classList.toggle("long", $("value").textContent.length > 6);
    write($("unit"), this.app.sign);
    const { state } = this.app;
    write($("at"), this.app.whereText(state.at));
    if (this.app.regions) write($("region"), this.app.regions.nameOf(this.app.regionAt(state.at)));
    write($("theme"), document.documentElement.classList.contains("dark") ? "Light" : "Dark");
    this.bar(look, stat);
  }

  bar(look, stat) {
    const low = this.app.unsigned ? 0 : -look.range;
    const key = JSON.stringify([look, stat, low, document.documentElement.className]);
    if (key === this.barKey) return;
    this.barKey = key;
    const canvas = $("bar").querySelector("canvas"), width = (canvas.width = 512), c = canvas.getContext("2d");
    canvas.height = 1;
    const pixels = c.createImageData(width, 1);
    const grey = document.documentElement.classList.contains("dark") ? 60 : 205;
    for (let i = 0; i < width; i++) {
      const value = low + ((i + 0.5) / width) * (look.range - low), alpha = alphaOf(value, look);
      const color = colorOf(value, look.range);
      for (let k = 0; k < 3; k++) pixels.data[4 * i + k] = grey + (color[k] - grey) * alpha;
      pixels.data[4 * i + 3] = 255;
    }
    c.putImageData(pixels, 0, 0);
    const text = (value) => written(value, stat, true);
    const ticks = [...new Set([low, 0, look.range])].map((value) => Object.assign(document.createElement("span"), { textContent: value ? text(value) : "0" }));
    $("bar").querySelector(".ticks").replaceChildren(...ticks);
    canvas.setAttribute("aria-label", `Colour bar of ${this.app.sign} from ${low ? text(low) : "0"} to ${text(look.range)}, threshold ${text(look.threshold)}`);
  }

  looked(count) {
    this.app.looked = count;
    $("looked").textContent = `${count} seed${count === 1 ? "" : "s"} looked at`;
  }

  sampled({ voxels, leftOut, coverage }) {
    const part = coverage < 0.995 ? `, ${Math.round(coverage * 100)} % in the mask` : "";
    const out = leftOut ? `, ${leftOut} too far outside to be sampled` : "";
    write($("sampled"), `${voxels} ${voxels === 1 ? this.app.run.element : this.app.run.elements}${part}${out}`);
  }

  readings({ placeName, stat, peaks, command, placeSeries, seedSeries }) {
    this.named(placeName);
    $("command").value = command;
    const chart = $("chart").querySelector("canvas");
    const r = placeSeries ? seedSeries.reduce((sum, v, n) => sum + v * placeSeries[n], 0) / (seedSeries.length - 1) : NaN;
    const agree = Number.isFinite(r) ? `r = ${r.toFixed(2).replace("-", "−")}` : "";
    $("agree").textContent = agree;
    chart.setAttribute("aria-label", `Series of the seed and of the crosshair over ${seedSeries.length} frames; ${agree}`);
    $("peaks").querySelector("th:last-child i").textContent = stat;
    $("peaks").querySelector("tbody").replaceChildren(...peaks.map((peak) => this.peak(peak)));
  }

  /** The name of the place, as the server knows it; that of a region follows the crosshair at once. */
  named(placeName) {
    if (!this.app.regions) write($("region"), placeName);
  }

  peak({ at, value, name }) {
    const row = document.createElement("tr");
    const go = Object.assign(document.createElement("button"), { type: "button", textContent: name || "–" });
    go.title = "Go there";
    const cells = [go, ...at.slice(0, 3).map((v) => String(Math.round(v)).replace("-", "−")), written(value, "z")];
    for (const cell of cells) {
      const td = document.createElement("td");
      td.append(cell);
      row.append(td);
    }
    row.addEventListener("click", () => {
      this.app.state.at = [...at];
      this.app.painter.refresh();
      this.app.settle();
    });
    return row;
  }

  progress(job) {
    const running = Boolean(job?.running);
    $("progress").hidden = !running;
    $("progress").value = job?.total ? job.done / job.total : 0;
    $("cleaned").textContent = running ? `${job.done} of ${job.total} frames` : "";
  }

  busy(text) {
    $("busy").textContent = text;
  }

  notes(text, more) {
    $("notes").textContent = [text, ...more].filter(Boolean).join(" ");
  }

  done(text) {
    $("done").textContent = text;
  }
}
