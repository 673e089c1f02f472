"""Share of correct pseudo-labels by tenths of rank: a line per network, with a key."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from netgaze.drawing.line_key import Entry, make_key
from netgaze.drawing.panels import GRAY, TEXT, WIDTH, Sheet, choose_line
from netgaze.drawing.rows import Row, align, stack
from netgaze.figure import Finding

TENTHS = 10

_LEFT, _HEIGHT, _WIDTH = 0.65, 2.0, 4.8  # inches: the plot's left edge, its height and width
_KEY = _LEFT + _WIDTH + 0.25  # inches: the left edge of the key


def make_plot(findings: Mapping[str, Finding]) -> Row:
    """The plot, and its key beside it."""
    key = make_key(_KEY, WIDTH - _KEY - 0.1, _list_entries(findings))
    return stack([Row(0.15), align([_make_axes(findings), key]), Row(0.2)])


def _make_axes(findings: Mapping[str, Finding]) -> Row:
    words: Any = {
        "xlabel": "tenth of a class's images by score, highest first",
        "ylabel": "share correct (mean over classes)",
    }
    limits: Any = {"xlim": (0, TENTHS), "ylim": (-0.03, 1.03), "yticks": [0, 0.25, 0.5, 0.75, 1]}

    def draw(sheet: Sheet, y: float) -> None:
        axes = sheet.axes(_LEFT, y, _WIDTH, _HEIGHT, size=TEXT, **words, **limits)
        axes.set_xticks(np.arange(TENTHS) + 0.5, ["first", *map(str, range(2, TENTHS)), "last"])
        axes.grid(alpha=0.25)
        _plot(axes, findings)

    return Row(_HEIGHT + 0.4, draw)


def _plot(axes: Axes, findings: Mapping[str, Finding]) -> None:
    """Share of correct pseudo-labels by tenths of rank: the mean over classes, and the middle half of the classes."""
    for place, finding in enumerate(findings.values()):
        known = np.flatnonzero(np.isfinite(finding.arrays["tenths"]).any(axis=0))
        tenths, style = finding.arrays["tenths"][:, known], choose_line(place)
        if len(known):
            low, high = np.nanquantile(tenths, (0.25, 0.75), axis=0)
            axes.fill_between(known + 0.5, low, high, color=style["color"], alpha=0.15, linewidth=0)
            axes.plot(known + 0.5, np.nanmean(tenths, axis=0), **style)
    for chance in _list_chances(findings):
        axes.axhline(chance, color=GRAY, linestyle=":", linewidth=1.2)
    if not any(finding.numbers["images"] for finding in findings.values()):
        axes.text(0.5, 0.5, "no images", transform=axes.transAxes, ha="center", fontsize=TEXT, color=GRAY)


def _list_entries(findings: Mapping[str, Finding]) -> list[Entry]:
    """The plot's lines and their totals."""
    entries: list[Entry] = []
    for place, (label, finding) in enumerate(findings.items()):
        numbers = finding.numbers
        words = "no images"
        if numbers["images"]:
            first, last = (f"{numbers[f'share_right_{end}_tenth']:.0%}" for end in ("first", "last"))
            words = f"{numbers['share_right']:.0%} correct; first tenth {first}, last tenth {last}"
        entries.append((choose_line(place), f"{label}: {words}"))
    entries.append(({"color": GRAY, "alpha": 0.25, "linewidth": 7}, "middle half of the classes"))
    if chances := _list_chances(findings):
        words = " to ".join(f"{chance:.1%}" for chance in dict.fromkeys((chances[0], chances[-1])))
        entries.append(({"color": GRAY, "linestyle": ":", "linewidth": 1.2}, f"chance, {words}"))
    return entries


def _list_chances(findings: Mapping[str, Finding]) -> list[float]:
    """The networks' chance levels, lowest first; those too close to tell apart count once."""
    known = (finding.numbers["chance"] for finding in findings.values())
    return sorted({round(chance, 3) for chance in known if chance is not None})
