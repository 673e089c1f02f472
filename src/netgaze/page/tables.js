import { cellTitles } from "./colors.js";
import { firstAnswers } from "./data.js";
import { count, countImages, make, makeName, shorten } from "./dom.js";
import { namePair } from "./legend.js";
import { cellsNow, change, judgeOf, listen, openFilters, state } from "./state.js";

// Tables whose cells show their images: what is taken for what, and where two networks agree.

const mostClasses = 28;
const mostConfusions = 30;

/** A part of the page that folds; it is filled when it is first opened. */
export function makePart(title, keys, fill) {
  const inside = make("div", { class: "inside" });
  const part = make("details", { class: "part" }, make("summary", { text: title }), inside);
  const refresh = () => part.open && inside.replaceChildren(...fill());
  part.addEventListener("toggle", refresh);
  listen(keys, refresh);
  return part;
}

/** The confusion matrix of the network that the filters take. */
export function buildConfusion() {
  const part = makePart("Confusion matrix", ["by", "epoch", "split"], fillConfusion);
  pressCells(part);
  return part;
}

/** The table of the pair: which of the two are right. */
export function buildAgreement() {
  const part = makePart("Agreement of A and B", ["a", "b", "epoch", "split"], fillAgreement);
  pressCells(part);
  return part;
}

function isWithin(row) {
  return state.split < 0 || state.deck.parts[row] === state.split;
}

// Every cell carries the filters that it sets, and is pressed while they are set.
function makeCell(number, filters, words, most) {
  const button = make("button", {
    type: "button",
    class: "cell",
    text: count(number),
    "aria-label": `${countImages(number)}: ${words}`,
    "data-filters": JSON.stringify(filters),
    "aria-pressed": String(isSet(filters)),
    onclick: () => change({ ...openFilters(), split: state.split, ...filters, ...(filters.class >= 0 && { classes: [filters.class] }) }),
  });
  button.style.setProperty("--share", String(Math.sqrt(number / most)));
  return button;
}

function isSet(filters) {
  if ("cell" in filters) return state.cell === filters.cell;
  return state.classes.length === 1 && state.classes[0] === filters.class && state.answer === filters.answer;
}

function pressCells(part) {
  listen(["matches"], () => {
    for (const cell of part.querySelectorAll(".cell")) {
      cell.setAttribute("aria-pressed", String(isSet(JSON.parse(cell.dataset.filters))));
    }
  });
}

function fillConfusion() {
  const { deck } = state;
  const answers = firstAnswers(judgeOf(), state.epoch);
  if (!answers) return [make("p", {}, makeName(judgeOf().label), " has no predictions.")];
  const pairs = new Map();
  for (let row = 0; row < deck.size; row++) {
    if (!isWithin(row)) continue;
    const key = deck.truth[row] * deck.class_names.length + answers.classes[row];
    pairs.set(key, (pairs.get(key) ?? 0) + 1);
  }
  const title = make("p", { class: "soft" }, "Of ", makeName(judgeOf().label), "; click a number to see its images.");
  return [title, deck.class_names.length > mostClasses ? listConfusions(pairs) : tabulateConfusion(pairs)];
}

function tabulateConfusion(pairs) {
  const names = state.deck.class_names;
  const most = Math.max(...pairs.values());
  const head = make("tr", {}, make("td", { text: "true ↓ predicted →" }));
  head.append(...names.map((name) => make("th", { scope: "col" }, makeName(name))));
  const lines = names.map((name, label) => {
    const line = make("tr", {}, make("th", { scope: "row" }, makeName(name)));
    line.append(...names.map((_, answer) => tabulateCell(pairs, label, answer, most)));
    return line;
  });
  const table = make("table", { class: "counts" }, make("thead", {}, head), make("tbody", {}, ...lines));
  return make("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Confusion matrix" }, table);
}

function tabulateCell(pairs, label, answer, most) {
  const names = state.deck.class_names;
  const number = pairs.get(label * names.length + answer);
  const cell = make("td", { class: label === answer ? "right" : "" });
  if (!number) cell.append(make("span", { class: "soft", text: "0" }));
  else cell.append(makeCell(number, { class: label, answer }, `${shorten(names[label])} predicted as ${shorten(names[answer])}`, most));
  return cell;
}

function listConfusions(pairs) {
  const names = state.deck.class_names;
  const wrong = [...pairs].map(([key, number]) => [Math.floor(key / names.length), key % names.length, number]);
  const most = wrong.filter(([label, answer]) => label !== answer).sort((a, b) => b[2] - a[2] || a[0] - b[0]);
  const items = most.slice(0, mostConfusions).map(([label, answer, number]) => {
    const words = `${shorten(names[label])} predicted as ${shorten(names[answer])}`;
    return make(
      "li",
      {},
      makeCell(number, { class: label, answer }, words, most[0][2]),
      makeName(names[label]),
      " as ",
      makeName(names[answer]),
    );
  });
  const note = make("p", { class: "soft", text: `The ${items.length} most frequent of ${count(most.length)} confusions.` });
  return make("div", {}, note, make("ol", { class: "confusions" }, ...items));
}

function fillAgreement() {
  const cells = cellsNow();
  if (!cells) return [make("p", { text: "One of the two has no predictions." })];
  const numbers = [0, 0, 0, 0];
  cells.forEach((cell, row) => {
    if (isWithin(row)) numbers[cell] += 1;
  });
  const most = Math.max(...numbers);
  const cellFor = (cell) => make("td", {}, makeCell(numbers[cell], { cell }, cellTitles[cell], most));
  const top = make("tr", {}, make("td"), make("th", { scope: "col", text: "B correct" }), make("th", { scope: "col", text: "B incorrect" }));
  const table = make(
    "table",
    { class: "counts" },
    make("thead", {}, top),
    make(
      "tbody",
      {},
      make("tr", {}, make("th", { scope: "row", text: "A correct" }), cellFor(0), cellFor(1)),
      make("tr", {}, make("th", { scope: "row", text: "A incorrect" }), cellFor(2), cellFor(3)),
    ),
  );
  return [make("p", {}, namePair()), table];
}

/** A table of the settings in which runs differ. */
export function buildSettings() {
  const { runs } = state.data;
  const all = [...new Set(runs.flatMap((run) => Object.keys(run.settings ?? {})))];
  const keys = all.filter((key) => new Set(runs.map((run) => run.settings?.[key])).size > 1);
  if (keys.length === 0) return make("p", { class: "soft", text: "The runs' settings do not differ." });
  const head = make("tr", {}, make("td", { text: "setting" }), ...runs.map((run) => make("th", { scope: "col" }, makeName(run.label))));
  const lines = keys.map((key) =>
    make("tr", {}, make("th", { scope: "row" }, makeName(key)), ...runs.map((run) => make("td", {}, makeName(run.settings?.[key] ?? "–")))),
  );
  const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...lines));
  return make("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Settings that differ" }, table);
}
