// Two explorers on one page. Each is a page of its own in a frame; what one shows the other follows.

import { write } from "./painter.js";
import { ADOPT, sharedOf } from "./shared.js";

const SOON = 150; // ms until the address follows what is shown
const narrowness = matchMedia("(max-width: 820px)");
const $ = (id) => document.getElementById(id);

/** One frame and the app in it, once it has begun. */
class Side {
  /** What was shown of each part when it was last passed on. */
  passed = {};

  constructor(id, text) {
    this.frame = $(id);
    this.begun = this.begin(text);
  }

  async begin(text) {
    const { frame } = this;
    await new Promise((done) => {
      frame.addEventListener("load", done, { once: true });
      frame.src = `${frame.id}/#${text}`;
    });
    const { document: page, begun } = frame.contentWindow;
    page.documentElement.classList.add("framed");
    new ResizeObserver(() => this.fit(page)).observe(page.body);
    narrowness.addEventListener("change", () => this.fit(page));
    this.app = await begun;
    if (!this.app) return; // the frame itself says why
    frame.title = `${frame.title}: ${this.app.run.name}`;
  }

  /** Of frames below each other only the page scrolls, not each frame. */
  fit(page) {
    const height = narrowness.matches ? `${page.body.scrollHeight}px` : "";
    if (this.frame.style.height !== height) this.frame.style.height = height;
  }

  /** Follow a part of what the other side shows. */
  follow(part, shown) {
    if (!this.app) return;
    ADOPT[part](this.app, shown);
    this.passed[part] = JSON.stringify(sharedOf(this.app)[part]);
  }
}

class Pair {
  async begin() {
    history.replaceState(null, "", location.pathname + location.hash); // without the token, which is used up
    const link = new URLSearchParams(location.hash.slice(1));
    const apart = (link.get("apart") ?? "").split(",");
    for (const box of this.boxes) box.checked = !apart.includes(box.value);
    this.sides = ["left", "right"].map((id) => new Side(id, link.get(id) ?? ""));
    addEventListener("hashchange", () => location.reload());
    $("linked").addEventListener("change", ({ target }) => this.joined(target));
    $("link").addEventListener("click", () => this.copy());
    await Promise.all(this.sides.map((side) => side.begun));
    const apps = this.sides.map(({ app }) => app).filter(Boolean);
    for (const app of apps) app.beside = this;
    if (apps.length === 2) this.drawn(apps[0]);
    this.ready = true;
  }

  get boxes() {
    return [...$("linked").querySelectorAll("input")];
  }

  /** Parts that each side has of its own. */
  get apart() {
    return this.boxes.filter((box) => !box.checked).map((box) => box.value);
  }

  /** An app has drawn: what is new of it goes to the other. */
  drawn(app) {
    const [side, other] = this.sides[0].app === app ? this.sides : [...this.sides].reverse();
    const { apart } = this;
    for (const [part, shown] of Object.entries(sharedOf(app))) {
      const text = JSON.stringify(shown);
      if (side.passed[part] === text) continue;
      side.passed[part] = text;
      this.last = side;
      if (!apart.includes(part)) other.follow(part, shown);
    }
    document.documentElement.classList.toggle("dark", app.painter.dark);
    this.writeLink();
  }

  /** Something is the same on both sides again: the side that was used last says what. */
  joined({ value, checked }) {
    const { app } = this.last ?? this.sides[0];
    const other = this.sides.find((side) => side.app !== app);
    if (checked && app) other.follow(value, sharedOf(app)[value]);
    this.writeLink();
  }

  writeLink() {
    clearTimeout(this.writing);
    this.writing = setTimeout(() => {
      const link = new URLSearchParams(this.sides.map(({ frame, app }) => [frame.id, app?.linkText() ?? ""]));
      if (this.apart.length) link.set("apart", this.apart.join());
      history.replaceState(null, "", `#${link}`);
    }, SOON);
  }

  async copy() {
    try {
      await navigator.clipboard.writeText(location.href);
      write($("done"), "The link is on the clipboard. It opens in this browser while the explorer runs.");
    } catch {
      write($("done"), location.href);
    }
  }
}

/** For scripts, and for the tests. */
window.pair = new Pair();
window.pair.begin();
