"""How did training go, epoch by epoch?"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from netgaze.drawing.line_plot import Line, make_line_plot
from netgaze.drawing.panels import GRAY, TEXT, Sheet, choose_line
from netgaze.drawing.rows import Columns, Row, lay_out, make_bands, make_legend
from netgaze.figure import Figure, Finding
from netgaze.glossary import NUMBERS, Glossary, explain, format_number
from netgaze.page.parts import Explored
from netgaze.subject import Subject

_PLOTS = {
    "loss": ("train/loss", "val/loss"),
    "accuracy": ("train/acc", "val/acc"),
    "accuracy\nfrom features": ("val/knn20", "val/knn200", "val/probe"),
    "effective rank": ("val/rank", "val/rankme"),
    "spread of\ndirections": ("val/feature_std", "train/embedding_std"),
    "alignment": ("val/alignment",),
    "uniformity": ("val/uniformity",),
    "loss terms": ("train/invariance", "train/variance", "train/covariance"),
    "SIGReg": ("train/sigreg",),
    "learning rate": ("lr",),
}
_LEGEND = {  # the label of each number's line, and its place among the lines of a plot
    "train/loss": ("train", 0),
    "val/loss": ("validation", 1),
    "train/acc": ("train", 0),
    "val/acc": ("validation", 1),
    "val/knn20": ("20 neighbors", 2),
    "val/knn200": ("200 neighbors", 3),
    "val/probe": ("linear probe", 4),
    "val/rank": ("rank, centered", 5),
    "val/rankme": ("RankMe", 6),
    "val/feature_std": ("features", 7),
    "train/embedding_std": ("projections, train", 8),
    "train/invariance": ("invariance", 9),
    "train/variance": ("variance", 10),
    "train/covariance": ("covariance", 11),
}
_CAPTION = {"val/loss": "validation loss", "val/acc": "validation accuracy"}
_NAMES = [name for names in _PLOTS.values() for name in names]
_MEANINGS = {name: meaning for name in _NAMES if (meaning := explain(name, NUMBERS))}
_MEANINGS["val/acc"] = replace(
    _MEANINGS["val/acc"],
    words="validation accuracy",
    says="Share of validation examples classified correctly; at the best epoch slightly too high, as it chose that.",
)
_TOGETHER = {"val/knn20": "20-neighbor accuracy"}  # in one plot, if several networks have it
_HEIGHT, _LOW, _BETWEEN = 1.7, 0.8, 0.3  # inches: a plot, that of the learning rate, between them
_MOST_MARKED = 15  # epochs whose values are marked


class Curves(Figure):
    """Loss, accuracy, learning rate, and the accuracy of neighbors or a probe if it was measured, over epochs.

    Epochs count from 1, as in `history.csv`. The best epoch is the one whose weights the run kept (`best/epoch` of
    its metrics); where that is not known, the one with the highest validation accuracy.
    """

    title = "Learning curves"
    question = "How did loss and accuracy change over the epochs, and which epoch was best?"
    look_for = (
        "Compare training and validation: a growing gap is overfitting, two poor curves close together are "
        "underfitting. See whether the curves are still improving at the end, and how they follow the learning rate."
    )
    pitfall = (
        "Training numbers are means over an epoch of augmented images, so validation may look better than training. "
        "The best epoch was chosen on the validation split, whose accuracy there is slightly too high. Losses of "
        "different tasks, and accuracies at different tasks, do not compare; the features' 20-neighbor accuracy does."
    )
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
        names = ["epoch", *(name for name in _NAMES if any(_read_number(row, name) is not None for row in rows))]
        arrays = {name: np.array([_read_number(row, name) for row in rows], dtype=np.float64) for name in names}
        best = _find_best(arrays, subject.metrics or {})
        numbers: dict[str, float] = {}
        if rows:
            numbers["best/epoch"] = int(arrays["epoch"][best])
            for name in names[1:]:
                ends = {"best": arrays[name][best], "last": arrays[name][-1]}
                numbers |= {f"{end}/{name}": float(value) for end, value in ends.items() if np.isfinite(value)}
        return Finding(numbers, arrays, "The dotted line marks the best epoch, chosen on the validation split.")

    def explore(self, finding: Finding) -> Explored:
        """Each number over epochs."""
        arrays = finding.arrays
        series: dict[str, Any] = {}
        for name in [name for name in _NAMES if name in arrays]:
            known, meaning = np.isfinite(arrays[name]), _MEANINGS.get(name)
            series[name] = {"x": arrays["epoch"][known].tolist(), "y": arrays[name][known].tolist()}
            series[name] |= {"words": meaning.words if meaning else name, "unit": meaning.unit if meaning else ""}
        return {"run": {"series": series}} if series else {}

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """One column per run, one row per number; all plots of a number have the same axes."""
        there = {name for finding in findings.values() for name in finding.arrays}
        titles = [title for title, names in _PLOTS.items() if there & set(names)]
        limits = {title: _find_limits(findings, _PLOTS[title]) for title in titles}
        handles = [Line2D([], [], label=label, **style) for label, style in _list_legend(there).items()]

        def make_rows(band: Mapping[str, Finding], columns: Columns) -> Iterator[Row]:
            yield columns.titles(band)
            yield columns.captions(map(_describe, band.values()), below=0.1)
            for title in titles:
                yield _make_plots(band, columns, title, limits[title], is_last=title == titles[-1])
            yield Row(0.25)

        legend = make_legend(handles, height=0.15 + 0.2 * -(-len(handles) // 6), above=0.1, columns=6)
        together = [_draw_together(findings, name) for name in _TOGETHER if _count(findings, name) > 1]
        return lay_out([*together, legend, make_bands(findings, make_rows, left=0.75, gap=0.4)])


def _count(findings: Mapping[str, Finding], name: str) -> int:
    """The number of networks that have a number."""
    return sum(bool(np.isfinite(finding.arrays.get(name, [])).any()) for finding in findings.values())


def _draw_together(findings: Mapping[str, Finding], name: str) -> Row:
    """A number of all networks in one plot, over epochs, or over their share if their numbers differ."""
    known = {label: finding for label, finding in findings.items() if np.isfinite(finding.arrays.get(name, [])).any()}
    lengths = {float(finding.arrays["epoch"][-1]) for finding in findings.values() if len(finding.arrays["epoch"])}
    lines = []
    for label, finding in known.items():
        there = np.isfinite(finding.arrays[name])
        epochs, values = finding.arrays["epoch"], finding.arrays[name][there]
        across = epochs[there] if len(lengths) == 1 else epochs[there] / epochs[-1]
        meaning = _MEANINGS[name]
        lines.append(Line(f"{label}: {format_number(float(values[-1]), meaning)} at the end", across, values))
    words = {"xlabel": "epoch" if len(lengths) == 1 else "share of training", "ylabel": _TOGETHER[name]}
    return make_line_plot(lines, 2.4, words)


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
        return "no epoch finished yet"
    known = {name: numbers[f"best/{name}"] for name in _CAPTION if f"best/{name}" in numbers}
    lines = [f"{_CAPTION[name]} {format_number(value, _MEANINGS[name])}" for name, value in known.items()]
    return "\n".join([f"best epoch {numbers['best/epoch']}", *lines])


def _list_legend(there: Collection[str]) -> dict[str, dict[str, Any]]:
    """The styles of the lines that any network has, by their labels."""
    return {label: choose_line(place) | {"marker": ""} for name, (label, place) in _LEGEND.items() if name in there}


def _make_plots(
    findings: Mapping[str, Finding], columns: Columns, title: str, limits: tuple[float, float], is_last: bool
) -> Row:
    """A row of plots, one per network, with the same axes."""
    height = _LOW if title == "learning rate" else _HEIGHT

    xlabel = "epoch" if is_last else ""

    def draw(sheet: Sheet, y: float) -> None:
        for x, finding in zip(columns.lefts, findings.values(), strict=True):
            ylabel = title if x == columns.lefts[0] else ""
            axes = sheet.axes(x, y, columns.width, height, ylim=limits, xlabel=xlabel, ylabel=ylabel, size=TEXT)
            _plot(axes, finding, _PLOTS[title])
            if title.startswith("accuracy"):
                axes.yaxis.set_major_formatter(PercentFormatter(1))

    return Row(height + _BETWEEN, draw)


def _plot(axes: Axes, finding: Finding, names: Sequence[str]) -> None:
    axes.grid(alpha=0.25)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    epochs = finding.arrays["epoch"]
    there = [name for name in names if name in finding.arrays]
    if not there:
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", fontsize=TEXT, color=GRAY)
    for name in there:
        known = np.isfinite(finding.arrays[name])
        style = choose_line(_LEGEND[name][1]) if name in _LEGEND else choose_line(0) | {"color": GRAY}
        style |= {"marker": ""} if known.sum() >= _MOST_MARKED else {}
        axes.plot(epochs[known], finding.arrays[name][known], **style)
    if len(epochs):
        margin = 0.05 * (epochs.max() - epochs.min()) or 0.5
        axes.set_xlim(epochs.min() - margin, epochs.max() + margin)
    if there and len(epochs):
        axes.axvline(finding.numbers["best/epoch"], color="black", linestyle=":", linewidth=1)


def _find_limits(findings: Mapping[str, Finding], names: Sequence[str]) -> tuple[float, float]:
    every = np.concatenate([finding.arrays.get(name, np.array([])) for finding in findings.values() for name in names])
    every = every[np.isfinite(every)]
    low, high = (every.min(), every.max()) if len(every) else (0.0, 1.0)
    margin = 0.06 * (high - low) or 0.05
    return low - margin, high + margin
