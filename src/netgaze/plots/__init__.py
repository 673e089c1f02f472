"""Plots of a table's rows, beside it on the page: over a swept number, and from sources to targets."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from netgaze.drawing.panels import TEXT, Sheet
from netgaze.drawing.rows import Columns
from netgaze.files import atomic_write
from netgaze.plots.sweep_curves import read_sweep
from netgaze.plots.sweep_picture import draw_sweep
from netgaze.results import average_repeats
from netgaze.runs import Row


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
    tasks = list(dict.fromkeys(str(row.get("task", "")) for row in rows))
    sources, targets = (list(dict.fromkeys(_end(row.get(key)) for row in rows)) for key in ("init", "data"))
    sheet = Sheet(1.3 + 0.45 * len(sources))
    sheet.text(0.1, 0.12, "Test accuracy: from what (rows) to what (columns)")
    columns = Columns(len(tasks), left=0.3 + 0.07 * max(map(len, sources)))
    for left, task in zip(columns.lefts, tasks, strict=True):
        values = np.full((len(sources), len(targets)), np.nan)
        chosen: dict[tuple[int, int], float] = {}
        for row in rows:
            cell = sources.index(_end(row.get("init"))), targets.index(_end(row.get("data")))
            if str(row.get("task", "")) == task and row["val/acc"] > chosen.get(cell, -1.0):
                chosen[cell], values[cell] = row["val/acc"], row["test/acc"]
        axes = sheet.axes(left, 0.75, columns.width, 0.45 * len(sources))
        axes.imshow(values, vmin=0, vmax=1, cmap="viridis", aspect="auto")
        axes.spines[:].set_visible(False)
        for (down, across), value in np.ndenumerate(values):
            words, color = ("-", "black") if np.isnan(value) else (f"{value:.3f}", "black" if value > 0.6 else "white")
            axes.text(across, down, words, ha="center", va="center", color=color, fontsize=TEXT)
        axes.set_xticks(range(len(targets)), targets)
        axes.set_yticks(range(len(sources)), sources if left == columns.lefts[0] else [""] * len(sources))
        axes.set_title(task, fontsize=TEXT)
    _save(sheet.figure, path)
    return True


def _save(figure: Figure, path: Path) -> None:
    with atomic_write(path) as beside:
        figure.savefig(beside, format="png", dpi=120)


def _end(value: Any) -> str:
    """A source or a set by the last part of its path; what starts from nothing is random."""
    return "random" if value in (None, "null") else str(value).rpartition("/")[2]
