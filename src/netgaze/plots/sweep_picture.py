"""The picture of a sweep: curves over its number, what lies level, and beside them what the lines are."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from netgaze.drawing.line_key import Entry, draw_key, measure_key
from netgaze.drawing.panels import GRAY, SMALL, TEXT, WIDTH, Sheet
from netgaze.drawing.rows import Row, lay_out
from netgaze.drawing.words import measure_lines, wrap_words
from netgaze.plots.sweep_curves import Sweep
from netgaze.results import Spread

_LEFT, _WIDE, _TALL, _LOW, _GAP = 0.9, 5.4, 3.0, 1.5, 0.2  # inches: of the axes the left edge, width, heights, gaps
_TICK = 0.5  # inches that a number needs on its axis
_DODGE = 3.5  # points between the bars of two curves
# Told apart by every kind of sight (Okabe and Ito 2008), and by their markers without colors.
_COLORS, _MARKERS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"), "os^Dv*P"
_DASHES: tuple[Any, ...] = ("-", "--", ":", (0, (5, 1, 1, 1, 1, 1)), "-.")
_LEVELS: tuple[Any, ...] = (":", (0, (1, 3)), (0, (3, 1, 1, 1, 1, 1)), (0, (8, 3)))
_RING: dict[str, Any] = {"marker": "o", "markersize": 11, "markerfacecolor": "none", "markeredgewidth": 1.2}
_WORDS = {
    "test/acc": "test accuracy",
    "val/acc": "validation\naccuracy",
    "last/val_acc": "last epoch",
    "unlabeled/right": "share of right\npseudo-labels",
    "test/knn20": "kNN accuracy\nof features",
    "stages.pseudo_labels.task.k": "K: pseudo-labels per class",
}


def draw_sweep(sweep: Sweep) -> Figure:
    """Curves over a swept number, a color each: the test's number with earlier stages and other runs, then others.

    Repeated runs are one point: their mean, with the standard deviation as its bar, or as the band of a level line.
    """
    head, foot = _describe_best(sweep), _describe_runs(sweep)
    x, top = _LEFT + _WIDE + 0.25, (0.3 + measure_lines(head, TEXT) if head else 0.15)
    key, heights = _list_key(sweep), [_TALL] + [_LOW] * (len(sweep.panels) - 1)
    height = max(sum(heights) + _GAP * (len(heights) - 1) + 0.5, measure_key(key, WIDTH - x - 0.1))
    places = [top + sum(heights[:number]) + _GAP * number for number in range(len(heights))]

    def draw(sheet: Sheet, y: float) -> None:
        sheet.text(0.1, y + 0.12, head)
        panels = [sheet.axes(_LEFT, y + place, _WIDE, tall) for place, tall in zip(places, heights, strict=True)]
        for axes, names in zip(panels, sweep.panels, strict=True):
            _plot_panel(axes, sweep, names)
        _set_values(panels, sweep)
        draw_key(sheet, x, y + top, WIDTH - x - 0.1, key)
        sheet.text(0.1, y + top + height + 0.02, foot, SMALL, color=GRAY)

    return lay_out([Row(top + height + (measure_lines(foot, SMALL) + 0.1 if foot else 0.0), draw)])


def _style(sweep: Sweep, place: int, name: str) -> dict[str, Any]:
    """How a curve's number looks: a color and marker per curve; dashed where it is not the first of its axes."""
    others = ["", *(name for names in sweep.panels for name in names[1:])]
    second = others.index(name) if name in others else 0
    color, marker = _COLORS[place % len(_COLORS)], _MARKERS[place % len(_MARKERS)]
    style = {"color": color, "marker": marker, "markersize": 4.5, "linewidth": 1.5}
    return style | {"linestyle": _DASHES[second % len(_DASHES)]} | ({"markerfacecolor": "white"} if second else {})


def _list_levels(sweep: Sweep) -> dict[Spread, tuple[list[str], dict[str, Any]]]:
    """What lies level, with its names and how it looks: stages in black, or in their curves' colors; other runs."""
    found: dict[Spread, tuple[list[str], dict[str, Any]]] = {}
    for stage in dict.fromkeys(stage for curve in sweep.curves for stage in curve.levels):
        shared = len({curve.levels.get(stage) for curve in sweep.curves}) == 1
        for place, curve in enumerate(sweep.curves[:1] if shared else sweep.curves):
            if stage in curve.levels:
                name = _name_stage(stage) if shared or not curve.name else f"{_name_stage(stage)}, {curve.name}"
                style = _style(sweep, place, "") | {"marker": "", "linestyle": "-."}
                style |= {"color": "black"} if shared else {}
                found.setdefault(curve.levels[stage], ([], style))[0].append(name)
    for place, (name, spread) in enumerate(sweep.lines.items()):
        style = {"color": GRAY, "linestyle": _LEVELS[place % len(_LEVELS)], "linewidth": 1.5}
        found.setdefault(spread, ([], style))[0].append(name)
    return found


