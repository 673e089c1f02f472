"""The picture of a sweep: curves over its number, level lines, and a key beside them."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import ScaledTranslation

from netgaze.drawing.line_key import Entry, make_key
from netgaze.drawing.panels import DASHES, GRAY, SMALL, TEXT, WIDTH, Sheet, choose_line
from netgaze.drawing.rows import Row, align, lay_out, make_text, stack
from netgaze.drawing.words import wrap_words
from netgaze.plots.sweep_curves import Sweep
from netgaze.results import Spread
from netgaze.text import count_of

_LEFT, _WIDE, _TALL, _LOW, _GAP = 0.9, 5.4, 3.0, 1.5, 0.2  # inches: of the axes the left edge, width, heights, gaps
_KEY = _LEFT + _WIDE + 0.25  # inches: the left edge of the key
_TICK = 0.5  # inches that a number needs on its axis
_DODGE = 3.5  # points between the bars of two curves
_RING: dict[str, Any] = {"marker": "o", "markersize": 11, "markerfacecolor": "none", "markeredgewidth": 1.2}
_WORDS = {
    "test/acc": "test accuracy",
    "val/acc": "validation\naccuracy",
    "last/val_acc": "last epoch",
    "unlabeled/right": "correct\npseudo-labels",
    "test/knn20": "20-neighbor\naccuracy",
    "stages.pseudo_labels.task.k": "K: pseudo-labels per class",
}


def draw_sweep(sweep: Sweep) -> Figure:
    """Curves over a swept number, a color each: the test's number with earlier stages and other runs, then others.

    Repeated runs are one point: their mean, with the standard deviation as its bar, or as the band of a level line.
    """
    axis = _choose_axis(sweep)
    panels = (_make_panel(sweep, number, **axis) for number in range(len(sweep.panels)))
    rows = [Row(0.12), *_make_words(_describe_best(sweep), TEXT, below=0.18), Row(0.03)]
    rows += [align([stack(panels, _GAP), make_key(_KEY, WIDTH - _KEY - 0.1, _list_key(sweep))])]
    return lay_out([*rows, *_make_words(_describe_runs(sweep), SMALL, below=0.08, color=GRAY)])


def _make_words(lines: Iterable[str], size: float, **style: Any) -> list[Row]:
    words = wrap_words("\n".join(lines), WIDTH - 0.2, size)
    return [make_text(words, size=size, **style)] if words else []


def _make_panel(sweep: Sweep, number: int, ticks: dict[float, str], **axis: Any) -> Row:
    """The axes of a panel's numbers: the first one high, the last one with words below."""
    height, names = _LOW if number else _TALL, sweep.panels[number]
    words, last = {"ylabel": _WORDS.get(names[0], names[0])}, number == len(sweep.panels) - 1
    words |= {"xlabel": _WORDS.get(sweep.key, sweep.key)} if last else {}

    def draw(sheet: Sheet, y: float) -> None:
        axes = sheet.axes(_LEFT, y, _WIDE, height, size=TEXT, **words, **axis)
        axes.set_xticks(list(ticks), ticks.values() if last else [""] * len(ticks))
        axes.minorticks_off()
        axes.margins(y=0.08)
        axes.grid(alpha=0.25)
        _plot_levels(axes, sweep, names)
        _plot_curves(axes, sweep, names)

    return Row(height + (0.5 if last else 0.0), draw)


def _choose_axis(sweep: Sweep) -> dict[str, Any]:
    """The same axis for all panels: limits, scale (logarithmic from one order of size on), ticks with their words."""
    values = sorted({value for curve in sweep.curves for points in curve.points.values() for value in points})
    logarithmic = 0 < 10 * values[0] <= values[-1]
    at = np.log(values) if logarithmic else np.array(values)
    low, high = at[0] - 0.06 * np.ptp(at), at[-1] + 0.06 * np.ptp(at)
    ticks, last = {}, -np.inf
    for value, place in zip(values, (at - low) / (high - low) * _WIDE, strict=True):
        ticks[value] = f"{value:,g}" if place - last >= _TICK else ""  # else it would lie on the one before it
        last = place if ticks[value] else last
    limits = np.exp((low, high)) if logarithmic else (low, high)
    return {"xscale": "log" if logarithmic else "linear", "xlim": limits, "ticks": ticks}


def _choose_style(sweep: Sweep, place: int, name: str) -> dict[str, Any]:
    """How a curve's number looks: a color and marker per curve; dashed where it is not the first of its axes."""
    others = ["", *(name for names in sweep.panels for name in names[1:])]
    second = others.index(name) if name in others else 0
    dashes = {"linestyle": DASHES[second % len(DASHES)]}
    return choose_line(place) | dashes | ({"markerfacecolor": "white"} if second else {})


