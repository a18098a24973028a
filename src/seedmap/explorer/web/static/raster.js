// Surfaces drawn on a plain canvas: every view is rasterised once into a table of pixels, by which a
// map is coloured, and a vertex picked, without the triangles.

import { NOTHING } from "./volume.js";

const MARGIN = 8; // device pixels around a hemisphere
const AMBIENT = 0.5; // light where a surface is seen edgewise; 1 where it faces the viewer

/** A hemisphere: what is drawn, where that lies in the brain [mm], and how grey it is. */
export class Sheet {
  constructor({ name, start, vertices, triangles }, bytes, numbers) {
    const take = (Kind, at, length) => new Kind(bytes, at, length);
    this.name = name;
    this.count = vertices;
    this.points = take(Float32Array, 0, 3 * vertices);
    this.places = take(Float32Array, 12 * vertices, 3 * vertices);
    this.triangles = take(Uint32Array, 24 * vertices, 3 * triangles);
    this.grey = take(Uint8Array, 24 * vertices + 12 * triangles, vertices);
    this.position = new Int32Array(vertices).fill(-1);
    numbers.forEach((vertex, n) => (this.position[vertex] = start + n));
    this.values = new Int16Array(vertices).fill(NOTHING);
    this.normals = normalsOf(this.points, this.triangles);
    this.outside = closed(this.triangles) ? Math.sign(volumeOf(this.points, this.triangles)) : 0;
  }

  /** Neighbours of a vertex along the edges of the mesh. */
  neighbours(vertex) {
    this.around ??= neighboursOf(this.triangles, this.count);
    const { first, others } = this.around;
    return others.subarray(first[vertex], first[vertex + 1]);
  }

  place(vertex) {
    return [...this.places.subarray(3 * vertex, 3 * vertex + 3)].map((value) => Math.round(value * 100) / 100);
  }
}

/** A number of 32 bits that looks drawn at random, of a pair in order. */
function mixed(a, b) {
  let bits = (Math.imul(a, 0x9e3779b1) + b) | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return bits ^ (bits >>> 16);
}

/** Whether triangles pass every edge once each way: a surface without an end, seen from one side only. */
function closed(triangles) {
  let unmatched = 0;
  for (let t = 0; t < triangles.length; t += 3) {
    for (let i = 0; i < 3; i++) {
      const a = triangles[t + i], b = triangles[t + ((i + 1) % 3)];
      unmatched = (unmatched + mixed(a, b) - mixed(b, a)) | 0;
    }
  }
  return unmatched === 0;
}

/** Six times the volume within: below 0 where triangles turn the other way. */
function volumeOf(p, triangles) {
  let total = 0;
  for (let t = 0; t < triangles.length; t += 3) {
    const a = 3 * triangles[t], b = 3 * triangles[t + 1], c = 3 * triangles[t + 2];
    total += p[a] * (p[b + 1] * p[c + 2] - p[b + 2] * p[c + 1]);
    total += p[a + 1] * (p[b + 2] * p[c] - p[b] * p[c + 2]);
    total += p[a + 2] * (p[b] * p[c + 1] - p[b + 1] * p[c]);
  }
  return total;
}

function normalsOf(p, triangles) {
  const normals = new Float32Array(p.length);
  for (let t = 0; t < triangles.length; t += 3) {
    const a = 3 * triangles[t], b = 3 * triangles[t + 1], c = 3 * triangles[t + 2];
    const ux = p[b] - p[a], uy = p[b + 1] - p[a + 1], uz = p[b + 2] - p[a + 2];
    const vx = p[c] - p[a], vy = p[c + 1] - p[a + 1], vz = p[c + 2] - p[a + 2];
    const x = uy * vz - uz * vy, y = uz * vx - ux * vz, z = ux * vy - uy * vx;
    for (const k of [a, b, c]) {
      normals[k] += x;
      normals[k + 1] += y;
      normals[k + 2] += z;
    }
  }
  for (let k = 0; k < normals.length; k += 3) {
    const size = Math.hypot(normals[k], normals[k + 1], normals[k + 2]) || 1;
    for (let i = k; i < k + 3; i++) normals[i] /= size;
  }
  return normals;
}

function neighboursOf(triangles, count) {
  const sets = Array.from({ length: count }, () => new Set());
  for (let t = 0; t < triangles.length; t += 3) {
    for (let i = 0; i < 3; i++) {
      const a = triangles[t + i], b = triangles[t + ((i + 1) % 3)];
      sets[a].add(b);
      sets[b].add(a);
    }
  }
  const first = new Int32Array(count + 1);
  sets.forEach((set, vertex) => (first[vertex + 1] = first[vertex] + set.size));
  return { first, others: Int32Array.from(sets.flatMap((set) => [...set])) };
}

