"""Distances of pairs in columns, one per network: how `Verification` lays out what it found."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from netgaze.drawing.panels import (
    GRAY,
    SMALL,
    TEXT,
    WIDTH,
    Sheet,
    fill_rows,
    measure_lines,
    measure_titles,
    place_columns,
    shorten,
    wrap_words,
)
from netgaze.figure import Finding
from netgaze.figures.verification.plots import (
    draw_bars,
    draw_chance,
    draw_curve,
    list_comparisons,
    make_color_handles,
    make_line_handles,
    name_comparisons,
)

LEAST_PEOPLE = 5  # for an interval in words
_MOST_ACROSS = 4
_BARS, _ROC, _AXIS, _LEFT, _LEGEND = 0.75, 1.7, 0.4, 0.42, 0.19  # inches
_TILE, _PAIR_GAP, _UNDER, _HEADING = 0.62, 0.12, 0.22, 0.18  # inches: a picture at most, between pairs, below, above
_KINDS = {"same": "Same person, far apart", "different": "Different people, close"}
_Row = tuple[float, Callable[[dict[str, Finding], float], None]]  # its height, and what draws it at a place


class PairColumns:
    """Histograms, ROC curves and hardest pairs, laid out in inches; four networks side by side at most.

    Args:
        findings: of `Verification`, by label.
    """

    def __init__(self, findings: dict[str, Finding]):
        self.findings, self.names = findings, name_comparisons(findings)
        down, self.across = fill_rows(len(findings), _MOST_ACROSS)
        self.lefts, self.width = place_columns(max(self.across, 2), left=0.1, gap=0.2)
        self.per_row = 2 if self.width < 3.5 else 4
        self.tile = min(_TILE, (self.width - _PAIR_GAP * self.per_row) / (2 * self.per_row))
        most = [
            numbers["num_different"] for finding in findings.values() for numbers in list_comparisons(finding).values()
        ]
        self.least = min(0.1, 1 / max(most, default=1))
        self.rows = self._rows()
        self.height = sum(height for height, _ in self.rows)
        self.sheet = Sheet(self.height * down)

    def draw(self) -> Figure:
        """The page."""
        items = list(self.findings.items())
        for block, start in enumerate(range(0, len(items), self.across)):
            y = block * self.height
            for height, draw_row in self.rows:
                draw_row(dict(items[start : start + self.across]), y)
                y += height
        return self.sheet.figure

    def _rows(self) -> list[_Row]:
        """From top to bottom: the height of a row, and what draws it for some of the findings at a place."""
        every = self.findings.values()
        rows: list[_Row] = [(0.15 + measure_titles(list(self.findings), self.width), self._titles)]
        for name in self.names:
            above = max(measure_lines(self._words(finding, name), SMALL) for finding in every)
            last = name == self.names[-1]
            draw_row = partial(self._histograms, name=name, above=above, last=last)
            rows.append((above + 0.05 + _BARS + (_AXIS if last else 0.12), draw_row))
        rows += [
            self._legend(make_color_handles(every)),
            (_ROC + _AXIS, self._curves),
            self._legend(make_line_handles(self.names)),
        ]
        for kind in _KINDS:
            most = max((len(find_hardest(finding, kind)) for finding in every), default=0)
            high = -(-most // self.per_row) * (self.tile + _UNDER)
            rows += [(_HEADING + high, partial(self._pairs, kind=kind))] if most else []
        return [*rows, (0.3, self._frames)]

    def _x(self, number: int) -> float:
        """The left edge of a column; one alone stands in the middle."""
        return self.lefts[number] + ((self.lefts[1] - self.lefts[0]) / 2 if self.across == 1 else 0.0)

    def _titles(self, some: dict[str, Finding], y: float) -> None:
        for number, label in enumerate(some):
            self.sheet.title(self._x(number), y + 0.1, self.width, label)

    def _legend(self, handles: Sequence[Any]) -> _Row:
        longest = max(len(handle.get_label()) for handle in handles) * TEXT * 0.6 / 72 + 0.55
        across = min(len(handles), max(1, int((WIDTH - 0.2) / longest)))
        high = 0.13 + _LEGEND * -(-len(handles) // across)
        return high, lambda some, y: self.sheet.legend(handles, y + 0.03, across, handle=2.0)

    def _words(self, finding: Finding, name: str) -> str:
        """What stands above a histogram; its first line is bold."""
        numbers = list_comparisons(finding).get(name)
        if numbers is None:
            return f"{name}\nno pairs"
        lines = [shorten(name, 0.85 * self.width, SMALL), f"EER {numbers['eer']:.3f}{_interval(numbers, 'eer')}"]
        if "acc" in numbers:
            lines.append(f"accuracy {numbers['acc']:.3f}{_interval(numbers, 'acc')}")
        people, same, different = (numbers[f"num_{what}"] for what in ("people", "same", "different"))
        lines.append(f"{people:,} people: {same:,} same, {different:,} different")
        return wrap_words("\n".join(lines), self.width, SMALL)

    def _histograms(self, some: dict[str, Finding], y: float, name: str, above: float, last: bool) -> None:
        for number, finding in enumerate(some.values()):
            x, (first, rest) = self._x(number), self._words(finding, name).split("\n", 1)
            self.sheet.text(x, y, first, SMALL, weight="bold")
            self.sheet.text(x, y + measure_lines(first, SMALL), rest, SMALL)
            if name not in list_comparisons(finding):
                continue
            axes = self.sheet.axes(x, y + above + 0.05, self.width - 0.05, _BARS)
            draw_bars(axes, finding, name)
            if last:
                axes.set_xlabel("distance", fontsize=SMALL, labelpad=1)
            else:
                axes.tick_params(labelbottom=False)

    def _curves(self, some: dict[str, Finding], y: float) -> None:
        for number, finding in enumerate(some.values()):
            axes = self.sheet.axes(self._x(number) + _LEFT, y + 0.05, self.width - _LEFT - 0.1, _ROC - 0.05)
            draw_chance(axes, self.least)
            for place, name in enumerate(self.names):
                if name in list_comparisons(finding):
                    draw_curve(axes, finding, name, place)
            axes.set_xlabel("FAR: different people accepted", fontsize=SMALL, labelpad=1)
            if number == 0:
                axes.set_ylabel("TAR: same people accepted", fontsize=SMALL, labelpad=1)

    def _pairs(self, some: dict[str, Finding], y: float, kind: str) -> None:
        for number, finding in enumerate(some.values()):
            self.sheet.text(self._x(number), y, _KINDS[kind], SMALL, weight="bold")
            for place, (pair, distance, right) in enumerate(find_hardest(finding, kind)):
                x = self._x(number) + place % self.per_row * (2 * self.tile + _PAIR_GAP)
                self._pair(pair, distance, right, x, y + _HEADING + place // self.per_row * (self.tile + _UNDER))

    def _frames(self, some: dict[str, Finding], y: float) -> None:
        if any(finding.numbers["threshold"] is not None for finding in some.values()):
            words = "Blue frames: told rightly by the threshold; crossed ones: wrongly. Below: the distance."
            self.sheet.text(WIDTH / 2, y + 0.05, words, TEXT, ha="center")

    def _pair(self, pair: np.ndarray, distance: float, right: bool | None, x: float, y: float) -> None:
        for picture, left in zip(pair, (x, x + self.tile), strict=True):
            self.sheet.image(picture, left, y, self.tile - 0.03, self.tile - 0.03)
            if right is None:
                self.sheet.outline(left, y, self.tile - 0.03, GRAY, 0.8)
            else:
                self.sheet.frame(left, y, self.tile - 0.03, right)
        self.sheet.text(x + self.tile - 0.015, y + self.tile, f"{distance:#.4g}", SMALL, ha="center")


def find_hardest(finding: Finding, kind: str) -> list[tuple[np.ndarray, float, bool | None]]:
    """The hardest "same" or "different" pairs of all comparisons, each once, as many as one comparison keeps.

    Returns:
        Of each pair its pictures [2,H,W,3], distance, and whether the threshold tells it rightly; None without one.
    """
    found: dict[tuple[int, ...], tuple[np.ndarray, float, bool | None]] = {}
    most = 0
    for name in list_comparisons(finding):
        pairs, shown, distances = (
            finding.arrays[f"{name}/{kind}_{what}"] for what in ("pairs", "pictures", "distances")
        )
        right = finding.arrays.get(f"{name}/{kind}_right", [None] * len(pairs))
        most = max(most, len(pairs))
        for pair, *seen in zip(pairs, shown, distances, right, strict=True):
            found.setdefault(tuple(sorted(pair.tolist())), tuple(seen))
    sign = -1 if kind == "same" else 1
    return sorted(found.values(), key=lambda seen: sign * seen[1])[:most]


def _interval(numbers: dict[str, Any], name: str) -> str:
    """In words; of a few people a bootstrap says nothing."""
    interval = numbers.get(f"{name}_interval") if numbers["num_people"] >= LEAST_PEOPLE else None
    return f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else ""
