// What two apps side by side have in common, part by part: read from one, and shown by the other.
// Places are mm, which mean the same in both; a vertex or voxel is the nearest that the other has.

const OUTSIDE = "The seed of the other side lies outside the brain here; this is still the map of the last one.";
const LACKING = "The seed of the other side is a region that no atlas has here; this is still the map of the last one.";

/** What an app shows of each part. */
export function sharedOf(app) {
  const { at, seed, radius, name, named, follow, stat, look, radiological, theme, mosaic, outlines } = app.state;
  return {
    crosshair: { at: at.slice(0, 3) },
    seed: { seed: seed.slice(0, 3), radius, region: app.regions?.nameOf(app.state.region) ?? "", name, named, follow },
    colours: { stat, scale: app.scaleName, look: look[stat] },
    page: { radiological, theme, mosaic, outlines },
  };
}

/** Have an app show a part of what the other shows, as far as it can. */
export const ADOPT = {
  crosshair(app, { at }) {
    app.state.at = app.snapped(at);
    app.panel.updateSoon();
    app.painter.refresh();
    app.showSoon();
    app.writeLink();
  },

  seed(app, { seed, radius, region: called, name, named, follow }) {
    const region = called ? (app.regions?.called(called) ?? 0) : 0;
    const place = region ? app.regions.placeOf(region) : app.snapped(seed);
    app.state.follow = follow;
    if (called && !region) return app.trouble(LACKING);
    if (!region && !app.inBrain(place)) return app.trouble(OUTSIDE);
    Object.assign(app.state, { seed: place, radius, region, name, named });
    app.trouble("");
    app.moved = true;
    app.restSoon();
    app.ask({ preview: app.run.preview });
    app.painter.refresh();
  },

  colours(app, { stat, scale, look }) {
    if (!app.run.stats.includes(stat)) return;
    if (app.state.stat !== stat) app.setStat(stat);
    if (app.scaleName === scale) Object.assign(app.state.look[stat], look);
    app.changed();
  },

  page(app, page) {
    Object.assign(app.state, page);
    app.changed();
  },
};
