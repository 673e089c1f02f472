"""How did training go, epoch by epoch?"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from netgaze.drawing.panels import GRAY, RIGHT, SMALL, TEXT, WRONG, Sheet
from netgaze.drawing.rows import Columns, Row, lay_out, make_legend
from netgaze.figure import Figure, Finding
from netgaze.glossary import NUMBERS, Glossary, explain
from netgaze.subject import Subject

# One style for each line of a plot: solid blue for training, dashed vermilion for validation.
_STYLES: dict[str, Any] = {
    "train/loss": ("train", RIGHT, "-"),
    "val/loss": ("validation", WRONG, "--"),
    "train/acc": ("train", RIGHT, "-"),
    "val/acc": ("validation", WRONG, "--"),
    "val/knn20": ("kNN, k = 20", "#009E73", "-"),
    "val/knn200": ("kNN, k = 200", "#CC79A7", "--"),
    "lr": ("learning rate", GRAY, "-"),
}
_MEANINGS = {name: meaning for name in _STYLES if (meaning := explain(name, NUMBERS))}
_MEANINGS["val/acc"] = replace(_MEANINGS["val/acc"], words="val acc")
_ROWS = {
    "loss": ("train/loss", "val/loss"),
    "accuracy": ("train/acc", "val/acc"),
    "kNN accuracy\nof features": ("val/knn20", "val/knn200"),
    "learning rate": ("lr",),
}
_HEIGHT, _HEIGHTS, _BETWEEN = 1.7, {"learning rate": 0.8}, 0.3  # inches: plots, low ones, between them


class Curves(Figure):
    """Loss, accuracy, learning rate, and where it was asked the features' kNN accuracy, over epochs.

    Epochs count from 1, as in `history.csv`. The best epoch is the one whose weights the run kept (`best/epoch` of
    its metrics); where that is not known, the one with the highest validation accuracy.
    """

    title = "Learning curves"
    question = "How did loss and accuracy move over the epochs, and which epoch was best?"
    needs = ("history",)
    glossary = Glossary(
        {"best/epoch": NUMBERS["best/epoch"]}
        | {
            f"{end}/{name}": replace(meaning, words=f"{meaning.words}, {end} epoch")
            for end in ("best", "last")
            for name, meaning in _MEANINGS.items()
        }
    )

    def compute(self, subject: Subject) -> Finding:
        """Every number of the history over epochs; NaN where an epoch has none."""
        rows = subject.history
        names = ["epoch", *(name for name in _STYLES if any(_read_number(row, name) is not None for row in rows))]
        arrays = {name: np.array([_read_number(row, name) for row in rows], dtype=np.float64) for name in names}
        best = _find_best(arrays, subject.metrics or {})
        numbers: dict[str, float] = {}
        if rows:
            numbers["best/epoch"] = int(arrays["epoch"][best])
            for name in names[1:]:
                ends = {"best": arrays[name][best], "last": arrays[name][-1]}
                numbers |= {f"{end}/{name}": float(value) for end, value in ends.items() if np.isfinite(value)}
        return Finding(numbers, arrays, "The dotted line marks the best epoch by the validation split.")

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A column per run, a row per number; the axes of a row are the same."""
        there = {name for finding in findings.values() for name in finding.arrays}
        titles = [title for title, names in _ROWS.items() if there & set(names)]
        columns = Columns(len(findings), left=0.75, gap=0.45)
        rows = [
            make_legend([_make_handle(name) for name in _list_legend(there)], height=0.35, above=0.1, columns=6),
            columns.titles(findings),
            columns.captions(map(_describe, findings.values()), below=0.1),
        ]
        for title in titles:
            draw = partial(_draw_plots, columns=columns, findings=findings, title=title, last=title == titles[-1])
            rows.append(Row(_HEIGHTS.get(title, _HEIGHT) + _BETWEEN, draw))
        return lay_out([*rows, Row(0.25)])


def _read_number(row: dict, name: str) -> float | None:
    value = row.get(name)
    return None if value in (None, "") else float(value)


def _find_best(arrays: dict[str, np.ndarray], metrics: dict) -> int:
    kept = np.flatnonzero(arrays["epoch"] == metrics.get("best/epoch", -1))
    if len(kept):
        return int(kept[0])
    accuracy = arrays.get("val/acc", np.array([]))
    return int(np.nanargmax(accuracy)) if np.isfinite(accuracy).any() else -1


def _describe(finding: Finding) -> str:
    numbers = finding.numbers
    if "best/epoch" not in numbers:
        return "no epoch yet"
    known = [f"{name} {numbers[f'best/{name}']:.3f}" for name in ("val/loss", "val/acc") if f"best/{name}" in numbers]
    return f"best epoch {numbers['best/epoch']}\n{'  '.join(known)}"


def _list_legend(there: set[str]) -> list[str]:
    """A number for each of the legend's entries, of those that any network has."""
    names = [name for name in _STYLES if name in there and name != "lr"]
    return list({_STYLES[name][0]: name for name in names}.values())


def _make_handle(name: str) -> Line2D:
    label, color, style = _STYLES[name]
    return Line2D([], [], color=color, linestyle=style, label=label)


def _draw_plots(
    sheet: Sheet, y: float, columns: Columns, findings: Mapping[str, Finding], title: str, last: bool
) -> None:
    """A row of plots, one per network, with the same axes."""
    limits = _find_limits(findings, _ROWS[title])
    for x, finding in zip(columns.lefts, findings.values(), strict=True):
        axes = sheet.axes(x, y, columns.width, _HEIGHTS.get(title, _HEIGHT))
        _plot(axes, finding, _ROWS[title])
        axes.set_ylim(*limits)
        if x == columns.lefts[0]:
            axes.set_ylabel(title, fontsize=TEXT)
        if last:
            axes.set_xlabel("epoch", fontsize=TEXT)


def _plot(axes: Axes, finding: Finding, names: tuple[str, ...]) -> None:
    for name in names:
        if name in finding.arrays:
            known = np.isfinite(finding.arrays[name])
            marker = "o" if known.sum() < 15 else None
            _, color, style = _STYLES[name]
            epochs, values = finding.arrays["epoch"][known], finding.arrays[name][known]
            axes.plot(epochs, values, color=color, linestyle=style, marker=marker, markersize=2.5, linewidth=1.4)
    epochs = finding.arrays["epoch"]
    if not any(name in finding.arrays for name in names):
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", fontsize=TEXT, color=GRAY)
    if len(epochs):
        margin = 0.05 * (epochs.max() - epochs.min()) or 0.5
        axes.set_xlim(epochs.min() - margin, epochs.max() + margin)
        axes.axvline(finding.numbers["best/epoch"], color="black", linestyle=":", linewidth=1)
    axes.grid(alpha=0.25)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(labelsize=SMALL)


def _find_limits(findings: Mapping[str, Finding], names: tuple[str, ...]) -> tuple[float, float]:
    every = np.concatenate([finding.arrays.get(name, np.array([])) for finding in findings.values() for name in names])
    every = every[np.isfinite(every)]
    low, high = (every.min(), every.max()) if len(every) else (0.0, 1.0)
    margin = 0.06 * (high - low) or 0.05
    return low - margin, high + margin
