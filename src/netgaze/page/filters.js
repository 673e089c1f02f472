import { dress, rampColor, scaleNow, spriteOf } from "./colors.js";
import { agreementBy, epochsOf, furtherValues, namesOf } from "./data.js";
import { count, countImages, fillSelect, make, makeButton, makeName, makeRange, makeSelect, round } from "./dom.js";
import { readBound } from "./link.js";
import { makeThumb, setThumb } from "./picture.js";
import { change, defaultsOf, judgeOf, listen, openFilters, pairOf, state } from "./state.js";

// Everything that chooses what the columns show: the toolbar, the legend, the filters, the images that match.

const page = 60;

function networkChoices() {
  return state.deck.networks.map((network, place) => [place, network.label]);
}

function classChoices(none) {
  return [[-1, none], ...state.deck.class_names.map((name, place) => [place, name])];
}

// A select that follows the state as well as it leads it.
function bindSelect(words, key, choices, convert = Number) {
  const field = makeSelect(words, choices, (value) => change({ [key]: convert(value) }));
  listen([key], () => {
    field.control.value = String(state[key]);
  });
  return field;
}

function colorChoices() {
  const several = state.deck.networks.length > 1 ? [["agreement", "agreement of A and B"]] : [];
  const further = namesOf(state.deck, "values").map((key) => {
    const part = state.deck.networks.find((network) => network.values?.[key]).values[key];
    return [`value:${key}`, part.words];
  });
  return [["class", "class"], ["right", "right or wrong"], ["loss", "loss"], ...several, ...further];
}

/** The row of choices that concern all columns. */
export function buildToolbar(maps, copy) {
  const { deck } = state;
  const bar = make("div", { class: "tools", role: "group", "aria-label": "What the maps show" });
  bar.append(bindSelect("color by", "color", colorChoices(), String));
  const kinds = namesOf(deck, "maps");
  if (kinds.length > 1)
    bar.append(
      bindSelect(
        "map",
        "map",
        kinds.map((name) => [name, name]),
        String,
      ),
    );
  if (deck.networks.length > 1) {
    bar.append(bindSelect("pair: A", "a", networkChoices()), bindSelect("B", "b", networkChoices()));
  }
  if (epochsOf(deck).length > 0) bar.append(buildEpochs(epochsOf(deck)));
  const reset = () => {
    for (const map of maps) map.reset();
    change(defaultsOf(deck, state.data));
  };
  bar.append(makeButton("Reset", reset), copy);
  return bar;
}

function buildEpochs(epochs) {
  const field = makeRange("epoch", { min: 0, max: epochs.length, step: 1 }, (place) => change({ epoch: epochs[place] ?? null }));
  const words = make("output", { class: "num" });
  field.append(words);
  listen(["epoch"], () => {
    const place = state.epoch === null ? epochs.length : epochs.indexOf(state.epoch);
    field.control.value = place;
    words.textContent = state.epoch ?? "the end";
    field.control.setAttribute("aria-valuetext", `epoch ${words.textContent}`);
  });
  return field;
}

/** The legend: what the colors and shapes mean; its buttons filter. */
export function buildLegend() {
  const box = make("div", { class: "legend", role: "group", "aria-label": "Legend" });
  listen(["color", "a", "b", "by", "epoch", "theme"], () => box.replaceChildren(...listLegend()));
  return box;
}

function listLegend() {
  const { color, deck } = state;
  if (color === "loss" || color.startsWith("value:")) return listScale();
  const network = color === "right" ? judgeOf() : deck.networks[0];
  const dressing = dress(network);
  if (!dressing) return [note(color === "right" ? "This network has no answers." : "One of the two has no answers.")];
  const used = color === "class" ? [...new Set(deck.truth)].sort((a, b) => a - b) : [...dressing.styles.keys()];
  const items = used.slice(0, 100).map((place) => makeEntry(dressing.styles[place], place));
  if (used.length > 100) items.push(note(`and ${count(used.length - 100)} more classes: choose them by the filter`));
  return [...items, ...noteLegend(color)];
}

function noteLegend(color) {
  if (color === "right") return [note("Each map shows its own network's; the buttons filter by "), makeName(judgeOf().label)];
  if (color !== "agreement") return [];
  const [first, second] = pairOf();
  const how = agreementBy(first, second) === "head" ? "by their own answers" : "by votes of their nearest training images";
  return [note("A: "), makeName(first.label), note(", B: "), makeName(second.label), note(`; ${how}`)];
}

