// Talking to the server: one map in flight, the newest wish wins, stale answers are dropped.

export class Refused extends Error {}

async function checked(answer) {
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => ({ error: `the server answered ${answer.status}` }));
  throw new Refused(said.error);
}

export async function getJson(path, query = {}) {
  const answer = await checked(await fetch(`api/${path}?${new URLSearchParams(query)}`));
  return answer.status === 204 ? null : answer.json();
}

export async function getBytes(path) {
  return (await checked(await fetch(`api/${path}`))).arrayBuffer();
}

export async function post(path, content) {
  const answer = await fetch(`api/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(content),
  });
  return (await checked(answer)).json();
}

const WINDOW = Math.random().toString(36).slice(2);
const timing = /(\w+);dur=([\d.]+)/g;

/** The map of a question that waits for no other: values and facts; null if there is none. */
export async function mapOf(app, query) {
  const answer = await fetch(`api/${app.address}?${new URLSearchParams(query)}`);
  if (answer.status !== 200) return null;
  const facts = JSON.parse(answer.headers.get("X-Map"));
  return { values: app.decode(await answer.arrayBuffer(), facts), facts };
}

/** Asks for the maps of an app. Its `draw(values, facts, query)` gets each answer that is still wanted. */
export class Maps {
  constructor(app) {
    this.app = app;
    this.draw = (values, facts, query) => app.draw(values, facts, query);
    this.trouble = (text) => app.refused(text);
    this.number = 0;
    this.counts = { asked: 0, drawn: 0, dropped: 0 };
    this.last = { server: 0, net: 0 };
  }

  /** Wish for a map; an earlier wish that was not yet sent is forgotten. */
  wish(seed, { preview = false, rest = false } = {}) {
    const key = JSON.stringify([seed, preview]);
    if (rest && key === this.key) return; // it is on its way, or on the screen
    this.key = key;
    this.number++;
    this.counts.asked++;
    if (this.waiting) this.counts.dropped++;
    this.waiting = { ...seed, ...this.turn };
    if (preview) this.waiting.preview = 1;
    // The pointer rests, or a drag has begun: do not wait for what came before.
    if (rest || (preview && !this.coarse)) this.flying?.abort();
    if (!this.flying) this.running = this.run();
  }

  /** By which the server knows the newest request. */
  get turn() {
    return { n: this.number, w: WINDOW };
  }

  get idle() {
    return !this.flying && !this.waiting;
  }

  /** Whether a map is on its way that should be here within some ms, as the last one was. */
  soon(ms) {
    return !this.idle && this.last.net < ms;
  }

  /** Wait until no map is on its way. */
  async landed() {
    while (!this.idle) await this.running;
  }

  async run() {
    while (this.waiting) {
      const query = this.waiting;
      this.waiting = null;
      this.flying = new AbortController();
      this.coarse = Boolean(query.preview);
      await this.one(query, this.flying.signal);
      this.flying = null;
    }
  }

  async one(query, signal) {
    const started = performance.now();
    try {
      const answer = await checked(await fetch(`api/${this.app.address}?${new URLSearchParams(query)}`, { signal }));
      const facts = JSON.parse(answer.headers.get("X-Map"));
      const bytes = await answer.arrayBuffer();
      if (signal.aborted || answer.status === 204) {
        this.counts.dropped++;
        if (facts.busy) this.trouble("");
        return;
      }
      for (const [, name, ms] of (answer.headers.get("Server-Timing") ?? "").matchAll(timing)) {
        this.last[name] = Number(ms);
      }
      this.last.net = performance.now() - started;
      this.counts.drawn++;
      this.draw(this.app.decode(bytes, facts), facts, query);
    } catch (error) {
      if (error.name === "AbortError") this.counts.dropped++;
      else this.failed(error);
    }
  }

  failed(error) {
    this.key = "";
    this.trouble(error instanceof Refused ? error.message : "The explorer does not answer. Is it still running?");
  }
}

/** Ask for a z map; null if a newer one was asked for. */
export async function certain(seed, number) {
  const query = new URLSearchParams({ ...seed, n: number, w: WINDOW });
  const answer = await checked(await fetch(`api/certain?${query}`));
  if (answer.status === 204) return null;
  return { facts: JSON.parse(answer.headers.get("X-Map")), values: new Int16Array(await answer.arrayBuffer()) };
}