def _list_levels(sweep: Sweep) -> dict[Spread, tuple[list[str], dict[str, Any]]]:
    """What lies level, with its names and how it looks: stages in black, or in their curves' colors; other runs."""
    found: dict[Spread, tuple[list[str], dict[str, Any]]] = {}
    for stage in dict.fromkeys(stage for curve in sweep.curves for stage in curve.levels):
        shared = len({curve.levels.get(stage) for curve in sweep.curves}) == 1
        for place, curve in enumerate(sweep.curves[:1] if shared else sweep.curves):
            if stage in curve.levels:
                name = _name_stage(stage) if shared or not curve.name else f"{_name_stage(stage)}, {curve.name}"
                style = _choose_style(sweep, place, "") | {"marker": "", "linestyle": DASHES[-1]}
                style |= {"color": "black"} if shared else {}
                found.setdefault(curve.levels[stage], ([], style))[0].append(name)
    for place, (name, spread) in enumerate(sweep.lines.items()):
        style = {"color": GRAY, "linestyle": DASHES[3 - place % 4], "linewidth": 1.5}
        found.setdefault(spread, ([], style))[0].append(name)
    return found


def _list_key(sweep: Sweep) -> list[Entry]:
    """What all lines are: colors are curves, dashes numbers that share axes with another."""
    others = [name for names in sweep.panels for name in names[1:]]
    staged = any(name != "last/val_acc" for name in others) or any(curve.levels for curve in sweep.curves)
    alone = "last stage" if staged else "best epoch"
    entries = [(_choose_style(sweep, place, ""), curve.name or alone) for place, curve in enumerate(sweep.curves)]
    plain = {"color": "black", "marker": ""} if len(sweep.curves) > 1 else {}
    entries += [(_choose_style(sweep, 0, name) | plain, _WORDS.get(name, _name_stage(name))) for name in others]
    for spread, (names, style) in _list_levels(sweep).items():
        runs = f" ({spread.num} runs)" if spread.num > 1 else ""
        entries.append((style, f"{' and '.join(names)}:\n{spread.show(sweep.test)}{runs}"))
    if any(curve.best is not None for curve in sweep.curves):
        entries.append((_RING | {"linestyle": "", "color": "black"}, "best by validation"))
    return entries


def _plot_levels(axes: Axes, sweep: Sweep, names: tuple[str, ...]) -> None:
    """Level lines beside the test's curves, with their standard deviations."""
    for spread, (_, style) in _list_levels(sweep).items() if names[0] == sweep.test else ():
        axes.axhline(spread.mean, **style)
        if spread.std:
            axes.axhspan(*spread.ends, color=style["color"], alpha=0.12, linewidth=0)


def _plot_curves(axes: Axes, sweep: Sweep, names: tuple[str, ...]) -> None:
    """The curves of some numbers; on those of the test a ring around the best."""
    lines = [(place, name) for place, curve in enumerate(sweep.curves) for name in names if curve.points[name]]
    repeated = any(spread.std for place, name in lines for spread in sweep.curves[place].points[name].values())
    for number, (place, name) in enumerate(lines):
        points, best = sweep.curves[place].points[name], sweep.curves[place].best
        aside = _DODGE / 72 * (number - (len(lines) - 1) / 2) if repeated else 0.0  # so that bars lie side by side
        moved = axes.transData + ScaledTranslation(aside, 0, axes.figure.dpi_scale_trans)
        means, bars = zip(*((spread.mean, spread.std or 0.0) for spread in points.values()), strict=True)
        style = _choose_style(sweep, place, name) | {"transform": moved, "capsize": 2.5}
        axes.errorbar(list(points), means, bars if any(bars) else None, **style)
        if name == sweep.test and best in points:
            axes.plot(best, points[best].mean, color=style["color"], transform=moved, **_RING)
        # What is moved aside does not stretch the axes by itself.
        axes.update_datalim([(value, end) for value, spread in points.items() for end in spread.ends])


def _describe_best(sweep: Sweep) -> Iterator[str]:
    """The best value of each curve by validation, and its test accuracy."""
    for curve in sweep.curves:
        if curve.best is None:
            continue
        best = f"{curve.name}: best" if curve.name else "Best"
        parts = [f"{best} {sweep.key.rpartition('.')[2]} by validation: {curve.best:,g}"]
        if test := curve.points.get(sweep.test, {}).get(curve.best):
            parts += [f"{_WORDS.get(sweep.test, sweep.test)} {test.show(sweep.test)} ({count_of(test.num, 'run')})"]
        for name, gain in curve.gains.items():
            parts += [f"gain over its {_name_stage(name)} {gain.show(sweep.test).replace('%', ' points')}"]
        yield ", ".join(parts)


def _describe_runs(sweep: Sweep) -> Iterator[str]:
    """What a point is, and which runs are left out: one sentence per reason, naming all of them."""
    every = [points for curve in sweep.curves for points in curve.points.values()]
    if any(spread.num > 1 for points in every for spread in points.values()):
        yield "Points are means over repeated runs, bars and bands their standard deviations (n - 1)."
    for why in dict.fromkeys(sweep.left_out.values()):
        runs = ", ".join(label for label, reason in sweep.left_out.items() if reason == why)
        yield f"Left out: {runs} ({why})."


def _name_stage(name: str) -> str:
    return name.partition("/")[0]
