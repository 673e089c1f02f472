"""Plots of a table's rows, beside it on the page: over a swept number, and from sources to targets."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from netgaze.drawing.panels import SMALL, TEXT, Sheet
from netgaze.drawing.rows import Columns, lay_out
from netgaze.drawing.rows import Row as Band
from netgaze.drawing.words import count_cells, shorten
from netgaze.files import atomic_write
from netgaze.plots.sweep_curves import read_sweep
from netgaze.plots.sweep_picture import draw_sweep
from netgaze.results import average_repeats
from netgaze.runs import Row

_CELL, _MOST_NAME = 0.45, 2.5  # inches: the height of a cell, the width of a source's name


def plot_sweep(rows: Sequence[Row], path: Path) -> bool:
    """Plot what a swept number does, as `draw_sweep`; False where none was swept."""
    sweep = read_sweep(rows)
    if sweep is not None:
        _save(draw_sweep(sweep), path)
    return sweep is not None


def plot_matrix(rows: Sequence[Row], path: Path) -> bool:
    """A heat map of test accuracy, sources (`init`) down and target sets (`data`) across, a panel per approach.

    A cell is the mean over the seeds of one setting, of several the best by validation. False where not both differ.
    """
    rows = [row for row in average_repeats(rows) or rows if row["status"] == "finished" and "test/acc" in row]
    if any(len({row.get(key) for row in rows}) < 2 for key in ("init", "data")):
        return False
    _save(draw_matrix(rows), path)
    return True


def draw_matrix(rows: Sequence[Row]) -> Figure:
    """A heat map per task."""
    return lay_out([_make_matrix(rows)])


def _make_matrix(rows: Sequence[Row]) -> Band:
    """The heading and the panels."""
    tasks = list(dict.fromkeys(str(row.get("task", "")) for row in rows))
    sources, targets = (list(dict.fromkeys(_end(row.get(key)) for row in rows)) for key in ("init", "data"))
    height = _CELL * len(sources)
    words = [shorten(source, _MOST_NAME, SMALL) for source in sources]
    columns = Columns(len(tasks), left=0.3 + 0.07 * math.ceil(max(map(count_cells, words))))

    def draw(sheet: Sheet, y: float) -> None:
        sheet.text(0.1, y + 0.12, "Test accuracy: from what (rows) to what (columns)")
        for left, task in zip(columns.lefts, tasks, strict=True):
            values = _choose_values([row for row in rows if str(row.get("task", "")) == task], sources, targets)
            axes = sheet.axes(left, y + 0.75, columns.width, height)
            _draw_values(axes, values)
            axes.set_xticks(
                range(len(targets)), [shorten(each, columns.width / len(targets), SMALL) for each in targets]
            )
            axes.set_yticks(range(len(sources)), words if left == columns.lefts[0] else [""] * len(sources))
            axes.set_title(shorten(task, columns.width, TEXT), fontsize=TEXT)

    return Band(1.3 + height, draw)


def _choose_values(rows: Sequence[Row], sources: Sequence[str], targets: Sequence[str]) -> np.ndarray:
    """The test accuracy of the best run by validation of each source and target; NaN where there is none."""
    values, best = np.full((len(sources), len(targets)), np.nan), np.full((len(sources), len(targets)), -1.0)
    for row in rows:
        cell = sources.index(_end(row.get("init"))), targets.index(_end(row.get("data")))
        if row["val/acc"] > best[cell]:
            best[cell], values[cell] = row["val/acc"], row["test/acc"]
    return values


def _draw_values(axes: Axes, values: np.ndarray) -> None:
    axes.imshow(values, vmin=0, vmax=1, cmap="viridis", aspect="auto")
    axes.spines[:].set_visible(False)
    for (down, across), value in np.ndenumerate(values):
        words, color = ("-", "black") if np.isnan(value) else (f"{value:.3f}", "black" if value > 0.6 else "white")
        axes.text(across, down, words, ha="center", va="center", color=color, fontsize=TEXT)


def _save(figure: Figure, path: Path) -> None:
    with atomic_write(path) as beside:
        figure.savefig(beside, format="png", dpi=120)


def _end(value: Any) -> str:
    """A source or a set by the last part of its path; what starts from nothing is random."""
    return "random" if value in (None, "null") else str(value).rpartition("/")[2]
