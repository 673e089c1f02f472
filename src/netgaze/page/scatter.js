import { pageColor } from "./colors.js";
import { make, shorten } from "./dom.js";
import { border, drawDots, positionsOf, projectDots } from "./dots.js";
import { change, schedule, state } from "./state.js";

// A network's map: dots drawn once into a canvas of their own, copied for each ring, found through a grid.

const cell = 16;
const reach = 12;

/** The map of one network on a canvas that can be pointed at, moved and enlarged. */
export class Scatter {
  constructor(network) {
    this.network = network;
    this.view = { zoom: 1, x: 0.5, y: 0.5 };
    this.base = document.createElement("canvas");
    this.canvas = make("canvas", { class: "map", tabindex: 0, role: "application", "aria-roledescription": "map" });
    this.size = 0;
    this.drawAll = this.drawAll.bind(this);
    this.drawRings = this.drawRings.bind(this);
    new ResizeObserver(() => schedule(this.drawAll)).observe(this.canvas);
    this.listenToPointer();
  }

  /** Draws the dots anew, and the rings over them. */
  drawAll() {
    this.size = this.canvas.clientWidth;
    const positions = positionsOf(this.network);
    if (this.size === 0 || !positions) return;
    this.density = Math.min(2, window.devicePixelRatio || 1);
    this.base.width = this.base.height = Math.round(this.size * this.density);
    this.points = projectDots(positions, this.size, this.view);
    drawDots(this.base.getContext("2d"), this.network, this.points, this.view.zoom, this.density);
    this.fillGrid();
    this.drawRings();
  }

  /** Copies the dots and draws rings around the image pointed at and the fixed one. */
  drawRings() {
    if (this.size === 0 || !this.points) return;
    const side = this.base.width;
    if (this.canvas.width !== side) this.canvas.width = this.canvas.height = side;
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, side, side);
    context.drawImage(this.base, 0, 0);
    if (state.image >= 0) this.drawRing(context, state.image, 8, 3);
    if (state.hover >= 0) this.drawRing(context, state.hover, 7, 2);
  }

  drawRing(context, row, radius, width) {
    const [x, y] = [this.points[2 * row], this.points[2 * row + 1]].map((place) => place * this.density);
    for (const [color, thick] of [
      ["page", width + 2],
      ["ink", width],
    ]) {
      context.beginPath();
      context.arc(x, y, radius * this.density, 0, 2 * Math.PI);
      context.strokeStyle = pageColor(color);
      context.lineWidth = thick * this.density;
      context.stroke();
    }
  }

  // Rows by squares of the screen, so that a pointer asks nine squares and not all images.
  fillGrid() {
    this.grid = new Map();
    for (const row of state.rows) {
      const key = this.keyOf(this.points[2 * row], this.points[2 * row + 1]);
      if (this.grid.has(key)) this.grid.get(key).push(row);
      else this.grid.set(key, [row]);
    }
  }

  keyOf(x, y) {
    return Math.floor(x / cell) + 65536 * Math.floor(y / cell);
  }

  /** The matching image whose dot is nearest to a point of the canvas; -1 where none is near. */
  findRow(x, y) {
    let [nearest, best] = [-1, reach * reach];
    for (const right of [-cell, 0, cell]) {
      for (const down of [-cell, 0, cell]) {
        for (const row of this.grid?.get(this.keyOf(x + right, y + down)) ?? []) {
          const distance = (this.points[2 * row] - x) ** 2 + (this.points[2 * row + 1] - y) ** 2;
          if (distance < best) [nearest, best] = [row, distance];
        }
      }
    }
    return nearest;
  }

  /** Enlarges by a factor about a point of the canvas, which stays where it is. */
  zoomBy(factor, x = this.size / 2, y = this.size / 2) {
    const { view } = this;
    const zoom = Math.min(40, Math.max(1, view.zoom * factor));
    const pull = (1 / view.zoom - 1 / zoom) / (this.size - 2 * border);
    this.look(zoom, view.x + (x - this.size / 2) * pull, view.y + (y - this.size / 2) * pull);
  }

  /** Enlarges about the fixed image where there is one. */
  zoomAtImage(factor) {
    const row = state.image;
    if (row < 0 || !this.points) this.zoomBy(factor);
    else this.zoomBy(factor, this.points[2 * row], this.points[2 * row + 1]);
  }

  /** Shows the whole map again. */
  reset() {
    this.look(1, 0.5, 0.5);
  }

  look(zoom, x, y) {
    const most = 0.5 / zoom;
    const keep = (middle) => Math.min(1 - most, Math.max(most, middle));
    this.view = { zoom, x: keep(x), y: keep(y) };
    // A finger moves an enlarged map; a whole one lets it scroll the page.
    this.canvas.classList.toggle("enlarged", zoom > 1);
    schedule(this.drawAll);
  }

  listenToPointer() {
    const { canvas } = this;
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerleave", () => change({ hover: -1 }));
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button === 0) this.start = { x: event.offsetX, y: event.offsetY, view: this.view, dragged: false };
    });
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointercancel", () => {
      this.start = null;
    });
    canvas.addEventListener("dblclick", (event) => this.zoomBy(2, event.offsetX, event.offsetY));
    canvas.addEventListener("wheel", (event) => this.turn(event), { passive: false });
  }

  move(event) {
    if (!this.start) {
      change({ hover: this.findRow(event.offsetX, event.offsetY), pointer: event });
      return;
    }
    const [right, down] = [event.offsetX - this.start.x, event.offsetY - this.start.y];
    if (!this.start.dragged && Math.hypot(right, down) < 5) return;
    if (!this.start.dragged) this.canvas.setPointerCapture(event.pointerId);
    this.start.dragged = true;
    const { view } = this.start;
    const scale = (this.size - 2 * border) * view.zoom;
    this.look(view.zoom, view.x - right / scale, view.y - down / scale);
    change({ hover: -1 });
  }

  release(event) {
    const row = this.findRow(event.offsetX, event.offsetY);
    if (this.start && !this.start.dragged && row >= 0) change({ image: row });
    this.start = null;
  }

  // A wheel that only passes over the map scrolls the page: it enlarges where the map has the focus, or with Ctrl.
  turn(event) {
    if (document.activeElement !== this.canvas && !event.ctrlKey) return;
    event.preventDefault();
    this.zoomBy(event.deltaY < 0 ? 1.25 : 0.8, event.offsetX, event.offsetY);
  }

  /** Says what the canvas shows. */
  setLabel(words) {
    this.canvas.setAttribute("aria-label", shorten(words, 200));
  }
}