const note = (text) => make("span", { class: "soft", text });

function makeEntry(style, place) {
  const swatch = make("canvas", { width: 18, height: 18, "aria-hidden": "true" });
  const sprite = spriteOf(style, 6);
  swatch.getContext("2d").drawImage(sprite, 9 - sprite.width / 2, 9 - sprite.height / 2);
  const entry = make("button", { type: "button", class: "entry", onclick: () => toggleEntry(place) }, swatch, makeName(style.words));
  const press = () => entry.setAttribute("aria-pressed", String(isPressed(place)));
  entry.dataset.color = style.color;
  entry.dataset.place = place;
  press();
  return entry;
}

/** Keeps the legend's buttons pressed or not as the filters are. */
export function pressLegend(box) {
  listen(["matches"], () => {
    for (const entry of box.querySelectorAll(".entry")) {
      entry.setAttribute("aria-pressed", String(isPressed(Number(entry.dataset.place))));
    }
  });
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
  const missing = state.deck.networks.some((network) => state.color !== "loss" && furtherValues(state.deck, network, state.color.slice(6)));
  const words =
    state.color === "loss" ? "nats; each map shows its own network's" : missing && "each map shows its own network's; + where unknown";
  return [make("div", { class: "scale" }, bar, numbers), note(words || "")];
}

/** The filters, each of which narrows the images that match. */
export function buildFilters() {
  const { deck } = state;
  const box = make("div", { class: "tools", role: "group", "aria-label": "Which images match" });
  const classes = makeSelect("class", [], (value) => change({ classes: Number(value) < 0 ? [] : [Number(value)] }));
  listen(["classes"], () => {
    const several = state.classes.length > 1 ? [[-2, `${state.classes.length} classes`]] : [];
    fillSelect(classes.control, [...several, ...classChoices("all")]);
    classes.control.value = String(several.length > 0 ? -2 : (state.classes[0] ?? -1));
  });
  box.append(classes);
  if (deck.splits.length > 1) box.append(bindSelect("split", "split", [[-1, "all"], ...deck.splits.map((name, place) => [place, name])]));
  if (deck.networks.length > 1) {
    const words = ["both right", "only A right", "only B right", "both wrong"];
    box.append(bindSelect("A and B", "cell", [[-1, "any"], ...words.map((text, place) => [place, text])]));
    box.append(bindSelect("answers of", "by", networkChoices()));
  }
  box.append(bindSelect("answer", "answer", classChoices("any")));
  box.append(
    bindSelect("is", "right", [
      [-1, "right or wrong"],
      [1, "right"],
      [0, "wrong"],
    ]),
  );
  box.append(makeBound("loss from", "low"), makeBound("to", "high"));
  box.append(makeButton("Clear filters", () => change(openFilters())));
  return box;
}

function makeBound(words, key) {
  const input = make("input", { type: "number", min: 0, step: "any", onchange: () => change({ [key]: readBound(input.value) }) });
  listen([key], () => {
    input.value = state[key] ?? "";
  });
  return make("label", { class: "field" }, make("span", { text: words }), input);
}

/** How many images match, and the first of them as thumbnails. */
export function buildMatches() {
  const words = make("p", { class: "count", role: "status" });
  const strip = make("div", { class: "thumbs", role: "group", "aria-label": "Images that match" });
  let shown = page;
  const more = makeButton("More", () => {
    shown += page;
    fill();
  });
  const fill = () => {
    const rows = state.rows.slice(0, shown);
    while (strip.children.length < rows.length) strip.append(makeThumb());
    [...strip.children].forEach((thumb, i) => {
      thumb.hidden = i >= rows.length;
      if (!thumb.hidden) setThumb(thumb, rows[i]);
    });
    more.hidden = state.rows.length <= shown;
  };
  listen(["matches", "tiles"], () => {
    shown = page;
    words.textContent = `${count(state.rows.length)} of ${countImages(state.deck.size)}`;
    fill();
  });
  listen(["image"], () => {
    for (const thumb of strip.children) thumb.setAttribute("aria-current", String(Number(thumb.dataset.row) === state.image));
  });
  return make("div", { class: "matches" }, words, strip, more);
}
