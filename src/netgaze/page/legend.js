import { dress, rampColor, scaleNow, spriteOf } from "./colors.js";
import { agreementBy } from "./data.js";
import { count, make, makeName, round } from "./dom.js";
import { change, judgeOf, listen, pairOf, state } from "./state.js";

// The legend: what colors and shapes mean. Its entries filter; numbers have a bar.

/** The legend: what the colors and shapes mean; its buttons filter. */
export function buildLegend() {
  const box = make("div", { class: "legend", role: "group", "aria-label": "Legend" });
  listen(["color", "a", "b", "by", "epoch", "theme"], () => box.replaceChildren(...listLegend()));
  listen(["matches"], () => {
    for (const entry of box.querySelectorAll(".entry")) {
      entry.setAttribute("aria-pressed", String(isPressed(Number(entry.dataset.place))));
    }
  });
  return box;
}

function listLegend() {
  const { color, deck } = state;
  if (color === "loss" || color.startsWith("value:")) return listScale();
  const dressing = deck.networks.map(dress).find(Boolean);
  if (!dressing) return [note(color === "right" ? "No network has predictions." : "One of the two has no predictions.")];
  const used = color === "class" ? [...new Set(deck.truth)].sort((a, b) => a - b) : [...dressing.styles.keys()];
  if (color === "right") used.reverse();
  const items = used.slice(0, 100).map((place) => makeEntry(dressing.styles[place], place));
  if (used.length > 100) items.push(note(`and ${count(used.length - 100)} more classes: choose them by the filter`));
  return [...items, ...noteLegend(color)];
}

function noteLegend(color) {
  if (color === "right") return [note("Each map shows its own network's predictions; the buttons filter by those of "), makeName(judgeOf().label)];
  if (color !== "agreement") return [];
  return [namePair()];
}

/** Who A and B are, and how they are held against each other. */
export function namePair() {
  const [first, second] = pairOf();
  const how = agreementBy(first, second) === "head" ? "by their own predictions" : "by votes of their nearest training images";
  return make("span", { class: "soft" }, "A: ", makeName(first.label), ", B: ", makeName(second.label), `; ${how}`);
}

const note = (text) => make("span", { class: "soft", text });

function makeEntry(style, place) {
  const swatch = make("canvas", { width: 18, height: 18, "aria-hidden": "true" });
  const sprite = spriteOf(style, 6);
  swatch.getContext("2d").drawImage(sprite, 9 - sprite.width / 2, 9 - sprite.height / 2);
  const entry = make("button", { type: "button", class: "entry", onclick: () => toggleEntry(place) }, swatch, makeName(style.words));
  entry.setAttribute("aria-pressed", String(isPressed(place)));
  entry.dataset.color = style.color;
  entry.dataset.place = place;
  return entry;
}

function isPressed(place) {
  if (state.color === "class") return state.classes.includes(place);
  return place === (state.color === "right" ? state.right : state.cell);
}

function toggleEntry(place) {
  const pressed = isPressed(place);
  if (state.color === "right") change({ right: pressed ? -1 : place });
  else if (state.color === "agreement") change({ cell: pressed ? -1 : place });
  else change({ classes: pressed ? state.classes.filter((one) => one !== place) : [...state.classes, place].sort((a, b) => a - b) });
}

function listScale() {
  const { low, high, bend } = scaleNow();
  if (low > high) return [note("No network has this number.")];
  const bar = make("canvas", { width: 240, height: 12, class: "ramp", role: "img", "aria-label": `from ${round(low)} to ${round(high)}` });
  const context = bar.getContext("2d");
  const numbers = make("div", { class: "ticks" });
  for (let x = 0; x < 240; x++) {
    context.fillStyle = rampColor(x / 240);
    context.fillRect(x, 0, 1, 12);
  }
  const unbend = bend === Math.log1p ? Math.expm1 : (value) => value;
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    numbers.append(make("span", { text: round(Number((low + unbend(share * bend(high - low))).toPrecision(3))) }));
  }
  const words = `${state.color === "loss" ? "in nats; " : ""}each map shows its own network's; a small + where unknown`;
  return [make("div", { class: "scale" }, bar, numbers), note(words)];
}
