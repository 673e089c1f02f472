import { allAnswers, firstAnswers, furtherValues, lossesOf, lossRanks, readRow, snapshotAt } from "./data.js";
import { count, make, makeButton, makeName, percent, round, shorten } from "./dom.js";
import { positionsOf } from "./dots.js";
import { chooseHeat, drawSeen, heatClasses, makePicture, makeThumb, setThumb } from "./picture.js";
import { Scatter } from "./scatter.js";
import { listen, state } from "./state.js";

// A column a network: its map, and under it what it makes of the fixed image.

const mapKeys = ["matches", "color", "map", "theme"];
const imageKeys = ["image", "heat", "strength", "epoch", "theme", "tiles"];

/** Builds the columns of all networks; returns their box and their maps. */
export function buildColumns() {
  const columns = state.deck.networks.map(buildColumn);
  return { box: make("div", { class: "columns" }, ...columns.map((one) => one.node)), maps: columns.map((one) => one.map) };
}

function buildColumn(network, place) {
  const body = make("div", { class: "body", id: `explore-column-${place}` });
  const fold = makeButton("fold", () => {
    body.hidden = !body.hidden;
    fold.setAttribute("aria-expanded", String(!body.hidden));
    fold.textContent = body.hidden ? "unfold" : "fold";
    fold.setAttribute("aria-label", `${fold.textContent} ${shorten(network.label)}`);
    node.classList.toggle("folded", body.hidden);
  });
  fold.setAttribute("aria-expanded", "true");
  fold.setAttribute("aria-controls", body.id);
  fold.setAttribute("aria-label", `fold ${shorten(network.label)}`);
  const head = make("header", {}, make("h3", {}, makeName(network.label)));
  if (network.control) head.append(make("span", { class: "soft", text: "control" }));
  head.append(fold);
  const map = new Scatter(network);
  body.append(buildMap(network, map), buildImagePanel(network));
  const node = make("section", { class: "column", "aria-label": shorten(network.label) }, head, body);
  return { node, map };
}

function buildMap(network, map) {
  const words = `map of ${shorten(network.label)}`;
  const bar = make(
    "div",
    { class: "bar" },
    makeButton("+", () => map.zoomAtImage(1.5), { "aria-label": `enlarge the ${words}` }),
    makeButton("−", () => map.zoomAtImage(1 / 1.5), { "aria-label": `shrink the ${words}` }),
    makeButton("whole", () => map.reset(), { "aria-label": `show the whole ${words}` }),
  );
  const caption = make("p", { class: "soft" });
  listen(mapKeys, () => {
    const shown = positionsOf(network) !== null;
    map.canvas.hidden = bar.hidden = !shown;
    caption.textContent = shown ? captionOf(network) : `No ${state.map || "such"} map of this network.`;
    map.setLabel(`${words}, ${caption.textContent}. Use the arrow keys to step through the images.`);
    map.drawAll();
  });
  listen(["hover", "image"], map.drawRings);
  return make("div", { class: "mapbox" }, map.canvas, bar, caption);
}

function captionOf(network) {
  const place = snapshotAt(network, state.epoch);
  if (place < 0) return state.epoch === null || !network.maps ? state.map : `${state.map}, at the end`;
  return `epoch ${network.snapshots.epochs[place]}`;
}

function buildImagePanel(network) {
  const picture = makePicture(160, "");
  const heatNote = make("p", { class: "soft" });
  const facts = make("div", { class: "facts" });
  const thumbs = network.neighbors ? Array.from({ length: network.neighbors.shape[1] }, makeThumb) : [];
  const strip = make("div", { class: "thumbs" }, ...thumbs);
  const panel = make("div", { class: "image" }, picture, heatNote, facts);
  if (thumbs.length > 0) panel.append(make("h4", { text: "Nearest images" }), strip);
  listen(imageKeys, () => {
    panel.hidden = state.image < 0;
    if (panel.hidden) return;
    drawSeen(picture.getContext("2d"), network, state.image);
    heatNote.textContent = describeHeat(network, state.image);
    picture.setAttribute("aria-label", shorten(`the image as ${network.label} sees it: ${heatNote.textContent}`, 200));
    facts.replaceChildren(...listFacts(network, state.image));
    const neighbors = thumbs.length > 0 ? readRow(network.neighbors, state.image) : [];
    neighbors.forEach((row, i) => {
      setThumb(thumbs[i], row, noteShared(network, state.image, row));
    });
  });
  return panel;
}