/** The axes of a view from an azimuth and an elevation [degrees]: to the right, upwards, to the viewer. */
export function axesOf(azimuth, elevation) {
  const a = (azimuth * Math.PI) / 180, e = (elevation * Math.PI) / 180;
  const towards = [Math.cos(e) * Math.cos(a), Math.cos(e) * Math.sin(a), Math.sin(e)];
  const right = [-Math.sin(a), Math.cos(a), 0];
  const up = [
    towards[1] * right[2] - towards[2] * right[1],
    towards[2] * right[0] - towards[0] * right[2],
    towards[0] * right[1] - towards[1] * right[0],
  ];
  return { right, up, towards };
}

const along = (p, k, axis) => p[k] * axis[0] + p[k + 1] * axis[1] + p[k + 2] * axis[2];

/** The nearest whole number of what fits 16 bits. */
const rounded = (value) => ((value + 32768.5) | 0) - 32768;

/** The mean of three values of which some are missing; missing where more than half is. */
function without(p, q, r, u, v, w) {
  const a = p === NOTHING ? 0 : u, b = q === NOTHING ? 0 : v, c = r === NOTHING ? 0 : w, weight = a + b + c;
  return weight > 0.5 ? rounded((a * p + b * q + c * r) / weight) : NOTHING;
}

/** A view of a hemisphere on a picture of some pixels. */
export class Raster {
  constructor(sheet, azimuth, elevation, width, height) {
    Object.assign(this, { sheet, width, height, axes: axesOf(azimuth, elevation) });
    const pixels = width * height;
    this.triangle = new Int32Array(pixels).fill(-1);
    this.second = new Float32Array(pixels); // weights of a triangle's second and third corner
    this.third = new Float32Array(pixels);
    this.depth = new Float32Array(pixels).fill(-Infinity);
    this.grey = new Uint8ClampedArray(pixels);
    this.steps = new Int16Array(pixels).fill(NOTHING);
    this.project();
    this.fill();
    this.gather();
    this.shade();
  }

  /** Turn the vertices, and fit them into the picture. */
  project() {
    const { points, count } = this.sheet, { right, up, towards } = this.axes;
    const x = (this.x = new Float32Array(count)), y = (this.y = new Float32Array(count));
    const z = (this.z = new Float32Array(count));
    const low = [Infinity, Infinity], high = [-Infinity, -Infinity];
    for (let n = 0, k = 0; n < count; n++, k += 3) {
      x[n] = along(points, k, right);
      y[n] = -along(points, k, up);
      z[n] = along(points, k, towards);
      low[0] = Math.min(low[0], x[n]);
      high[0] = Math.max(high[0], x[n]);
      low[1] = Math.min(low[1], y[n]);
      high[1] = Math.max(high[1], y[n]);
    }
    const fit = (length, k) => Math.max(1, length - 2 * MARGIN) / Math.max(1e-6, high[k] - low[k]);
    const scale = (this.scale = Math.min(fit(this.width, 0), fit(this.height, 1)));
    const left = (this.width - (low[0] + high[0]) * scale) / 2, top = (this.height - (low[1] + high[1]) * scale) / 2;
    for (let n = 0; n < count; n++) {
      x[n] = left + x[n] * scale;
      y[n] = top + y[n] * scale;
    }
  }

  /** Fill the pixels whose middle lies in a triangle, where it is nearer than what is there. */
  fill() {
    const { x, y, z, width, height, depth, triangle, second, third } = this, { triangles, outside } = this.sheet;
    for (let t = 0; t < triangles.length; t += 3) {
      const a = triangles[t], b = triangles[t + 1], c = triangles[t + 2];
      const xa = x[a], ya = y[a], za = z[a], xb = x[b], yb = y[b], xc = x[c], yc = y[c];
      const ux = xb - xa, uy = yb - ya, vx = xc - xa, vy = yc - ya;
      const area = ux * vy - uy * vx;
      if (area === 0 || area * outside > 0) continue; // seen edgewise, or from within
      const left = Math.max(0, Math.ceil(Math.min(xa, xb, xc) - 0.5));
      const right = Math.min(width - 1, Math.floor(Math.max(xa, xb, xc) - 0.5));
      const top = Math.max(0, Math.ceil(Math.min(ya, yb, yc) - 0.5));
      const bottom = Math.min(height - 1, Math.floor(Math.max(ya, yb, yc) - 0.5));
      const zb = z[b] - za, zc = z[c] - za, share = 1 / area;
      const vx1 = vx * share, vy1 = vy * share, ux1 = ux * share, uy1 = uy * share;
      for (let j = top; j <= bottom; j++) {
        const dy = j + 0.5 - ya, vRow = -dy * vx1, wRow = dy * ux1;
        for (let i = left, pixel = j * width + left; i <= right; i++, pixel++) {
          const dx = i + 0.5 - xa, v = vRow + dx * vy1, w = wRow - dx * uy1;
          if (v < 0 || w < 0 || v + w > 1) continue;
          const near = za + v * zb + w * zc;
          if (near <= depth[pixel]) continue;
          depth[pixel] = near;
          triangle[pixel] = t;
          second[pixel] = v;
          third[pixel] = w;
        }
      }
    }
  }

