// What is near the seed, hatched: there a map of a mean is large by construction.

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
  onSlice({ image, pixels, place }) {
    const { width, height } = image, { shape, steps, data } = this.volume;
    const { start, right, down } = this.volume.cut(place);
    for (let j = 0, pixel = 0; j < height; j++) {
      for (let i = 0; i < width; i++, pixel++) {
        if ((i + j) % PERIOD >= STRIPE) continue;
        let at = 0;
        for (let k = 0; k < 3 && at >= 0; k++) {
          const index = Math.floor(start[k] + i * right[k] + j * down[k] + 0.5);
          at = index < 0 || index >= shape[k] ? -1 : at + index * steps[k];
        }
        if (at >= 0 && data[at] === 1) pixels[pixel] = DARK;
      }
    }
  }

  /** Hatch the pixels of a view of the cortex, by the corner that is nearest to each. */
  onCortex({ width, triangle, second, third, sheet }, pixels) {
    const { triangles, position } = sheet, { flags } = this;
    for (let pixel = 0; pixel < triangle.length; pixel++) {
      const t = triangle[pixel];
      if (t < 0 || ((pixel % width) + Math.floor(pixel / width)) % PERIOD >= STRIPE) continue;
      const v = second[pixel], w = third[pixel], u = 1 - v - w;
      const corner = u >= v && u >= w ? 0 : v >= w ? 1 : 2;
      if (flags[position[triangles[t + corner]]] === 1) pixels[pixel] = DARK;
    }
  }
}
