// The statistics that a map may show: how they are written, and how far their sliders go.

export const STATS = {
  r: { sign: "r", digits: 3, short: 2, step: 0.01, nudge: 0.05, threshold: 1, range: 1 },
  z: { sign: "z", digits: 2, short: 1, step: 0.1, nudge: 0.5, threshold: 10, range: 20 },
  t: { sign: "t", digits: 2, short: 1, step: 0.1, nudge: 0.5, threshold: 20, range: 40 },
  f: { sign: "F", digits: 2, short: 1, step: 0.1, nudge: 0.5, threshold: 50, range: 100 },
  effect: { sign: "effect", digits: 3, short: 2, step: 0.01, nudge: 0.05, threshold: 1, range: 1, fine: true },
  n: { sign: "n", digits: 0, short: 0, step: 1, nudge: 1, threshold: 0, range: 1000 },
};

/** A number of a statistic with a minus sign; small effects keep two digits that count. */
export function written(value, stat, short = false) {
  const { digits, short: few, fine } = STATS[stat], places = short ? few : digits;
  const small = fine && value && Math.abs(value) < 10 ** (1 - places);
  return (small ? value.toPrecision(2) : value.toFixed(places)).replaceAll("-", "−");
}
