// Series of the seed and of the crosshair over time, with the frames that were left out.

/** Stretch kept frames over all of them: null where a frame was left out. */
function overAll(series, keep) {
  let next = 0;
  return keep.map((kept) => (kept ? series[next++] : null));
}

export function drawChart(canvas, { seedSeries, placeSeries, keep, step }, ink) {
  const ratio = window.devicePixelRatio || 1, { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const c = canvas.getContext("2d");
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  const left = 6, right = width - 6, top = 4, bottom = height - 16;
  const all = [seedSeries, placeSeries].filter(Boolean);
  const most = Math.max(2.5, ...all.flat().map(Math.abs));
  const x = (frame) => left + (frame / Math.max(1, keep.length - 1)) * (right - left);
  const y = (value) => (top + bottom) / 2 - (value / most) * ((bottom - top) / 2 - 2);
  c.fillStyle = ink.gone;
  keep.forEach((kept, frame) => {
    if (!kept) c.fillRect(x(frame - 0.5), top, Math.max(1.5, x(1) - x(0)), bottom - top);
  });
  c.strokeStyle = ink.line;
  c.lineWidth = 1;
  c.beginPath();
  c.moveTo(left, y(0));
  c.lineTo(right, y(0));
  c.stroke();
  drawTime(c, keep.length, step, x, bottom, ink);
  if (placeSeries) drawLine(c, overAll(placeSeries, keep), x, y, ink.place);
  drawLine(c, overAll(seedSeries, keep), x, y, ink.seed);
}

function drawLine(c, series, x, y, color) {
  c.strokeStyle = color;
  c.lineWidth = 1.25;
  c.lineJoin = "round";
  c.beginPath();
  let open = false;
  series.forEach((value, frame) => {
    if (value === null) open = false;
    else if (open) c.lineTo(x(frame), y(value));
    else {
      c.moveTo(x(frame), y(value));
      open = true;
    }
  });
  c.stroke();
}

function drawTime(c, frames, step, x, bottom, ink) {
  const unit = step ? "s" : "frames", total = (frames - 1) * (step || 1);
  const every = [10, 20, 50, 100, 200, 300, 600, 1200].find((value) => total / value <= 6) ?? 3600;
  c.fillStyle = ink.quiet;
  c.font = "10px system-ui, sans-serif";
  c.textBaseline = "alphabetic";
  for (let time = 0; time <= total; time += every) {
    const last = time + every > total;
    c.textAlign = time === 0 ? "left" : last ? "right" : "center";
    c.fillText(last ? `${time} ${unit}` : String(time), x(time / (step || 1)), bottom + 12);
  }
}
