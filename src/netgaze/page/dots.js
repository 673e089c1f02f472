import { dress, pageColor, spriteOf } from "./colors.js";
import { read, readRow, snapshotAt } from "./data.js";
import { state } from "./state.js";

// Where the images of a network lie on its map, and their dots.

/** What a map leaves free on each side, in pixels. */
export const border = 10;

/** The places of a network's images now, as pairs of 0 to 65535; null where it has no such map. */
export function positionsOf(network) {
  const place = snapshotAt(network, state.epoch);
  if (place >= 0 && network.snapshots.maps) return readRow(network.snapshots.maps, place);
  const map = network.maps?.[state.map];
  return map ? read(map) : null;
}

/** Where each dot lies on a canvas of a size, in a view: x and y of each image in turn. */
export function projectDots(positions, size, view) {
  const scale = (size - 2 * border) * view.zoom;
  const points = new Float32Array(positions.length);
  for (let i = 0; i < positions.length; i += 2) {
    points[i] = size / 2 + (positions[i] / 65535 - view.x) * scale;
    points[i + 1] = size / 2 + (1 - positions[i + 1] / 65535 - view.y) * scale;
  }
  return points;
}

/** Draws the dots of a network: faint those that do not match, then the others in their colors. */
export function drawDots(context, network, points, zoom, density) {
  const dressing = dress(network);
  const faint = { color: pageColor("line"), shape: "circle" };
  const half = (state.deck.size > 3000 ? 2.2 : state.deck.size > 600 ? 3.2 : 4.2) * Math.min(2, Math.sqrt(zoom)) * density;
  const { width } = context.canvas;
  const draw = (row, style, size) => {
    const sprite = spriteOf(style, size);
    const [x, y] = [points[2 * row] * density - sprite.width / 2, points[2 * row + 1] * density - sprite.width / 2];
    if (x > -20 && y > -20 && x < width && y < width) context.drawImage(sprite, Math.round(x), Math.round(y));
  };
  for (let row = 0; row < state.deck.size; row++) if (!state.mask[row]) draw(row, faint, half * 0.7);
  const unknown = { color: pageColor("soft"), shape: "circle" };
  for (const row of state.rows) draw(row, dressing ? dressing.styles[dressing.places[row]] : unknown, half);
}