function describeHeat(network, row) {
  if (!network.heat) return "No class map.";
  const place = chooseHeat(network, row);
  if (place < 0) return "No map of this class.";
  return `Class map of ${shorten(heatClasses(network, row)[place][1])}: red for, blue against.`;
}

function noteShared(network, image, row) {
  const others = state.deck.networks.filter(
    (other) => other !== network && other.neighbors && readRow(other.neighbors, image).includes(row),
  );
  return others.length === 0 ? "" : `shared with ${others.map((other) => shorten(other.label, 30)).join(", ")}`;
}

function listFacts(network, row) {
  return [...listAnswers(network, row), ...listOwn(network, row), ...listNumbers(network, row)];
}

function listAnswers(network, row) {
  const { deck } = state;
  const place = snapshotAt(network, state.epoch);
  const first = firstAnswers(network, state.epoch);
  if (!first) return [make("p", { class: "soft", text: "No predictions." })];
  const right = first.classes[row] === deck.truth[row];
  const how = place < 0 && allAnswers(network).by === "neighbors" ? " by its neighbors' vote" : "";
  const when = place < 0 ? "" : `, epoch ${network.snapshots.epochs[place]}`;
  const verdict = make("p", { class: right ? "verdict right" : "verdict wrong" });
  verdict.append(right ? "✓ correct" : "✗ incorrect", how, when);
  const [classes, shares] =
    place < 0
      ? [readRow(allAnswers(network).classes, row), readRow(allAnswers(network).shares, row)]
      : [[first.classes[row]], [first.shares[row]]];
  return [verdict, listShares(deck.class_names, classes, shares, deck.truth[row])];
}

function listShares(names, classes, shares, truth) {
  const list = make("ol", { class: "answers" });
  classes.slice(0, 5).forEach((place, i) => {
    const share = shares[i] / 65535;
    const bar = make("span", { class: "share" });
    bar.style.width = `${100 * share}%`;
    const name = make("span", { class: "who" }, makeName(names[place]));
    if (place === truth) name.append(make("span", { text: "(true)" }));
    list.append(make("li", {}, name, make("span", { class: "num", text: percent(share) }), make("span", { class: "track" }, bar)));
  });
  return list;
}

function listOwn(network, row) {
  if (!network.own) return [];
  const { class_names: names, classes, shares } = network.own;
  return [make("h4", { text: "Its own predictions" }), listShares(names, readRow(classes, row), readRow(shares, row), -1)];
}

function listNumbers(network, row) {
  const list = make("dl", { class: "numbers" });
  const add = (words, value, hint) => list.append(make("dt", { text: words, title: hint }), make("dd", { text: value }));
  const losses = lossesOf(network);
  if (losses) {
    add("loss", `${round(losses[row])} nats`, "the negative logarithm of the probability of the true class");
    add("rank", `${count(lossRanks(network)[row])} of ${count(losses.length)}`, "1 for the highest loss");
  }
  for (const [key, part] of Object.entries(network.values ?? {})) {
    const value = furtherValues(state.deck, network, key)[row];
    add(part.words, Number.isNaN(value) ? "none" : `${round(value)} ${part.unit ?? ""}`.trim(), part.says ?? "");
  }
  return list.children.length > 0 ? [list] : [];
}

/** What a network answers to an image in a few words; empty where it answers nothing. */
export function sayAnswer(network, row) {
  const first = firstAnswers(network, state.epoch);
  if (!first) return "";
  const name = shorten(state.deck.class_names[first.classes[row]], 40);
  return `${name} ${percent(first.shares[row] / 65535)}`;
}

/** Whether the first answer of a network is right; null where it answers nothing. */
export function isRight(network, row) {
  const first = firstAnswers(network, state.epoch);
  return first && first.classes[row] === state.deck.truth[row];
}
