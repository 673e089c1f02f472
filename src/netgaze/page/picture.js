import { allAnswers, idOf, read, readRow, titleOf, truthOf } from "./data.js";
import { make, shorten } from "./dom.js";
import { change, state } from "./state.js";

// Images on canvases: a tile of the sprite, a class map over it, and thumbnails to click.

/** Draws the tile of an image over a whole canvas. */
export function drawTile(context, row) {
  const { side, columns } = state.deck.sprite;
  const { width, height } = context.canvas;
  context.imageSmoothingEnabled = width < side;
  context.clearRect(0, 0, width, height);
  if (!state.deck.tiles.complete) return;
  const [x, y] = [(row % columns) * side, Math.floor(row / columns) * side];
  context.drawImage(state.deck.tiles, x, y, side, side, 0, 0, width, height);
}

/** The class maps that a network has of an image: pairs of the class's number and its name. */
export function heatClasses(network, row) {
  if (!network.heat) return [];
  const names = network.heat.class_names ?? state.deck.class_names;
  return Array.from(readRow(network.heat.classes, row), (place) => [place, names[place]]);
}

/** Which of a network's class maps is chosen for an image: its place among them, -1 where there is none. */
export function chooseHeat(network, row) {
  const places = heatClasses(network, row).map(([place]) => place);
  // A network that names something else than the data's classes has no map of the true class.
  const own = network.heat?.class_names && network.own;
  const answered = own ? readRow(network.own.classes, row)[0] : readFirst(network, row);
  if (network.heat?.class_names) return places.length === 0 ? -1 : Math.max(0, places.indexOf(answered));
  const wanted = { answer: answered, truth: state.deck.truth[row] }[state.heat] ?? Number(state.heat);
  return places.indexOf(wanted);
}

function readFirst(network, row) {
  const part = allAnswers(network);
  return part ? readRow(part.classes, row)[0] : -1;
}

/** Draws an image as a network sees it: gray, with red where it speaks for the chosen class and blue where against. */
export function drawSeen(context, network, row) {
  drawTile(context, row);
  const place = chooseHeat(network, row);
  if (place < 0 || state.strength === 0 || !state.deck.tiles.complete) return;
  const { width, height } = context.canvas;
  context.globalCompositeOperation = "saturation";
  context.fillStyle = "#808080";
  context.fillRect(0, 0, width, height);
  context.globalCompositeOperation = "source-over";
  context.imageSmoothingEnabled = true;
  context.drawImage(paintHeat(network.heat, row, place), 0, 0, width, height);
}

function paintHeat(heat, row, place) {
  const [, classes, height, width] = heat.values.shape;
  const start = (row * classes + place) * height * width;
  const values = read(heat.values).subarray(start, start + height * width);
  const small = make("canvas", { width, height });
  const pixels = new ImageData(width, height);
  values.forEach((value, i) => {
    const evidence = Math.max(-1, (value - 128) / 127);
    const color = evidence > 0 ? [214, 30, 30] : [30, 80, 230];
    pixels.data.set([...color, 255 * Math.abs(evidence) * (state.strength / 100)], 4 * i);
  });
  small.getContext("2d").putImageData(pixels, 0, 0);
  return small;
}

/** A canvas for a picture of an image: of whole pixels a tile's pixel, at least `least` wide. */
export function makePicture(least, label) {
  const { side } = state.deck.sprite;
  const width = side * Math.max(1, Math.ceil(least / side));
  return make("canvas", { class: "picture", width, height: width, role: "img", "aria-label": label });
}

/** A thumbnail that fixes its image when pressed, and marks it on all maps while it is pointed at. */
export function makeThumb() {
  const point = () => change({ hover: Number(thumb.dataset.row) });
  const leave = () => change({ hover: -1 });
  const thumb = make("button", {
    type: "button",
    class: "thumb",
    onclick: () => change({ image: Number(thumb.dataset.row) }),
    onpointerenter: point,
    onpointerleave: leave,
    onfocus: point,
    onblur: leave,
  });
  const side = Math.min(state.deck.sprite.side, 64);
  thumb.append(make("canvas", { width: side, height: side }));
  return thumb;
}

/** Shows an image on a thumbnail; a note marks it, in words and with a border. */
export function setThumb(thumb, row, note = "") {
  const words = `${titleOf(state.deck, row)}, ${truthOf(state.deck, row)}${note && `, ${note}`}`;
  thumb.dataset.row = row;
  thumb.dataset.id = idOf(state.deck, row);
  thumb.title = words;
  thumb.setAttribute("aria-label", shorten(words, 200));
  thumb.classList.toggle("shared", note !== "");
  thumb.setAttribute("aria-current", String(row === state.image));
  drawTile(thumb.firstChild.getContext("2d"), row);
}
