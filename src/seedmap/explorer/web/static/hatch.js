// What is near the seed, hatched: there a map of a mean is large by construction.

import { labelsOn } from "./regions.js";

const PERIOD = 6; // device pixels between stripes
const STRIPE = 2;
const DARK = 0xff241d18; // whatever the page's colours: a map is bright near its seed

/** Which samples are near the seed of one question; drawn over slices and views of the cortex. */
export class Near {
  /** `volume` has 1 at voxels that are near, `flags` at positions of a row; `key` is the question's. */
  constructor(key, volume, flags = null) {
    Object.assign(this, { key, volume, flags });
  }

  /** Hatch the pixels of a slice. */
  onSlice(slice) {
    hatch(labelsOn(this.volume, slice), slice.image.width, slice.pixels);
  }

  /** Hatch the pixels of a view of the cortex, by the corner that is nearest to each. */
  onCortex(raster, pixels) {
    hatch(raster.labelsOf(this.flags), raster.width, pixels);
  }
}

/** Draw stripes over the pixels that are flagged. */
function hatch(flags, width, pixels) {
  for (let pixel = 0; pixel < flags.length; pixel++) {
    if (flags[pixel] && ((pixel % width) + Math.floor(pixel / width)) % PERIOD < STRIPE) pixels[pixel] = DARK;
  }
}
