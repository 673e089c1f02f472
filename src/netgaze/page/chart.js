import { pageColor, paletteColor } from "./colors.js";
import { make, makeName, makeRange, round, shorten } from "./dom.js";
import { schedule, state } from "./state.js";

// One number of all runs as curves, with a cursor common to all and the numbers under it.

const dashes = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
const margin = { left: 64, right: 14, top: 12, bottom: 26 };
const height = 260;

/** A chart with its cursor and its table: `nodes` are what to put on the page. */
export class Chart {
  constructor() {
    this.canvas = make("canvas", { class: "chart", role: "img" });
    this.cursor = makeRange("cursor", { min: 0, step: 1 }, (place) => this.point(place));
    this.place = make("output", { class: "num" });
    this.cursor.append(this.place);
    this.table = make("table", { class: "under" });
    this.draw = this.draw.bind(this);
    this.nodes = [
      make("div", { class: "plot" }, this.canvas),
      make("div", { class: "tools" }, this.cursor),
      make("div", { class: "scroll" }, this.table),
    ];
    this.canvas.addEventListener("pointermove", (event) => this.pointAt(event.offsetX));
    new ResizeObserver(() => schedule(this.draw)).observe(this.canvas);
  }

  choose(number) {
    this.lines = state.data.runs.flatMap((run, place) => (run.series?.[number] ? [readLine(run, run.series[number], place)] : []));
    const points = this.lines.flatMap((line) => line.points);
    this.steps = [...new Set(points.map(([x]) => x))].sort((a, b) => a - b);
    const values = points.map(([, y]) => y);
    this.low = Math.min(...values);
    this.high = Math.max(...values);
    const unit = this.lines[0]?.unit;
    this.canvas.setAttribute(
      "aria-label",
      shorten(`${this.lines[0]?.words} of ${this.lines.length} runs${unit ? `, in ${unit}` : ""}`, 200),
    );
    this.cursor.control.max = Math.max(0, this.steps.length - 1);
    this.point(this.steps.length - 1);
  }

  point(place) {
    this.at = place;
    this.cursor.control.value = place;
    this.place.textContent = round(this.steps[place]);
    this.table.replaceChildren(...this.lines.map((line) => makeLine(line, this.steps[place])));
    schedule(this.draw);
  }

  // The step whose place on the chart is nearest to the pointer.
  pointAt(x) {
    const distance = (step) => Math.abs(this.acrossOf(step) - x);
    let nearest = 0;
    this.steps.forEach((step, place) => {
      if (distance(step) < distance(this.steps[nearest])) nearest = place;
    });
    if (nearest !== this.at) this.point(nearest);
  }

  acrossOf(x) {
    const [first, last] = [this.steps[0], this.steps.at(-1)];
    return margin.left + ((x - first) / (last - first || 1)) * (this.width - margin.left - margin.right);
  }

  downOf(y) {
    return height - margin.bottom - ((y - this.low) / (this.high - this.low || 1)) * (height - margin.top - margin.bottom);
  }

  draw() {
    this.width = this.canvas.clientWidth;
    if (this.width === 0 || !this.steps || this.steps.length === 0) return;
    const density = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(this.width * density);
    this.canvas.height = Math.round(height * density);
    const context = this.canvas.getContext("2d");
    context.scale(density, density);
    this.drawAxes(context);
    for (const line of this.lines) this.drawLine(context, line);
    this.drawCursor(context);
  }

  drawAxes(context) {
    context.font = "12px system-ui, sans-serif";
    context.strokeStyle = pageColor("line");
    context.fillStyle = pageColor("soft");
    context.textAlign = "right";
    for (const value of ticksBetween(this.low, this.high)) {
      stroke(context, [
        [margin.left, this.downOf(value)],
        [this.width - margin.right, this.downOf(value)],
      ]);
      context.fillText(round(value), margin.left - 6, this.downOf(value) + 4);
    }
    context.textAlign = "center";
    for (const step of ticksBetween(this.steps[0], this.steps.at(-1))) context.fillText(round(step), this.acrossOf(step), height - 8);
  }

  drawLine(context, line) {
    context.strokeStyle = paletteColor(line.place);
    context.lineWidth = 2;
    context.setLineDash(dashes[line.place % dashes.length]);
    stroke(
      context,
      line.points.map(([x, y]) => [this.acrossOf(x), this.downOf(y)]),
    );
    context.setLineDash([]);
  }

  drawCursor(context) {
    const x = this.acrossOf(this.steps[this.at]);
    context.strokeStyle = pageColor("ink");
    context.lineWidth = 1;
    stroke(context, [
      [x, margin.top],
      [x, height - margin.bottom],
    ]);
    for (const line of this.lines) {
      const point = pointUnder(line, this.steps[this.at]);
      if (!point) continue;
      context.fillStyle = paletteColor(line.place);
      context.beginPath();
      context.arc(this.acrossOf(point[0]), this.downOf(point[1]), 4, 0, 2 * Math.PI);
      context.fill();
    }
  }
}

function readLine(run, series, place) {
  const points = series.x.map((x, i) => [x, series.y[i]]).filter(([, y]) => Number.isFinite(y));
  return { label: run.label, place, points, words: series.words, unit: series.unit ?? "" };
}

// A run's last number not after the cursor: runs need not be measured at the same steps.
function pointUnder(line, step) {
  return line.points.filter(([x]) => x <= step).at(-1);
}

function makeLine(line, step) {
  const key = make("canvas", { width: 36, height: 10, "aria-hidden": "true" });
  const context = key.getContext("2d");
  context.strokeStyle = paletteColor(line.place);
  context.lineWidth = 3;
  context.setLineDash(dashes[line.place % dashes.length]);
  stroke(context, [
    [0, 5],
    [36, 5],
  ]);
  const point = pointUnder(line, step);
  const words = point ? `${round(point[1])} ${line.unit}`.trim() : "–";
  const late = point && point[0] !== step ? ` (at ${round(point[0])})` : "";
  return make(
    "tr",
    {},
    make("td", {}, key),
    make("th", { scope: "row" }, makeName(line.label)),
    make("td", { class: "num", text: words + late }),
  );
}

function stroke(context, points) {
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x, y);
  context.stroke();
}

// Four to eight round numbers between two ends.
function ticksBetween(low, high) {
  if (!(high > low)) return [low];
  const raw = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((times) => times * power >= raw);
  const ticks = [];
  for (let value = Math.ceil(low / step); value * step <= high + step / 1e6; value++) ticks.push(value * step);
  return ticks;
}
