"""Plots of pairs: histograms of their distances and ROC curves."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FormatStrFormatter, MaxNLocator, NullFormatter

from netgaze.drawing.panels import GRAY, RIGHT, WRONG, Sheet, choose_line
from netgaze.drawing.rows import Row
from netgaze.figure import Finding
from netgaze.measures.verification import FARS
from netgaze.measures.verification import Verification as Counted
from netgaze.text import format_value

_BARS, _ROC, _AXIS, _LEFT = 0.75, 1.65, 0.4, 0.42  # inches: plots' heights, below a plot, left of a curve
_MOST_BARS, _MOST_CORNERS = 40, 2000


def name_comparisons(findings: Iterable[Finding]) -> list[str]:
    """The comparisons of all networks, in order."""
    return list(dict.fromkeys(name for finding in findings for name in finding.numbers["comparisons"]))


def list_eers(finding: Finding) -> dict[str, float]:
    """The equal error rate of each comparison."""
    return {name: numbers["eer"] for name, numbers in finding.numbers["comparisons"].items()}


def has_threshold(finding: Finding) -> bool:
    """Whether there is a threshold to tell same from different people."""
    return finding.numbers["threshold"] is not None


def bin_distances(found: Counted) -> dict[str, np.ndarray]:
    """`edges` [b+1] of at most 40 bars around all pairs, and how many `same` and `different` pairs they hold, [b]."""
    filled = np.flatnonzero(found.same_histogram + found.different_histogram)
    step = -(-(filled[-1] + 1 - filled[0]) // _MOST_BARS)
    starts = np.arange(filled[0], filled[-1] + 1, step)
    return {
        "edges": found.edges[np.append(starts, min(starts[-1] + step, len(found.edges) - 1))],
        "same": np.add.reduceat(found.same_histogram, starts),
        "different": np.add.reduceat(found.different_histogram, starts),
    }


def trace_curve(found: Counted) -> dict[str, np.ndarray]:
    """`far` and `tar` [V] at no more than 2000 corners of the ROC curve, evenly in number and in log FAR."""
    far, tar, _ = found.curve()
    if len(far) > _MOST_CORNERS:
        evenly = np.linspace(0, len(far) - 1, _MOST_CORNERS // 2).round().astype(np.int64)
        fars = np.geomspace(1 / found.num_different, 1, _MOST_CORNERS // 2)
        kept = np.union1d(evenly, np.searchsorted(far, fars, side="right") - 1)
        far, tar = far[kept], tar[kept]
    return {"far": far, "tar": tar}


def make_histogram(finding: Finding, x: float, width: float, name: str, last: bool) -> Row:
    """Densities of same and different pairs, on one axis for all comparisons; only the last has an axis label."""
    height, compared = _BARS + (_AXIS if last else 0.12), finding.numbers["comparisons"]
    if name not in compared:
        return Row(height)
    threshold = [finding.numbers["threshold"]] if has_threshold(finding) else []
    reached = np.concatenate([*(finding.arrays[f"{each}/edges"][[0, -1]] for each in compared), threshold])
    margin = 0.02 * np.ptp(reached)
    limits = (reached.min() - margin, reached.max() + margin)

    def draw(sheet: Sheet, y: float) -> None:
        axes = sheet.axes(x, y, width - 0.05, _BARS, xlabel="distance" if last else "", xlim=limits, yticks=[])
        edges = finding.arrays[f"{name}/edges"]
        for kind, color in (("different", WRONG), ("same", RIGHT)):
            counts = finding.arrays[f"{name}/{kind}"]
            axes.stairs(counts / counts.sum() / np.diff(edges), edges, fill=True, color=color, alpha=0.55)
        for place in threshold:
            axes.axvline(place, color="black", linewidth=1.2)
        axes.spines["left"].set_visible(False)
        axes.tick_params(labelbottom=last)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.xaxis.set_major_formatter(FormatStrFormatter("%.4g"))

    return Row(height, draw)


def make_curves(finding: Finding, x: float, width: float, names: Sequence[str], least: float) -> Row:
    """ROC curves of the comparisons, TAR over FAR from `least` on, and chance."""

    def draw(sheet: Sheet, y: float) -> None:
        words: Any = {"xlabel": "FAR: different people accepted", "ylabel": "TAR: same people accepted"}
        limits: Any = {"xlim": (least, 1), "ylim": (0, 1.02), "yticks": [0, 0.5, 1]}
        axes = sheet.axes(x + _LEFT, y + 0.05, width - _LEFT - 0.1, _ROC, **words, xscale="log", **limits)
        decades = np.arange(0, np.log10(least) - 1e-9, -1 if least > 1e-5 else -2)
        axes.set_xticks(10.0**decades, [format_value(10.0**decade, 1) for decade in decades])
        axes.xaxis.set_minor_formatter(NullFormatter())
        fars = np.geomspace(least, 1, 100)
        axes.plot(fars, fars, color=GRAY, linestyle=":", linewidth=1)
        for place, name in enumerate(names):
            if name in finding.numbers["comparisons"]:
                for xs, ys, style in _trace_parts(finding, name):
                    axes.plot(xs, ys, **_choose_line(place) | style)

    return Row(_ROC + 0.05 + _AXIS, draw)


def _trace_parts(finding: Finding, name: str) -> Iterator[tuple[Any, Any, dict[str, Any]]]:
    """From the FAR of one different pair up; dashed below that of 30, which a rate needs; markers at the usual FARs."""
    numbers = finding.numbers["comparisons"][name]
    far, tar = finding.arrays[f"{name}/far"], finding.arrays[f"{name}/tar"]
    one, thirty = 1 / numbers["num_different"], min(1.0, 30 / numbers["num_different"])
    for low, high, style in ((one, thirty, "--"), (thirty, 1.0, "-")):
        inside = (far > low) & (far < high)
        xs = np.concatenate([[low], far[inside], [high]])
        ys = np.concatenate([_tar_at(far, tar, low), tar[inside], _tar_at(far, tar, high)])
        yield xs, ys, {"linestyle": style, "marker": ""}
    marks = {float(at): rate["value"] for at, rate in numbers["tar"].items() if rate["supported"]}
    yield list(marks), list(marks.values()), {"linestyle": ""}


def _tar_at(far: np.ndarray, tar: np.ndarray, limit: float) -> np.ndarray:
    """The TAR of the last corner whose FAR is within the limit, [1]."""
    return tar[[np.searchsorted(far, limit, side="right") - 1]]


def _choose_line(place: int) -> dict[str, Any]:
    """A comparison's style, in other colors than same and different; dashes are kept for too few pairs."""
    return choose_line(place + 2) | {"linestyle": "-"}


def make_color_handles(findings: Iterable[Finding]) -> Iterator[Any]:
    """The legend of the histograms."""
    for color, words in ((RIGHT, "same person"), (WRONG, "different people")):
        yield Patch(color=color, alpha=0.55, label=words)
    if any(map(has_threshold, findings)):
        yield Line2D([], [], color="black", linewidth=1.2, label="threshold (same person up to it)")


def make_line_handles(compared: Sequence[str]) -> Iterator[Any]:
    """The legend of the ROC curves."""
    sample, marks = partial(Line2D, [], []), f"markers: FAR {', '.join(FARS[:2])}, …"
    yield from (sample(**_choose_line(place), label=name) for place, name in enumerate(compared))
    yield sample(linestyle="", marker="o", markersize=4, color="black", label=marks)
    yield sample(linewidth=1.5, linestyle="--", color="black", label="fewer than 30 different pairs")
    yield sample(linewidth=1.0, linestyle=":", color=GRAY, label="chance")
