"""How students' accuracy over K is drawn: curves and level lines, and below them how many pseudo-labels are right."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from netgaze.drawing.line_key import Entry
from netgaze.drawing.panels import GRAY, TEXT
from netgaze.figures.k_series import Curve, Spread, spread

_TICK = 0.5  # inches that a K needs on its axis
# Told apart by every kind of sight (Okabe and Ito 2008), and by their markers without colors.
_COLORS, _MARKERS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"), "os^Dv*"
_LINES: tuple[Any, ...] = (":", (0, (1, 3)), (0, (3, 1, 1, 1, 1, 1)), (0, (8, 3)))
_RING: dict[str, Any] = {"marker": "o", "markersize": 11, "markerfacecolor": "none", "markeredgewidth": 1.2}


def _style(place: int, finetuned: bool = True) -> dict[str, Any]:
    color = _COLORS[place % len(_COLORS)]
    style = {"color": color, "marker": _MARKERS[place % len(_MARKERS)], "markersize": 4.5, "linewidth": 1.5}
    return style | ({"linestyle": "-"} if finetuned else {"linestyle": "--", "markerfacecolor": "white"})


def _levels(found: Sequence[Curve], lines: dict[str, Spread]) -> list[tuple[str, Spread, dict[str, Any]]]:
    """What lies level over all K: the teachers that differ, and runs without one, each with its name and style."""
    levels = list[tuple[str, Spread, dict[str, Any]]]()
    teachers = [curve for place, curve in enumerate(found) if _teacher(curve) not in map(_teacher, found[:place])]
    teachers = [curve for curve in teachers if curve.teachers]
    for curve in teachers:
        name = "teacher = supervised only" if curve.same_network else "teacher"
        name += f", {curve.name}" if len(teachers) > 1 else ""
        color = _COLORS[found.index(curve) % len(_COLORS)] if len(teachers) > 1 else "black"
        told = spread(curve.teachers)
        assert told is not None
        levels.append((name, told, {"color": color, "linestyle": "-.", "linewidth": 1.3}))
    for place, (name, told) in enumerate(lines.items()):
        levels.append((name, told, {"color": GRAY, "linestyle": _LINES[place % len(_LINES)], "linewidth": 1.5}))
    return levels


def _teacher(curve: Curve) -> tuple[Any, ...]:
    return curve.same_network, curve.teachers


def key_of(found: Sequence[Curve], lines: dict[str, Spread]) -> list[Entry]:
    """What the lines of both plots are."""
    entries: list[Entry] = []
    for place, curve in enumerate(found):
        after = f", {curve.name}" if curve.name else ""
        entries.append((_style(place), f"student, finetuned{after}"))
        if curve.points("student"):
            entries.append((_style(place, finetuned=False), f"before finetuning{after}"))
    for name, told, style in _levels(found, lines):
        runs = f" ({told.num} runs)" if told.num > 1 else ""
        entries.append((style, f"{name}:\n{told}{runs}"))
    if any(_is_chosen(curve) for curve in found):
        entries.append((_RING | {"linestyle": "", "color": "black"}, "best K by validation accuracy"))
    return entries


def plot_accuracy(axes: Axes, found: Sequence[Curve], lines: dict[str, Spread]) -> None:
    """Students over K, finetuned and before; level across it teachers and runs without one, with bands."""
    for _, told, style in _levels(found, lines):
        axes.axhline(told.mean, **style)
        if told.deviation:
            low, high = told.mean - told.deviation, told.mean + told.deviation
            axes.axhspan(low, high, color=style["color"], alpha=0.12, linewidth=0)
    for place, curve in enumerate(found):
        _plot_points(axes, curve.points("student"), _style(place, finetuned=False))
        _plot_points(axes, curve.points("acc"), _style(place))
        if _is_chosen(curve) and curve.best is not None:
            axes.plot(curve.best, curve.points("acc")[curve.best].mean, color=_style(place)["color"], **_RING)
    if not found:
        axes.text(0.5, 0.5, "no student", transform=axes.transAxes, ha="center", fontsize=TEXT, color=GRAY)
        axes.set_yticks([])
    axes.margins(y=0.08)
    axes.set_ylabel("test accuracy", fontsize=TEXT)


def plot_right(axes: Axes, found: Sequence[Curve]) -> None:
    """Share of right pseudo-labels over K."""
    for place, curve in enumerate(found):
        _plot_points(axes, curve.points("right"), _style(place))
    if not any(curve.points("right") for curve in found):
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", fontsize=TEXT, color=GRAY)
        axes.set_yticks([])
    axes.margins(y=0.12)
    axes.set_ylabel("share of right\npseudo-labels", fontsize=TEXT)
    axes.set_xlabel("K: pseudo-labels a class", fontsize=TEXT)


def _is_chosen(curve: Curve) -> bool:
    """Whether a best K was chosen among several."""
    return curve.best is not None and len(curve.runs) > 1


def _plot_points(axes: Axes, points: dict[int, Spread], style: dict[str, Any]) -> None:
    if points:
        bars = [point.deviation or 0.0 for point in points.values()]
        axes.errorbar(
            list(points), [point.mean for point in points.values()], bars if any(bars) else None, capsize=3, **style
        )


def set_ks(upper: Axes, lower: Axes, ks: Sequence[int], width: float) -> None:
    """The same axis of K for both plots, its numbers below the lower one; logarithmic from one order of size on."""
    upper.grid(alpha=0.25)
    lower.grid(alpha=0.25)
    if not ks:
        for axes in (upper, lower):
            axes.set_xticks([])
        return
    logarithmic = ks[-1] >= 10 * ks[0]
    at = np.log(ks) if logarithmic else np.array(ks, dtype=np.float64)
    margin = 0.06 * (at[-1] - at[0]) or 0.5 * at[0]
    low, high = at[0] - margin, at[-1] + margin
    named = _apart((at - low) / (high - low) * width)
    for axes in (upper, lower):
        axes.set_xscale("log" if logarithmic else "linear")
        axes.set_xlim(*(np.exp((low, high)) if logarithmic else (low, high)))
        axes.set_xticks(
            list(ks), [f"{k:,}" if show and axes is lower else "" for k, show in zip(ks, named, strict=True)]
        )
        axes.minorticks_off()


def _apart(places: np.ndarray) -> list[bool]:
    """Which of the places in inches [n], ascending, are far enough from the last one named to be named too."""
    shown, last = [], -np.inf
    for place in places:
        shown.append(place - last >= _TICK)
        last = place if shown[-1] else last
    return shown
