import { firstAnswers, furtherValues, lossesOf, remember } from "./data.js";
import { cellsNow, state } from "./state.js";

// Colors and shapes of the dots. Every meaning has a shape besides its color, but for numbers, which have a bar.

// Okabe and Ito's eight and two more, those that would drown in the page's background made darker or lighter.
const palettes = {
  light: ["#0072b2", "#c77c00", "#00875f", "#b8588f", "#d55e00", "#2a8fc9", "#8f8400", "#2b2f36", "#882255", "#7a5230"],
  dark: ["#4aa3df", "#e69f00", "#1fbd8d", "#e39cc4", "#f0793a", "#8bd0f5", "#f0e442", "#f2f4f7", "#d9689b", "#c49a6c"],
};
// Viridis without the end that would drown; the greatest number stands out most.
const ramps = {
  light: ["#2f9e6b", "#21918c", "#2c728e", "#3b528b", "#472d7b", "#440154"],
  dark: ["#3e6f9e", "#2a8a8f", "#21a585", "#5ec962", "#addc30", "#fde725"],
};
const shapes = ["circle", "square", "triangle", "diamond", "cross", "plus", "wedge"];
const levels = 16;
const theme = matchMedia("(prefers-color-scheme: dark)");
const sprites = new Map();
const pageColors = new Map();

/** The words of the four cells of the pair's table. */
export const cellTitles = ["both correct", "only A correct", "only B correct", "both incorrect"];

/** Calls back when the page turns light or dark. */
export function watchTheme(callback) {
  theme.addEventListener("change", () => {
    pageColors.clear();
    callback();
  });
}

/** One of the page's own colors, by its variable. */
export function pageColor(name) {
  if (!pageColors.has(name)) {
    const given = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
    pageColors.set(name, given || (name === "page" ? "#ffffff" : "#888888"));
  }
  return pageColors.get(name);
}

/** The color of one of several lines or classes. */
export function paletteColor(place) {
  return palettes[theme.matches ? "dark" : "light"][place % 10];
}

// Ten colors and seven shapes, each a step further with every class: seventy that differ.
function styleOfClass(place) {
  return { color: paletteColor(place), shape: shapes[place % 7], words: state.deck.class_names[place] };
}

function styleOfCell(cell) {
  return { color: paletteColor([2, 0, 1, 4][cell]), shape: ["circle", "triangle", "square", "cross"][cell], words: cellTitles[cell] };
}

const styleOfWrong = () => ({ color: paletteColor(4), shape: "cross", words: "incorrect" });
const styleOfRight = () => ({ color: paletteColor(0), shape: "circle", words: "correct" });

/** How to color the dots of a network: `styles`, and `places`, the style of each image; null where nothing is known. */
export function dress(network) {
  const { deck, color, epoch } = state;
  if (color === "class") return { styles: deck.class_names.map((_, place) => styleOfClass(place)), places: deck.truth };
  if (color === "agreement") {
    const cells = cellsNow();
    return cells && { styles: [0, 1, 2, 3].map(styleOfCell), places: cells };
  }
  if (color === "right") {
    const answers = firstAnswers(network, epoch);
    if (!answers) return null;
    const places = Uint8Array.from(deck.truth, (label, row) => Number(answers.classes[row] === label));
    return { styles: [styleOfWrong(), styleOfRight()], places };
  }
  const values = valuesToColor(network);
  return values && dressValues(values);
}

function valuesToColor(network) {
  return state.color === "loss" ? lossesOf(network) : furtherValues(state.deck, network, state.color.slice(6));
}

function dressValues(values) {
  const { low, high, bend } = scaleNow();
  const places = Uint8Array.from(values, (value) => {
    if (Number.isNaN(value)) return levels;
    const share = bend(Math.min(value, high) - low) / bend(high - low || 1);
    return Math.min(levels - 1, Math.floor(share * levels));
  });
  const styles = Array.from({ length: levels }, (_, level) => ({ color: rampColor((level + 0.5) / levels), shape: "circle" }));
  return { styles: [...styles, { color: pageColor("soft"), shape: "plus" }], places };
}

/** The ends of the scale of numbers, common to all networks, and how it is bent: losses crowd near zero. */
export function scaleNow() {
  const { deck, color } = state;
  return remember(deck, `scale ${color}`, () => {
    let [low, high] = [color === "loss" ? 0 : Infinity, -Infinity];
    for (const network of deck.networks) {
      for (const value of valuesToColor(network) ?? []) {
        if (!Number.isFinite(value)) continue;
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    }
    return { low, high, bend: color === "loss" ? Math.log1p : (value) => value };
  });
}

/** The color of a share of the scale, between its six stops. */
export function rampColor(share) {
  const stops = ramps[theme.matches ? "dark" : "light"];
  const place = Math.min(share * 5, 4.999);
  const [from, to] = [0, 1].map((step) => Number.parseInt(stops[Math.floor(place) + step].slice(1), 16));
  const mix = [16, 8, 0].map((shift) => {
    const [start, end] = [(from >> shift) & 255, (to >> shift) & 255];
    return Math.round(start + (end - start) * (place % 1));
  });
  return `rgb(${mix.join(", ")})`;
}

/** A dot of a style drawn once, to be copied: `half` is half its side in pixels of the screen. */
export function spriteOf({ color, shape }, half) {
  const key = `${color} ${shape} ${half}`;
  if (!sprites.has(key)) {
    const sprite = document.createElement("canvas");
    sprite.width = sprite.height = Math.ceil(2 * half) + 2;
    const context = sprite.getContext("2d");
    context.translate(sprite.width / 2, sprite.height / 2);
    drawShape(context, shape, half, color);
    sprites.set(key, sprite);
  }
  return sprites.get(key);
}

function drawShape(context, shape, half, color) {
  context.fillStyle = context.strokeStyle = color;
  context.lineWidth = Math.max(1.5, half * 0.65);
  const corners = {
    square: [
      [-0.85, -0.85],
      [0.85, -0.85],
      [0.85, 0.85],
      [-0.85, 0.85],
    ],
    triangle: [
      [0, -1],
      [1, 0.8],
      [-1, 0.8],
    ],
    wedge: [
      [0, 1],
      [1, -0.8],
      [-1, -0.8],
    ],
    diamond: [
      [0, -1.1],
      [1.1, 0],
      [0, 1.1],
      [-1.1, 0],
    ],
  };
  const strokes = {
    cross: [
      [-0.8, -0.8, 0.8, 0.8],
      [-0.8, 0.8, 0.8, -0.8],
    ],
    plus: [
      [-1, 0, 1, 0],
      [0, -1, 0, 1],
    ],
  };
  context.beginPath();
  if (shape === "circle") context.arc(0, 0, half, 0, 2 * Math.PI);
  for (const [x, y] of corners[shape] ?? []) context.lineTo(x * half, y * half);
  for (const [x, y, toX, toY] of strokes[shape] ?? []) {
    context.moveTo(x * half, y * half);
    context.lineTo(toX * half, toY * half);
  }
  if (strokes[shape]) context.stroke();
  else context.fill();
}
