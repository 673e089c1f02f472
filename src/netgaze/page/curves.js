import { Chart } from "./chart.js";
import { make, makeSelect } from "./dom.js";
import { change, listen, schedule, state } from "./state.js";
import { buildSettings } from "./tables.js";

// Curves of the runs, with one cursor for all and the numbers under it.

/** The section of the runs: curves, the numbers at the cursor, and the settings that differ. */
export function buildCurves() {
  const series = listSeries();
  const part = make("details", { class: "part", open: true }, make("summary", { text: "Runs" }));
  if (series.length > 0) part.append(...buildChart(series));
  part.append(make("h3", { text: "What differs in their settings" }), buildSettings());
  return part;
}

function buildChart(series) {
  const chart = new Chart();
  const pick = makeSelect("number", series, (number) => change({ number }));
  listen(["number"], () => {
    pick.control.value = state.number;
    chart.choose(state.number);
  });
  listen(["theme"], () => schedule(chart.draw));
  return [make("div", { class: "tools" }, pick), ...chart.nodes];
}

function listSeries() {
  const words = new Map();
  for (const run of state.data.runs) for (const [key, one] of Object.entries(run.series ?? {})) words.set(key, one.words || key);
  return [...words];
}
