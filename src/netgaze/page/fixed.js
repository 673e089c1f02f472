import { isRight, sayAnswer } from "./columns.js";
import { titleOf, truthOf } from "./data.js";
import { fillSelect, make, makeButton, makeName, makeRange, makeSelect, shorten } from "./dom.js";
import { drawTile, heatClasses, makePicture } from "./picture.js";
import { change, listen, state } from "./state.js";

// The fixed image: its own bar above the columns, what is read aloud of it, and the tooltip of the one pointed at.

/** The bar of the fixed image: the image, its true class, next and previous, and how class maps are shown. */
export function buildFixed() {
  const picture = makePicture(96, "the selected image");
  const title = make("p", { class: "title" });
  const hint = make("p", { class: "soft", text: "No image selected: click a dot or a thumbnail." });
  const steps = make(
    "div",
    { class: "tools" },
    makeButton("← Previous", () => step(-1)),
    makeButton("Next →", () => step(1)),
    makeButton("Free", () => change({ image: -1 })),
  );
  const shown = make("div", { class: "fixed" }, picture, make("div", {}, title, steps, buildHeat()));
  listen(["image", "tiles"], () => {
    shown.hidden = state.image < 0;
    hint.hidden = !shown.hidden;
    if (shown.hidden) return;
    drawTile(picture.getContext("2d"), state.image);
    title.replaceChildren(`${titleOf(state.deck, state.image)}: `, makeName(truthOf(state.deck, state.image)));
  });
  return make("div", {}, hint, shown, buildSpeech());
}

function buildHeat() {
  const pick = makeSelect("class map of", [], (heat) => change({ heat }));
  const strength = makeRange("strength", { min: 0, max: 100, step: 5 }, (value) => change({ strength: value }));
  listen(["image", "heat"], () => {
    if (state.image < 0) return;
    fillSelect(pick.control, listHeats());
    pick.control.value = state.heat;
  });
  listen(["strength"], () => {
    strength.control.value = state.strength;
  });
  const box = make("div", { class: "tools", hidden: !state.deck.networks.some((network) => network.heat) });
  box.append(pick, strength);
  return box;
}

function listHeats() {
  const shared = state.deck.networks.filter((network) => !network.heat?.class_names);
  const classes = new Map(shared.flatMap((network) => heatClasses(network, state.image)));
  const chosen = Number(state.heat);
  if (Number.isInteger(chosen)) classes.set(chosen, state.deck.class_names[chosen]);
  const sorted = [...classes].sort(([a], [b]) => a - b);
  return [["answer", "its prediction"], ["truth", "the true class"], ...sorted];
}

// A sentence for those who do not see the page, said once the image has been fixed.
function buildSpeech() {
  const speech = make("p", { class: "unseen", role: "status" });
  listen(["image", "epoch"], (keys) => {
    if (!keys.has("image") && state.image < 0) return;
    speech.textContent = state.image < 0 ? "" : describeImage(state.image);
  });
  return speech;
}

function describeImage(row) {
  const { deck } = state;
  const answers = deck.networks.flatMap((network) => {
    const words = sayAnswer(network, row);
    return words ? [`${shorten(network.label, 40)}: ${words}`] : [];
  });
  return `${titleOf(deck, row)}, ${shorten(truthOf(deck, row), 40)}; ${answers.join(", ")}`;
}

/** Fixes the next or the previous image among those that match. */
export function step(direction) {
  const { rows, image } = state;
  if (rows.length === 0) return;
  const place = rows.findIndex((row) => row >= image);
  const here = place < 0 ? rows.length : place;
  const onIt = rows[here] === image;
  const next = direction > 0 ? here + (onIt ? 1 : 0) : here - 1;
  change({ image: rows[image < 0 ? (direction > 0 ? 0 : rows.length - 1) : (next + rows.length) % rows.length] });
}

/** What stands beside the pointer: the image, its label and what every network answers. */
export function buildTip(root) {
  const picture = makePicture(64, "");
  const title = make("p");
  const list = make("ul");
  const tip = make("div", { class: "tip", hidden: true, "aria-hidden": "true" }, picture, make("div", {}, title, list));
  listen(["hover"], () => {
    tip.hidden = state.hover < 0 || !state.pointer;
    if (tip.hidden) return;
    drawTile(picture.getContext("2d"), state.hover);
    title.replaceChildren(`${titleOf(state.deck, state.hover)}: `, makeName(truthOf(state.deck, state.hover)));
    list.replaceChildren(...state.deck.networks.flatMap((network) => listAnswer(network, state.hover)));
    placeTip(tip, root);
  });
  return tip;
}

function listAnswer(network, row) {
  const words = sayAnswer(network, row);
  if (!words) return [];
  return [make("li", {}, isRight(network, row) ? "✓ " : "✗ ", makeName(network.label), `: ${words}`)];
}

// Beside the pointer, within the explorer: the page must not grow sideways.
function placeTip(tip, root) {
  const box = root.getBoundingClientRect();
  const [x, y] = [state.pointer.clientX - box.left, state.pointer.clientY - box.top];
  const right = x + 16 + tip.offsetWidth <= box.width;
  tip.style.left = `${Math.max(0, right ? x + 16 : x - 16 - tip.offsetWidth)}px`;
  tip.style.top = `${y + 16}px`;
}
