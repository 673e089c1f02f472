import { agreementCells, firstAnswers, lossesOf } from "./data.js";

// What is chosen now, who wants to know of changes, and the frame in which they are told.

const defaults = {
  image: -1, // the row of the fixed image, -1 for none
  color: "class",
  map: "",
  a: 0, // the pair: places among the set's networks
  b: 1,
  by: 0, // whose answers and losses the filters and the confusion matrix take
  classes: [], // none chosen: all
  answer: -1,
  right: -1, // 1 right, 0 wrong
  cell: -1, // of the table of agreement
  low: null,
  high: null,
  split: -1,
  epoch: null, // null: the end of training
  number: "",
  heat: "answer", // whose class map: answer, truth, or a class's number
  strength: 60,
};
const filters = ["classes", "by", "answer", "right", "cell", "low", "high"];
const narrowing = ["a", "b", "split", "epoch", ...filters];

/** What is chosen now; `hover` is the row under the pointer, `rows` and `mask` are the images that match. */
export const state = { data: null, deck: null, set: 0, hover: -1, rows: [], mask: null };

let listeners = [];
let changed = new Set();
const waiting = new Set();

/** Calls back when one of the keys has changed, in the next frame; "matches" follows from the filters. */
export function listen(keys, callback) {
  listeners.push([keys, callback]);
}

/** Forgets all listeners: the next set of images brings its own. */
export function forgetListeners() {
  listeners = [];
}

/** Runs something once in the next frame, however often it is asked for. */
export function schedule(callback) {
  if (waiting.size === 0) requestAnimationFrame(runWaiting);
  waiting.add(callback);
}

function runWaiting() {
  const callbacks = [...waiting];
  waiting.clear();
  for (const callback of callbacks) callback();
}

/** Changes what is chosen and tells, in the next frame, whoever listens. */
export function change(values) {
  for (const [key, value] of Object.entries(values)) {
    if (state[key] === value) continue;
    state[key] = value;
    changed.add(key);
  }
  if (changed.size > 0) schedule(tell);
}

/** Tells everybody that everything may have changed: after opening, and when the colors of the page change. */
export function changeAll() {
  for (const key of ["theme", ...Object.keys(state), ...Object.keys(defaults)]) changed.add(key);
  schedule(tell);
}

function tell() {
  const keys = changed;
  changed = new Set();
  if (narrowing.some((key) => keys.has(key))) {
    findMatches();
    keys.add("matches");
  }
  for (const [wanted, callback] of listeners) {
    if (wanted.some((key) => keys.has(key))) callback(keys);
  }
}

/** What is chosen in a set when nobody has chosen yet. */
export function defaultsOf(deck, data) {
  const maps = deck.networks.flatMap((network) => Object.keys(network.maps ?? {}));
  const map = maps.includes("t-SNE") ? "t-SNE" : (maps[0] ?? "");
  const number = (data.runs ?? []).flatMap((run) => Object.keys(run.series ?? {}))[0] ?? "";
  return { ...defaults, map, number, b: Math.min(1, deck.networks.length - 1) };
}

/** The values of the filters that let every image through. */
export function openFilters() {
  const { classes, answer, right, cell, low, high, split } = defaults;
  return { classes, answer, right, cell, low, high, split };
}

/** The networks of the pair. */
export function pairOf() {
  return [state.deck.networks[state.a], state.deck.networks[state.b]];
}

/** The network whose answers the filters take. */
export function judgeOf() {
  return state.deck.networks[state.by];
}

/** The cells of the pair's table, now; null where one of the two answers nothing. */
export function cellsNow() {
  const [first, second] = pairOf();
  return agreementCells(state.deck, first, second, state.epoch);
}

function findMatches() {
  const { deck, classes, split } = state;
  const tests = [];
  if (classes.length > 0) {
    const wanted = new Set(classes);
    tests.push((row) => wanted.has(deck.truth[row]));
  }
  if (split >= 0) tests.push((row) => deck.parts[row] === split);
  addTestsOfAnswers(tests, firstAnswers(judgeOf(), state.epoch));
  addTestsOfLosses(tests, lossesOf(judgeOf()));
  const cells = state.cell < 0 ? null : cellsNow();
  if (cells) tests.push((row) => cells[row] === state.cell);
  state.rows = [];
  state.mask = new Uint8Array(deck.size);
  for (let row = 0; row < deck.size; row++) {
    if (!tests.every((test) => test(row))) continue;
    state.mask[row] = 1;
    state.rows.push(row);
  }
}

function addTestsOfAnswers(tests, answers) {
  const { deck, answer, right } = state;
  if (!answers) return;
  if (answer >= 0) tests.push((row) => answers.classes[row] === answer);
  if (right >= 0) tests.push((row) => (answers.classes[row] === deck.truth[row]) === (right === 1));
}

function addTestsOfLosses(tests, losses) {
  const { low, high } = state;
  if (!losses) return;
  if (low !== null) tests.push((row) => losses[row] >= low);
  if (high !== null) tests.push((row) => losses[row] <= high);
}
