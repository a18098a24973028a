// The slices as a picture to be kept.

import { alphaOf, colorOf } from "./colors.js";

const SCALE = 2; // pixels of the picture to those of the page
const PAD = 14;

export function pictureOf(app) {
  const minus = (text) => String(text).replaceAll("-", "\u2212");
  const { panes, state, run } = app, ink = app.painter.ink(), look = app.look, stat = app.shown.stat;
  const cuts = panes.map((pane) => Math.max(0, pane.left - 2 * PAD)); // empty sides of a pane
  const sizes = panes.map((pane, n) => [pane.canvas.clientWidth - 2 * cuts[n], pane.canvas.clientHeight]);
  const width = sizes.reduce((sum, [w]) => sum + w, 0) + 2 * PAD;
  const height = Math.max(...sizes.map(([, h]) => h)) + 70 + 2 * PAD;
  const canvas = Object.assign(document.createElement("canvas"), { width: width * SCALE, height: height * SCALE });
  const c = canvas.getContext("2d");
  c.scale(SCALE, SCALE);
  c.fillStyle = ink.pane;
  c.fillRect(0, 0, width, height);
  let left = PAD;
  panes.forEach((pane, n) => {
    const [w, h] = sizes[n], { ratio } = pane;
    const middle = PAD + (Math.max(...sizes.map(([, tall]) => tall)) - h) / 2;
    c.drawImage(pane.canvas, cuts[n] * ratio, 0, w * ratio, h * ratio, left, middle, w, h);
    left += sizes[n][0];
  });
  const foot = height - 52;
  c.fillStyle = ink.ink;
  c.font = "600 15px system-ui, sans-serif";
  c.fillText(`${app.title}: ${app.seedText(state)}`, PAD, foot);
  c.fillStyle = ink.quiet;
  c.font = "12px system-ui, sans-serif";
  const fade = look.fade ? "fading below" : "hidden below";
  c.fillText(`${app.sign}, ${fade} ${look.threshold}  ·  crosshair ${app.whereText(state.at)}  ·  ${app.written(app.valueAt(state.at))}`, PAD, foot + 18);
  c.fillText(`${run.name}  ·  exploration: ${app.looked} seeds looked at  ·  seedmap ${run.app}`, PAD, foot + 35);
  bar(c, width - PAD - 220, foot - 8, look, app.unsigned ? 0 : -look.range, ink);
  canvas.toBlob((blob) => {
    const link = Object.assign(document.createElement("a"), {
      href: URL.createObjectURL(blob),
      download: `${run.name}_seed-${state.name.replace(/[^A-Za-z0-9]/g, "")}_stat-${stat}_slices.png`,
    });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });
}

function bar(c, left, top, look, low, ink) {
  for (let i = 0; i < 220; i++) {
    const value = low + ((i + 0.5) / 220) * (look.range - low);
    const color = colorOf(value, look.range).map(Math.round);
    c.fillStyle = `rgba(${color.join(",")},${alphaOf(value, look)})`;
    c.fillRect(left + i, top, 1, 12);
  }
  c.strokeStyle = ink.line;
  c.strokeRect(left - 0.5, top - 0.5, 221, 13);
  c.fillStyle = ink.quiet;
  c.textAlign = "center";
  for (const [share, value] of low ? [[0, low], [0.5, 0], [1, look.range]] : [[0, 0], [1, look.range]]) {
    c.fillText(String(value).replace("-", "−"), left + 220 * share, top + 27);
  }
  c.textAlign = "left";
}
