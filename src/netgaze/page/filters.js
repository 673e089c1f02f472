import { cellTitles } from "./colors.js";
import { epochsOf, namesOf } from "./data.js";
import { count, countImages, fillSelect, make, makeButton, makeRange, makeSelect } from "./dom.js";
import { readBound } from "./link.js";
import { makeThumb, setThumb } from "./picture.js";
import { change, defaultsOf, listen, openFilters, state } from "./state.js";

// Everything that chooses what the columns show: the toolbar, the filters, the images that match.

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
  return [["class", "class"], ["right", "correct or incorrect"], ["loss", "loss"], ...several, ...further];
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
    box.append(bindSelect("A and B", "cell", [[-1, "any"], ...cellTitles.map((text, place) => [place, text])]));
    box.append(bindSelect("predictions of", "by", networkChoices()));
  }
  box.append(bindSelect("answer", "answer", classChoices("any")));
  box.append(
    bindSelect("is", "right", [
      [-1, "correct or incorrect"],
      [1, "correct"],
      [0, "incorrect"],
    ]),
  );
  box.append(makeBound("loss from", "low"), makeBound("to", "high"));
  box.append(makeButton("Clear filters", () => change(openFilters())));
  return box;
}

function makeBound(words, key) {
  const input = make("input", {
    type: "number",
    "aria-label": key === "low" ? "loss from" : "loss to",
    min: 0,
    step: "any",
    onchange: () => change({ [key]: readBound(input.value) }),
  });
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
