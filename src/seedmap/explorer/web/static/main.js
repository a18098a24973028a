// Asks what is explored - a run, or the people of a study - and begins.

import { App } from "./app.js";
import { CortexApp } from "./cortex_app.js";
import { CortexGroupApp, GroupApp } from "./group.js";
import { getJson } from "./net.js";

function begin(run) {
  /** For scripts, and for the tests. */
  const Kind = { group: GroupApp, "group cortex": CortexGroupApp, cortex: CortexApp }[run.kind] ?? App;
  const app = (window.seedmap = new Kind());
  return app.load(run).then(() => {
    app.ready = true;
    return app;
  });
}

/** The app once it can be used; nothing if it cannot. */
window.begun = getJson("run").then(begin).catch((error) => {
  const cover = document.createElement("p");
  cover.className = "cover";
  cover.textContent = `The explorer cannot begin: ${error.message}. Open the address that was printed when it was started.`;
  document.body.append(cover);
});