def _list_key(sweep: Sweep) -> list[Entry]:
    """What all lines are: colors are curves, dashes numbers that share axes with another."""
    others = [name for names in sweep.panels for name in names[1:]]
    staged = any(name != "last/val_acc" for name in others) or any(curve.levels for curve in sweep.curves)
    alone = "last stage" if staged else "best epoch"
    entries = [(_style(sweep, place, ""), curve.name or alone) for place, curve in enumerate(sweep.curves)]
    plain = {"color": "black", "marker": ""} if len(sweep.curves) > 1 else {}
    entries += [(_style(sweep, 0, name) | plain, _WORDS.get(name, _name_stage(name))) for name in others]
    for spread, (names, style) in _list_levels(sweep).items():
        runs = f" ({spread.num} runs)" if spread.num > 1 else ""
        entries.append((style, f"{' and '.join(names)}:\n{spread}{runs}"))
    if any(curve.best is not None for curve in sweep.curves):
        entries.append((_RING | {"linestyle": "", "color": "black"}, "best by validation"))
    return entries


def _plot_panel(axes: Axes, sweep: Sweep, names: tuple[str, ...]) -> None:
    """The curves of some numbers; with the test's, what lies level, and a ring around the best."""
    for spread, (_, style) in _list_levels(sweep).items() if names[0] == sweep.test else ():
        axes.axhline(spread.mean, **style)
        if spread.std:
            axes.axhspan(*spread.ends, color=style["color"], alpha=0.12, linewidth=0)
    lines = [(place, name) for place, curve in enumerate(sweep.curves) for name in names if curve.points[name]]
    repeated = any(spread.std for place, name in lines for spread in sweep.curves[place].points[name].values())
    for number, (place, name) in enumerate(lines):
        points, best = sweep.curves[place].points[name], sweep.curves[place].best
        aside = _DODGE / 72 * (number - (len(lines) - 1) / 2) if repeated else 0.0  # so that bars lie side by side
        moved = axes.transData + ScaledTranslation(aside, 0, axes.figure.dpi_scale_trans)
        means, bars = zip(*((spread.mean, spread.std or 0.0) for spread in points.values()), strict=True)
        style = _style(sweep, place, name) | {"transform": moved, "capsize": 2.5}
        axes.errorbar(list(points), means, bars if any(bars) else None, **style)
        if name == sweep.test and best in points:
            axes.plot(best, points[best].mean, color=style["color"], transform=moved, **_RING)
        # What is moved aside does not stretch the axes by itself.
        axes.update_datalim([(value, end) for value, spread in points.items() for end in spread.ends])
    axes.margins(y=0.08)
    axes.grid(alpha=0.25)
    axes.set_ylabel(_WORDS.get(names[0], names[0]), fontsize=TEXT)


def _set_values(panels: Sequence[Axes], sweep: Sweep) -> None:
    """The same axis for all panels, its numbers below the last; logarithmic from one order of size on."""
    every = [points for curve in sweep.curves for points in curve.points.values()]
    values = sorted({value for points in every for value in points})
    logarithmic = 0 < 10 * values[0] <= values[-1]
    at = np.log(values) if logarithmic else np.array(values)
    margin = 0.06 * (at[-1] - at[0])
    low, high = at[0] - margin, at[-1] + margin
    names, last = [], -np.inf
    for value, place in zip(values, (at - low) / (high - low) * _WIDE, strict=True):
        names.append(f"{value:,g}" if place - last >= _TICK else "")  # else it would lie on the one before it
        last = place if names[-1] else last
    for axes in panels:
        axes.set_xscale("log" if logarithmic else "linear")
        axes.set_xlim(*(np.exp((low, high)) if logarithmic else (low, high)))
        axes.set_xticks(values, names if axes is panels[-1] else [""] * len(names))
        axes.minorticks_off()
    panels[-1].set_xlabel(_WORDS.get(sweep.key, sweep.key), fontsize=TEXT)


def _describe_best(sweep: Sweep) -> str:
    """Of each curve the best by validation, and what its test found."""
    lines = []
    for curve in sweep.curves:
        if curve.best is None:
            continue
        best = f"{curve.name}: best" if curve.name else "Best"
        line = f"{best} {sweep.key.rpartition('.')[2]} by validation: {curve.best:,g}"
        if test := curve.points.get(sweep.test, {}).get(curve.best):
            line += f", {_WORDS.get(sweep.test, sweep.test)} {test} ({test.num} run{'s' if test.num > 1 else ''})"
        lines.append(
            ", ".join([line, *(f"gain over its {_name_stage(name)} {gain}" for name, gain in curve.gains.items())])
        )
    return wrap_words("\n".join(lines), WIDTH - 0.2, TEXT)


def _describe_runs(sweep: Sweep) -> str:
    """What a point is, and which runs are left out: one sentence per reason, naming all that it keeps out."""
    every = [points for curve in sweep.curves for points in curve.points.values()]
    said = []
    if any(spread.num > 1 for points in every for spread in points.values()):
        said = ["Points are means over repetitions, bars and bands their standard deviations (n - 1)."]
    for why in dict.fromkeys(sweep.left_out.values()):
        runs = ", ".join(label for label, reason in sweep.left_out.items() if reason == why)
        said.append(f"Not counted: {runs} ({why}).")
    return wrap_words("\n".join(said), WIDTH - 0.2, SMALL)


def _name_stage(name: str) -> str:
    return name.partition("/")[0]
