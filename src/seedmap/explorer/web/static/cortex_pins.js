// Seeds that are kept, on the cortex: small lateral and medial views, one card a seed.

import { VIEWS } from "./cortex.js";
import { Card, HEIGHT } from "./pins.js";
import { Raster } from "./raster.js";
import { NOTHING, compose } from "./volume.js";

const WIDTH = Math.round(1.4 * HEIGHT);

/** The small views, which all cards share: their tables of pixels are made once. */
function rastersOf(app, ratio) {
  app.small ??= { ratio: 0 };
  if (app.small.ratio !== ratio) {
    const sheets = [...app.sheets.values()];
    const views = sheets.flatMap((sheet) => ["lateral", "medial"].map((view) => [sheet, VIEWS[view][sheet.name]]));
    const size = [WIDTH, HEIGHT].map((length) => Math.round(length * ratio));
    app.small = { ratio, rasters: views.map(([sheet, angles]) => new Raster(sheet, ...angles, ...size)) };
  }
  return app.small.rasters;
}

export class CortexCard extends Card {
  draw(_view, _underlay, at, colors, ink) {
    const { app } = this.acts, ratio = window.devicePixelRatio || 1, rasters = rastersOf(app, ratio);
    const width = WIDTH * rasters.length;
    if (this.canvas.width !== rasters.length * rasters[0].width) {
      Object.assign(this.canvas, { width: rasters.length * rasters[0].width, height: rasters[0].height });
      Object.assign(this.canvas.style, { width: `${width}px`, height: `${HEIGHT}px` });
    }
    rasters.forEach((raster, n) => {
      const image = new ImageData(raster.width, raster.height);
      const steps = raster.sample(this.valuesOf(raster.sheet));
      compose(raster.grey, steps, colors, new Uint32Array(image.data.buffer), ink.pane);
      this.context.putImageData(image, n * raster.width, 0);
    });
    this.describe(at, ink, "Cortex");
  }

  /** The map of this card at the vertices of a hemisphere. */
  valuesOf(sheet) {
    const row = this.map.data;
    return Int16Array.from(sheet.position, (position) => (position < 0 ? NOTHING : row[position]));
  }

  valueAt(place) {
    const value = this.map.data[this.acts.app.placed(place)[3]] ?? NOTHING;
    return value === NOTHING ? NaN : (value / 32767) * this.full;
  }
}
