import { epochsOf, idOf, namesOf, rowOf } from "./data.js";
import { change, defaultsOf, state } from "./state.js";

// The address's fragment: what is chosen, as words that one can read and send.

const cellWords = ["both-right", "only-a", "only-b", "both-wrong"];
let pause = 0;

/** The fragment that brings this view back; empty where nothing has been chosen. */
export function describeView() {
  const { deck, data } = state;
  const start = defaultsOf(deck, data);
  const words = {
    set: state.set > 0 && state.set,
    image: state.image >= 0 && idOf(deck, state.image),
    color: state.color !== start.color && state.color,
    map: state.map !== start.map && state.map,
    class: state.classes.length > 0 && state.classes.join(","),
    answer: state.answer >= 0 && state.answer,
    right: state.right >= 0 && ["no", "yes"][state.right],
    by: state.by !== start.by && state.by,
    cell: state.cell >= 0 && cellWords[state.cell],
    pair: (state.a !== start.a || state.b !== start.b) && `${state.a},${state.b}`,
    loss: (state.low !== null || state.high !== null) && `${state.low ?? ""}-${state.high ?? ""}`,
    split: state.split >= 0 && deck.splits[state.split],
    epoch: state.epoch,
    number: state.number !== start.number && state.number,
    heat: state.heat !== start.heat && state.heat,
    strength: state.strength !== start.strength && state.strength,
  };
  const link = new URLSearchParams(Object.entries(words).filter(([, word]) => word !== false && word !== null));
  return link.toString().replaceAll("%3A", ":").replaceAll("%2C", ",");
}

/** Writes the fragment a moment after the last change: browsers refuse hundreds of changes at a time. */
export function writeLink() {
  clearTimeout(pause);
  pause = setTimeout(() => {
    const view = describeView();
    if (view === "" && !location.hash.includes("=")) return;
    if (location.hash.slice(1) === view) return;
    try {
      history.replaceState(null, "", `${location.pathname}${location.search}${view && "#"}${view}`);
    } catch {
      // A page inside another, as in a notebook, has no address of its own: it goes without.
    }
  }, 150);
}

/** Whether the fragment is a view, not one of the page's own anchors. */
export function hasLink() {
  return location.hash.includes("=");
}

/** The set that the fragment names, by its place; the first where it names none. */
export function readSet(sets) {
  const set = Number(new URLSearchParams(location.hash.slice(1)).get("set"));
  return sets[set] ? set : 0;
}

/** Chooses what the fragment says, and the defaults where it says nothing or what is not there. */
export function readLink() {
  const { deck, data } = state;
  const view = defaultsOf(deck, data);
  if (hasLink()) readWords(view, new URLSearchParams(location.hash.slice(1)));
  change(view);
}

function readWords(view, link) {
  const { deck, data } = state;
  const numbers = (data.runs ?? []).flatMap((run) => Object.keys(run.series ?? {}));
  const colors = ["right", "loss", "agreement", ...namesOf(deck, "values").map((key) => `value:${key}`)];
  const among = (key, choices) => (choices.includes(link.get(key)) ? link.get(key) : view[key]);
  view.image = rowOf(deck, link.get("image"));
  view.color = among("color", colors);
  view.map = among("map", namesOf(deck, "maps"));
  view.number = among("number", numbers);
  view.split = deck.splits.indexOf(link.get("split"));
  view.cell = cellWords.indexOf(link.get("cell"));
  view.right = ["no", "yes"].indexOf(link.get("right"));
  view.answer = readPlace(link.get("answer"), deck.class_names.length, -1);
  view.by = readPlace(link.get("by"), deck.networks.length, view.by);
  view.classes = readList(link.get("class"), deck.class_names.length);
  const [a, b] = readList(link.get("pair"), deck.networks.length);
  if (b !== undefined) Object.assign(view, { a, b });
  const [, low, high] = /^([\d.]*)-([\d.]*)$/.exec(link.get("loss") ?? "") ?? [];
  Object.assign(view, { low: readBound(low), high: readBound(high) });
  const epoch = Number(link.get("epoch"));
  if (epochsOf(deck).includes(epoch)) view.epoch = epoch;
  const heat = link.get("heat") ?? view.heat;
  view.heat = heat === "truth" ? heat : String(readPlace(heat, deck.class_names.length, view.heat));
  view.strength = readPlace(link.get("strength"), 101, view.strength);
}

function readPlace(word, size, otherwise) {
  return /^\d+$/.test(word ?? "") && Number(word) < size ? Number(word) : otherwise;
}

function readList(words, size) {
  return (words ?? "").split(",").flatMap((word) => {
    const place = readPlace(word, size, null);
    return place === null ? [] : [place];
  });
}

/** A bound of the loss as typed or linked; null for none. */
export function readBound(text) {
  const bound = Number.parseFloat(text);
  return Number.isFinite(bound) ? Number(bound.toFixed(4)) : null;
}
