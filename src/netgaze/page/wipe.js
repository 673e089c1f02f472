import { pageColor } from "./colors.js";
import { make, makeName, makeRange, makeSelect, shorten } from "./dom.js";
import { drawDots, positionsOf, projectDots } from "./dots.js";
import { drawSeen } from "./picture.js";
import { pairOf, schedule, state } from "./state.js";
import { makePart } from "./tables.js";

// Two networks' pictures of the same thing on one canvas: A's to the left of a divider, B's to its right.

const keys = ["a", "b", "image", "heat", "strength", "matches", "color", "map", "theme", "tiles"];
const side = 400;
const wholeView = { zoom: 1, x: 0.5, y: 0.5 };
const chosen = { what: "image", share: 50 };

/** The part of the page that lays two pictures over each other. */
export function buildWipe() {
  const canvas = make("canvas", { class: "wipe", width: 2 * side, height: 2 * side, role: "img" });
  const note = make("p", { class: "soft" });
  const draw = () => {
    const problem = findProblem();
    note.replaceChildren(...(problem ? [problem] : nameSides()));
    canvas.hidden = Boolean(problem);
    canvas.setAttribute("aria-label", shorten(`left ${pairOf()[0].label}, right ${pairOf()[1].label}`, 200));
    if (!problem) drawBoth(canvas);
  };
  const move = (share) => {
    chosen.share = Math.min(100, Math.max(0, share));
    divider.control.value = chosen.share;
    schedule(draw);
  };
  const divider = makeRange("divider", { min: 0, max: 100, step: 1, value: chosen.share }, move);
  const choices = [
    ["image", "the selected image with its class map"],
    ["map", "the map"],
  ];
  const what = makeSelect("of", choices, (value) => {
    chosen.what = value;
    schedule(draw);
  });
  what.control.value = chosen.what;
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons === 1) move(Math.round((100 * event.offsetX) / canvas.clientWidth));
  });
  const inside = [make("div", { class: "tools" }, what, divider), note, canvas];
  return makePart("Wipe between A and B", keys, () => {
    schedule(draw);
    return inside;
  });
}

function findProblem() {
  if (chosen.what === "image") return state.image < 0 ? "Fix an image first: click a dot or a thumbnail." : "";
  return pairOf().every(positionsOf) ? "" : "One of the two has no such map.";
}

function nameSides() {
  const [first, second] = pairOf();
  return ["Left A, ", makeName(first.label), "; right B, ", makeName(second.label)];
}

function drawBoth(canvas) {
  const context = canvas.getContext("2d");
  const middle = (canvas.width * chosen.share) / 100;
  context.clearRect(0, 0, canvas.width, canvas.height);
  pairOf().forEach((network, place) => {
    const layer = make("canvas", { width: canvas.width, height: canvas.height });
    drawOne(layer.getContext("2d"), network);
    const [from, width] = place === 0 ? [0, middle] : [middle, canvas.width - middle];
    if (width > 0) context.drawImage(layer, from, 0, width, canvas.height, from, 0, width, canvas.height);
  });
  context.fillStyle = pageColor("page");
  context.fillRect(middle - 3, 0, 6, canvas.height);
  context.fillStyle = pageColor("ink");
  context.fillRect(middle - 1, 0, 2, canvas.height);
}

function drawOne(context, network) {
  if (chosen.what === "image") drawSeen(context, network, state.image);
  else drawDots(context, network, projectDots(positionsOf(network), side, wholeView), 1, 2);
}