  /** List the pixels on which something is seen, and the three vertices of each. */
  gather() {
    const { triangle } = this, { triangles } = this.sheet;
    const seen = new Int32Array(triangle.length), corners = new Int32Array(3 * triangle.length);
    let count = 0;
    for (let pixel = 0; pixel < triangle.length; pixel++) {
      const t = triangle[pixel];
      if (t < 0) continue;
      corners[3 * count] = triangles[t];
      corners[3 * count + 1] = triangles[t + 1];
      corners[3 * count + 2] = triangles[t + 2];
      seen[count++] = pixel;
    }
    this.seen = seen.subarray(0, count);
    this.corners = corners;
  }

  /** Light the grey of the folds: bright where the surface faces the viewer. */
  shade() {
    const { grey: folds, normals, count } = this.sheet, { towards } = this.axes;
    const { seen, corners, second, third, grey } = this, lit = new Float32Array(count);
    for (let n = 0; n < count; n++) {
      lit[n] = folds[n] * (AMBIENT + (1 - AMBIENT) * Math.abs(along(normals, 3 * n, towards)));
    }
    for (let n = 0, k = 0; n < seen.length; n++, k += 3) {
      const pixel = seen[n], v = second[pixel], w = third[pixel];
      grey[pixel] = (1 - v - w) * lit[corners[k]] + v * lit[corners[k + 1]] + w * lit[corners[k + 2]];
    }
  }

  /** The map at every pixel, linear between vertices; where more than half is missing there is none. */
  sample(values) {
    const { seen, corners, second, third, steps } = this;
    for (let n = 0, k = 0; n < seen.length; n++, k += 3) {
      const pixel = seen[n], v = second[pixel], w = third[pixel], u = 1 - v - w;
      const p = values[corners[k]], q = values[corners[k + 1]], r = values[corners[k + 2]];
      const whole = p !== NOTHING && q !== NOTHING && r !== NOTHING;
      steps[pixel] = whole ? rounded(u * p + v * q + w * r) : without(p, q, r, u, v, w);
    }
    return steps;
  }

  /** The number at every pixel, of numbers of positions in the row: that of the nearest corner; 0 for none. */
  labelsOf(numbers) {
    const { seen, corners, second, third, triangle } = this, { position } = this.sheet;
    const labels = new Uint16Array(triangle.length);
    for (let n = 0, k = 0; n < seen.length; n++, k += 3) {
      const pixel = seen[n], v = second[pixel], w = third[pixel], u = 1 - v - w;
      const corner = u >= v && u >= w ? 0 : v >= w ? 1 : 2;
      labels[pixel] = numbers[position[corners[k + corner]]] ?? 0;
    }
    return labels;
  }

  /** The vertex nearest to what is seen at a pixel; -1 where nothing is. */
  pick(i, j) {
    if (i < 0 || j < 0 || i >= this.width || j >= this.height) return -1;
    const pixel = Math.floor(j) * this.width + Math.floor(i), t = this.triangle[pixel];
    if (t < 0) return -1;
    const { triangles, points } = this.sheet, corners = triangles.subarray(t, t + 3);
    const v = this.second[pixel], w = this.third[pixel], weights = [1 - v - w, v, w];
    const at = [0, 1, 2].map((k) => corners.reduce((sum, one, n) => sum + weights[n] * points[3 * one + k], 0));
    const away = [...corners].map((one) => Math.hypot(...at.map((value, k) => value - points[3 * one + k])));
    return corners[away.indexOf(Math.min(...away))];
  }

  /** Whether a vertex is seen: no triangle lies before it. */
  sees(vertex) {
    const i = Math.floor(this.x[vertex]), j = Math.floor(this.y[vertex]);
    let farthest = Infinity;
    for (const [di, dj] of [[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]]) {
      if (i + di < 0 || j + dj < 0 || i + di >= this.width || j + dj >= this.height) continue;
      farthest = Math.min(farthest, this.depth[(j + dj) * this.width + i + di]);
    }
    return this.z[vertex] >= farthest - 2 / this.scale - 1e-3;
  }

  /** The neighbour that lies most in a direction on the picture, of those that `may` be; else the vertex. */
  step(vertex, right, down, may) {
    let best = vertex, most = 0.2;
    for (const other of this.sheet.neighbours(vertex)) {
      const dx = this.x[other] - this.x[vertex], dy = this.y[other] - this.y[vertex];
      const share = (dx * right + dy * down) / (Math.hypot(dx, dy, (this.z[other] - this.z[vertex]) * this.scale) || 1);
      if (share > most && may(other)) [best, most] = [other, share];
    }
    return best;
  }
}
