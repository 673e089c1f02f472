"""Plots of a table's rows, shown below it on the page: over a swept number, and from sources to targets."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from netgaze.drawing.panels import SEQUENTIAL, SMALL, TEXT, Sheet
from netgaze.drawing.rows import Columns, Row, align, lay_out, make_text
from netgaze.drawing.words import count_cells, measure_cell, shorten
from netgaze.files import atomic_write
from netgaze.plots.sweep_curves import read_sweep
from netgaze.plots.sweep_picture import draw_sweep
from netgaze.results import average_repeats, show_number
from netgaze.rows import Row as TableRow

_CELL, _MOST_NAME, _TITLE = 0.45, 2.5, 0.2  # inches: a cell's height, a source's name, above a panel


def plot_sweep(rows: Sequence[TableRow], path: Path) -> bool:
    """Plot accuracies over a swept number, see `draw_sweep`; False where none was swept."""
    sweep = read_sweep(rows)
    if sweep is not None:
        _save(draw_sweep(sweep), path)
    return sweep is not None


def plot_matrix(rows: Sequence[TableRow], path: Path) -> bool:
    """A heat map of test accuracy, sources (`init`) down and target sets (`data`) across, a panel per approach.

    A cell is the mean over the seeds of one setting, of several the best by validation. False where not both differ.
    """
    rows = [row for row in average_repeats(rows) or rows if row["status"] == "finished" and "test/acc" in row]
    if any(len({row.get(key) for row in rows}) < 2 for key in ("init", "data")):
        return False
    _save(draw_matrix(rows), path)
    return True


def draw_matrix(rows: Sequence[TableRow]) -> Figure:
    """A heat map per task, side by side; the sources' names at the left."""
    tasks = list(dict.fromkeys(str(row.get("task", "")) for row in rows))
    sources, targets = (list(dict.fromkeys(_end(row.get(key)) for row in rows)) for key in ("init", "data"))
    names = [shorten(source, _MOST_NAME, SMALL) for source in sources]
    columns = Columns(len(tasks), left=0.3 + measure_cell(SMALL) * math.ceil(max(map(count_cells, names))))
    panels: list[Row] = []
    for left, task in zip(columns.lefts, tasks, strict=True):
        chosen = _choose_runs([row for row in rows if str(row.get("task", "")) == task], sources, targets)
        panels.append(_make_panel(left, columns.width, task, chosen, [""] * len(names) if panels else names, targets))
    heading = make_text("Test accuracy by source (rows) and target (columns)", below=0.12)
    return lay_out([Row(0.12), heading, align(panels)])


def _make_panel(
    x: float,
    width: float,
    task: str,
    chosen: Mapping[tuple[int, int], TableRow],
    names: Sequence[str],
    targets: Sequence[str],
) -> Row:
    """The test accuracies of a task's runs as colors, and with their uncertainty written upon them."""
    height, title = _CELL * len(names), shorten(task, width, TEXT)
    below = [shorten(target, width / len(targets), SMALL) for target in targets]
    values = np.full((len(names), len(targets)), np.nan)
    for cell, row in chosen.items():
        values[cell] = row["test/acc"]

    def draw(sheet: Sheet, y: float) -> None:
        axes = sheet.cells(x, y + _TITLE, width, height, values, SEQUENTIAL, 0.0, title=title, size=TEXT)
        axes.set_xticks(range(len(targets)), below)
        axes.set_yticks(range(len(names)), names)
        for (down, across), value in np.ndenumerate(values):
            said = show_number(chosen[down, across], "test/acc").replace(" ±", "\n±") if value >= 0 else "-"
            color = "white" if value <= 0.6 else "black"
            axes.text(across, down, said, ha="center", va="center", color=color, fontsize=SMALL)

    return Row(_TITLE + height + 0.4, draw)


def _choose_runs(
    rows: Sequence[TableRow], sources: Sequence[str], targets: Sequence[str]
) -> dict[tuple[int, int], TableRow]:
    """The best run by validation of each source and target that has one, by their places."""
    chosen: dict[tuple[int, int], TableRow] = {}
    for row in rows:
        cell = sources.index(_end(row.get("init"))), targets.index(_end(row.get("data")))
        if cell not in chosen or row["val/acc"] > chosen[cell]["val/acc"]:
            chosen[cell] = row
    return chosen


def _save(figure: Figure, path: Path) -> None:
    with atomic_write(path) as beside:
        figure.savefig(beside, format="png", dpi=120)


def _end(value: Any) -> str:
    """A source or a data set by the last part of its path; without a source a network is trained from scratch."""
    return "from scratch" if value in (None, "null") else str(value).rpartition("/")[2]
