// Each person's value at the crosshair: one dot a person, against a column of the table.

const RADIUS = 3.5, NEAR = 9; // CSS pixels of a dot, and how near a pointer must come

/**
 * Draw people's Fisher transforms; returns where each dot is, as [x, y, number of the person].
 * `column` is what they are drawn against (null: in the order of their values).
 */
export function drawStrip(canvas, { values, column, off }, ink) {
  const ratio = window.devicePixelRatio || 1, { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const c = canvas.getContext("2d");
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  const box = { left: 34, right: width - 8, top: 6, bottom: height - 16 };
  const present = [...values.keys()].filter((n) => values[n] !== null && (!column || column.values[n] !== null));
  if (!present.length) return [];
  const y = scale(present.map((n) => values[n]), box, c, ink);
  const x = across(present, values, column, box, c, ink);
  return present.map((n) => {
    const dot = [x(n), y(values[n]), n];
    c.beginPath();
    c.arc(dot[0], dot[1], RADIUS, 0, 2 * Math.PI);
    c.fillStyle = c.strokeStyle = off.has(n) ? ink.quiet : ink.seed;
    c.lineWidth = 1.25;
    if (off.has(n)) c.stroke();
    else c.fill();
    return dot;
  });
}

/** The person whose dot is under a pointer; -1 for none. */
export function personAt(dots, x, y) {
  let best = -1, least = NEAR;
  for (const [left, top, n] of dots) {
    const away = Math.hypot(left - x, top - y);
    if (away < least) [best, least] = [n, away];
  }
  return best;
}

/** The scale of values, with a line at 0 and a number at both ends. */
function scale(values, { left, right, top, bottom }, c, ink) {
  const low = Math.min(0, ...values), high = Math.max(0, ...values), span = high - low || 1;
  const y = (value) => bottom - 4 - ((value - low) / span) * (bottom - top - 8);
  c.strokeStyle = ink.line;
  c.lineWidth = 1;
  c.beginPath();
  c.moveTo(left, Math.round(y(0)) + 0.5);
  c.lineTo(right, Math.round(y(0)) + 0.5);
  c.stroke();
  c.fillStyle = ink.quiet;
  c.font = "10px system-ui, sans-serif";
  c.textAlign = "right";
  c.textBaseline = "middle";
  for (const value of new Set([low, 0, high])) c.fillText(value.toFixed(2).replace("-", "−"), left - 5, y(value));
  return y;
}

/** Where people stand from left to right, with words below. */
function across(present, values, column, { left, right, bottom }, c, ink) {
  const inner = [left + 10, right - 10], wide = inner[1] - inner[0];
  const label = (text, at, align) => {
    c.textAlign = align;
    c.fillText(text, at, bottom + 9);
  };
  c.fillStyle = ink.quiet;
  if (!column) {
    const order = [...present].sort((a, b) => values[a] - values[b]);
    const place = new Map(order.map((n, rank) => [n, rank]));
    label("people in the order of their values", (left + right) / 2, "center");
    return (n) => inner[0] + (wide * (place.get(n) + 0.5)) / present.length;
  }
  if (column.number) {
    const numbers = present.map((n) => column.values[n]), low = Math.min(...numbers), span = Math.max(...numbers) - low || 1;
    label(String(low), inner[0], "left");
    label(column.name, (left + right) / 2, "center");
    label(String(low + span), inner[1], "right");
    return (n) => inner[0] + (wide * (column.values[n] - low)) / span;
  }
  const levels = [...new Set(present.map((n) => column.values[n]))].sort();
  const middle = (level) => inner[0] + (wide * (levels.indexOf(level) + 0.5)) / levels.length;
  levels.forEach((level) => label(level, middle(level), "center"));
  // Spread by their number, so that people of one value do not hide each other.
  const spread = Math.min(60, (wide / levels.length) * 0.6);
  return (n) => middle(column.values[n]) + spread * (((n * 0.618) % 1) - 0.5);
}
