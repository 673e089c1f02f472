"""What is plotted of pairs: histograms of their distances and ROC curves."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FormatStrFormatter, LogFormatterMathtext, MaxNLocator, NullFormatter

from netgaze.drawing.panels import GRAY, RIGHT, WRONG
from netgaze.figure import Finding
from netgaze.measures.verification import FARS
from netgaze.measures.verification import Verification as Counted

_MOST_BARS, _MOST_CORNERS = 40, 2000
# Told apart by every kind of sight, and from the colors of same and different.
_LINES = ("black", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#666666")


def name_comparisons(findings: Mapping[str, Finding]) -> list[str]:
    """The comparisons of any of the networks, in order."""
    return list(dict.fromkeys(name for finding in findings.values() for name in finding.numbers["comparisons"]))


def list_comparisons(finding: Finding) -> dict[str, dict[str, Any]]:
    """The numbers of each comparison."""
    numbers: dict[str, dict[str, Any]] = finding.numbers["comparisons"]
    return numbers


def list_eers(finding: Finding) -> dict[str, float]:
    """The equal error rate of each comparison."""
    return {name: numbers["eer"] for name, numbers in list_comparisons(finding).items()}


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
    """`far` and `tar` [V] at no more than 2000 corners of the ROC curve: even in number and in the FAR's decades."""
    far, tar, _ = found.curve()
    if len(far) > _MOST_CORNERS:
        evenly = np.linspace(0, len(far) - 1, _MOST_CORNERS // 2).round().astype(np.int64)
        fars = np.geomspace(1 / found.num_different, 1, _MOST_CORNERS // 2)
        kept = np.union1d(evenly, np.searchsorted(far, fars, side="right") - 1)
        far, tar = far[kept], tar[kept]
    return {"far": far, "tar": tar}


def draw_bars(axes: Axes, finding: Finding, name: str) -> None:
    """Densities of same and different pairs, on the distances of all comparisons."""
    edges = finding.arrays[f"{name}/edges"]
    for kind, color in (("different", WRONG), ("same", RIGHT)):
        counts = finding.arrays[f"{name}/{kind}"]
        axes.stairs(counts / counts.sum() / np.diff(edges), edges, fill=True, color=color, alpha=0.55)
    threshold = finding.numbers["threshold"]
    if threshold is not None:
        axes.axvline(threshold, color="black", linewidth=1.2)
    shown = [finding.arrays[f"{each}/edges"][[0, -1]] for each in list_comparisons(finding)]
    shown += [] if threshold is None else [np.array([threshold])]
    low, high = (float(reach(np.concatenate(shown))) for reach in (np.min, np.max))
    axes.set(xlim=(low - 0.02 * (high - low), high + 0.02 * (high - low)), yticks=[])
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FormatStrFormatter("%.4g"))


class _Powers(LogFormatterMathtext):
    """Powers of ten, but for 1."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return "1" if x == 1 else f"$10^{{{np.log10(x):.0f}}}$"


def draw_chance(axes: Axes, least: float) -> None:
    """The axes of a ROC curve, with the curve of lots."""
    fars = np.geomspace(least, 1, 100)
    axes.plot(fars, fars, color=GRAY, linestyle=":", linewidth=1)
    decades = np.arange(0, np.log10(least) - 1e-9, -1 if least > 1e-5 else -2)
    axes.set(xscale="log", xlim=(least, 1), ylim=(0, 1.02), yticks=[0, 0.5, 1])
    axes.set_xticks(10.0**decades)
    axes.xaxis.set_major_formatter(_Powers())
    axes.xaxis.set_minor_formatter(NullFormatter())


def draw_curve(axes: Axes, finding: Finding, name: str, place: int) -> None:
    """From the FAR of one different pair up; dashed below that of 30, which a rate needs; dots at the usual FARs."""
    numbers, color = list_comparisons(finding)[name], _LINES[place % len(_LINES)]
    far, tar = finding.arrays[f"{name}/far"], finding.arrays[f"{name}/tar"]
    one, thirty = 1 / numbers["num_different"], min(1.0, 30 / numbers["num_different"])
    for low, high, style in ((one, thirty, "--"), (thirty, 1.0, "-")):
        inside = (far > low) & (far < high)
        xs = np.concatenate([[low], far[inside], [high]])
        ys = np.concatenate([_tar_at(far, tar, low), tar[inside], _tar_at(far, tar, high)])
        axes.plot(xs, ys, color=color, linestyle=style, linewidth=1.3)
    dots = {float(at): rate["value"] for at, rate in numbers["tar"].items() if rate["supported"]}
    axes.plot(list(dots), list(dots.values()), "o", color=color, markersize=3.5)


def _tar_at(far: np.ndarray, tar: np.ndarray, limit: float) -> np.ndarray:
    """The TAR of the last corner whose FAR is within the limit, [1]."""
    return tar[[np.searchsorted(far, limit, side="right") - 1]]


def make_color_handles(findings: Iterable[Finding]) -> list[Any]:
    """What a legend of the histograms says."""
    handles: list[Any] = [
        Patch(color=RIGHT, alpha=0.55, label="same person"),
        Patch(color=WRONG, alpha=0.55, label="different people"),
    ]
    if any(finding.numbers["threshold"] is not None for finding in findings):
        handles.append(Line2D([], [], color="black", linewidth=1.2, label="threshold: up to it the same"))
    return handles


def make_line_handles(compared: Sequence[str]) -> list[Any]:
    """What a legend of the ROC curves says."""
    handles = [
        Line2D([], [], linewidth=1.3, color=_LINES[place % len(_LINES)], label=name)
        for place, name in enumerate(compared)
    ]
    dots = f"at FAR {', '.join(FARS[:2])}, …"
    return [
        *handles,
        Line2D([], [], linestyle="", marker="o", markersize=3.5, color="black", label=dots),
        Line2D([], [], linewidth=1.3, linestyle="--", color="black", label="fewer than 30 different pairs"),
        Line2D([], [], linewidth=1.0, linestyle=":", color=GRAY, label="chance"),
    ]
