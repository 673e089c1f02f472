import { watchTheme } from "./colors.js";
import { buildColumns } from "./columns.js";
import { buildCurves } from "./curves.js";
import { openSet } from "./data.js";
import { make, makeButton, makeSelect } from "./dom.js";
import { buildFilters, buildMatches, buildToolbar } from "./filters.js";
import { buildFixed, buildTip, step } from "./fixed.js";
import { buildLegend } from "./legend.js";
import { describeView, hasLink, readLink, readSet, writeLink } from "./link.js";
import { change, changeAll, defaultsOf, forgetListeners, listen, state } from "./state.js";
import { buildAgreement, buildConfusion } from "./tables.js";
import { buildWipe } from "./wipe.js";

// Puts the explorer together, where the page has one.

const help =
  "Keys: → or n next image, ← or p previous, Esc frees it; + and − enlarge and shrink the map, 0 shows it whole. " +
  "Drag to move; double-click to enlarge; the wheel enlarges a map that has the focus, or with Ctrl.";

function start() {
  const block = document.getElementById("explore-data");
  if (!block) return;
  state.data = JSON.parse(block.textContent);
  const section = document.getElementById("explore");
  const root = section.querySelector(".explorer");
  section.classList.add("live");
  root.addEventListener("keydown", pressKey);
  buildSet(root, readSet(state.data.sets), true);
  addEventListener("hashchange", () => {
    if (!hasLink()) return;
    if (readSet(state.data.sets) !== state.set) buildSet(root, readSet(state.data.sets), true);
    else readLink();
  });
  watchTheme(changeAll);
  if (hasLink()) section.scrollIntoView();
}

let maps = [];

function buildSet(root, place, fromLink) {
  forgetListeners();
  state.set = place;
  state.deck = openSet(state.data.sets[place], () => change({ tiles: {} }));
  state.hover = -1;
  state.pointer = null;
  const columns = buildColumns();
  maps = columns.maps;
  const several = state.deck.networks.length > 1;
  root.replaceChildren(
    ...buildSetChoice(root),
    buildToolbar(maps, buildCopy()),
    buildLegend(),
    buildFilters(),
    buildMatches(),
    buildFixed(),
    columns.box,
    make("p", { class: "soft", text: help }),
    buildConfusion(),
    ...(several ? [buildAgreement(), buildWipe()] : []),
    ...(state.data.runs?.length > 0 ? [buildCurves()] : []),
    buildTip(root),
  );
  listen(["matches", "image", "color", "map", "number", "heat", "strength"], writeLink);
  if (fromLink) readLink();
  else change(defaultsOf(state.deck, state.data));
  changeAll();
}

function buildSetChoice(root) {
  if (state.data.sets.length < 2) return [];
  const choice = makeSelect(
    "images",
    state.data.sets.map((set, place) => [place, set.name]),
    (place) => {
      buildSet(root, Number(place), false);
      root.querySelector("select").focus();
    },
  );
  choice.control.value = String(state.set);
  return [make("div", { class: "tools" }, choice)];
}

// A clipboard is not there on every page: then the address stands in a field, to be copied by hand.
function buildCopy() {
  const field = make("input", { type: "text", readonly: true, hidden: true, "aria-label": "link to this view" });
  const said = make("span", { class: "soft", role: "status" });
  const button = makeButton("Copy link", async () => {
    const link = `${location.href.split("#")[0]}#${describeView()}`;
    try {
      await navigator.clipboard.writeText(link);
      said.textContent = "copied";
    } catch {
      field.hidden = false;
      field.value = link;
      field.select();
    }
  });
  return make("span", { class: "field" }, button, field, said);
}

function mapOf(element) {
  const column = element.closest?.(".column");
  return column ? maps.filter((map) => column.contains(map.canvas)) : maps;
}

const actions = {
  ArrowRight: () => step(1),
  n: () => step(1),
  ArrowLeft: () => step(-1),
  p: () => step(-1),
  Escape: () => change({ image: -1, hover: -1 }),
  "+": (where) => eachMap(where, (map) => map.zoomAtImage(1.5)),
  "=": (where) => eachMap(where, (map) => map.zoomAtImage(1.5)),
  "-": (where) => eachMap(where, (map) => map.zoomAtImage(1 / 1.5)),
  0: (where) => eachMap(where, (map) => map.reset()),
};

function eachMap(where, act) {
  for (const map of mapOf(where)) act(map);
}

function pressKey(event) {
  // A table that scrolls needs the arrows itself.
  const busy = event.target.closest("input, select") || event.target.matches(".scroll") || event.ctrlKey || event.metaKey || event.altKey;
  if (busy || !actions[event.key]) return;
  event.preventDefault();
  actions[event.key](event.target);
}

start();
