"""Distances of pairs in columns, one per network: how `Verification` lays out what it found."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Picture

from netgaze.drawing.panels import GRAY, SMALL, TEXT, WIDTH, Sheet, fill_rows
from netgaze.drawing.rows import Columns, Row, align, lay_out, make_legend, stack
from netgaze.drawing.words import measure_lines, shorten, wrap_words
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


class PairColumns:
    """Histograms, ROC curves and hardest pairs; four networks side by side at most.

    Args:
        findings: of `Verification`, by label.
    """

    def __init__(self, findings: Mapping[str, Finding]):
        self.findings, self.names = findings, name_comparisons(findings)
        self.columns = Columns(fill_rows(len(findings), _MOST_ACROSS)[1], least=2)
        self.width = self.columns.width
        self.per_row = 2 if self.width < 3.5 else 4
        self.tile = min(_TILE, (self.width - _PAIR_GAP * self.per_row) / (2 * self.per_row))
        most = [
            numbers["num_different"] for finding in findings.values() for numbers in list_comparisons(finding).values()
        ]
        self.least = min(0.1, 1 / max(most, default=1))

    def draw(self) -> Picture:
        """The page."""
        labels, across = list(self.findings), len(self.columns.lefts)
        return lay_out(self._make_block(labels[start : start + across]) for start in range(0, len(labels), across))

    def _make_block(self, labels: Sequence[str]) -> Row:
        """Some of the networks beside one another."""
        rows = [self.columns.titles(labels, below=0.05)]
        for name in self.names:
            bars = partial(self._make_histogram, name=name, last=name == self.names[-1])
            rows += [self._align(labels, partial(self._make_words, name=name)), self._align(labels, bars)]
        rows += [
            _make_key(make_color_handles(self.findings.values())),
            self._align(labels, self._make_curves),
            _make_key(make_line_handles(self.names)),
            *(self._align(labels, partial(self._make_pairs, kind=kind)) for kind in _KINDS),
            Row(0.3, self._explain_frames),
        ]
        return stack(rows)

    def _align(self, labels: Sequence[str], make: Callable[[Finding, float], Row]) -> Row:
        """What is made of each network, at its column's left edge."""
        return align(make(self.findings[label], x) for label, x in zip(labels, self.columns.lefts, strict=False))

    def _make_words(self, finding: Finding, x: float, name: str) -> Row:
        """What stands above a histogram; its first line is bold."""
        words = wrap_words("\n".join(self._describe(finding, name)), self.width, SMALL)
        first, rest = words.split("\n", 1)

        def draw(sheet: Sheet, y: float) -> None:
            sheet.text(x, y, first, SMALL, weight="bold")
            sheet.text(x, y + measure_lines(first, SMALL), rest, SMALL)

        return Row(measure_lines(words, SMALL) + 0.05, draw)

    def _describe(self, finding: Finding, name: str) -> list[str]:
        numbers = list_comparisons(finding).get(name)
        if numbers is None:
            return [name, "no pairs"]
        lines = [
            shorten(name, 0.85 * self.width, SMALL),
            f"EER {numbers['eer']:.3f}{_describe_interval(numbers, 'eer')}",
        ]
        if "acc" in numbers:
            lines.append(f"accuracy {numbers['acc']:.3f}{_describe_interval(numbers, 'acc')}")
        people, same, different = (numbers[f"num_{what}"] for what in ("people", "same", "different"))
        return [*lines, f"{people:,} people: {same:,} same, {different:,} different"]

    def _make_histogram(self, finding: Finding, x: float, name: str, last: bool) -> Row:
        def draw(sheet: Sheet, y: float) -> None:
            axes = sheet.axes(x, y, self.width - 0.05, _BARS)
            draw_bars(axes, finding, name)
            if last:
                axes.set_xlabel("distance", fontsize=SMALL, labelpad=1)
            else:
                axes.tick_params(labelbottom=False)

        height = _BARS + (_AXIS if last else 0.12)
        return Row(height, draw) if name in list_comparisons(finding) else Row(height)

    def _make_curves(self, finding: Finding, x: float) -> Row:
        def draw(sheet: Sheet, y: float) -> None:
            axes = sheet.axes(x + _LEFT, y + 0.05, self.width - _LEFT - 0.1, _ROC - 0.05)
            draw_chance(axes, self.least)
            for place, name in enumerate(self.names):
                if name in list_comparisons(finding):
                    draw_curve(axes, finding, name, place)
            axes.set_xlabel("FAR: different people accepted", fontsize=SMALL, labelpad=1)
            if x == self.columns.lefts[0]:
                axes.set_ylabel("TAR: same people accepted", fontsize=SMALL, labelpad=1)

        return Row(_ROC + _AXIS, draw)

    def _make_pairs(self, finding: Finding, x: float, kind: str) -> Row:
        """The hardest pairs of a kind below their heading; nothing where there are none."""
        pairs = find_hardest(finding, kind)
        if not pairs:
            return Row(0.0)
        heading = Row(_HEADING, lambda sheet, y: sheet.text(x, y, _KINDS[kind], SMALL, weight="bold"))
        lines = [
            Row(self.tile + _UNDER, partial(self._draw_pairs, x=x, pairs=pairs[start : start + self.per_row]))
            for start in range(0, len(pairs), self.per_row)
        ]
        return stack([heading, *lines])

    def _draw_pairs(
        self, sheet: Sheet, y: float, x: float, pairs: Sequence[tuple[np.ndarray, float, bool | None]]
    ) -> None:
        side = self.tile - 0.03
        for place, (pair, distance, right) in enumerate(pairs):
            first = x + place * (2 * self.tile + _PAIR_GAP)
            for picture, left in zip(pair, (first, first + self.tile), strict=True):
                sheet.image(picture, left, y, side, side)
                if right is None:
                    sheet.outline(left, y, side, GRAY, 0.8)
                else:
                    sheet.frame(left, y, side, right)
            sheet.text(first + self.tile - 0.015, y + self.tile, f"{distance:#.4g}", SMALL, ha="center")

    def _explain_frames(self, sheet: Sheet, y: float) -> None:
        if any(finding.numbers["threshold"] is not None for finding in self.findings.values()):
            words = "Blue frames: told rightly by the threshold; crossed ones: wrongly. Below: the distance."
            sheet.text(WIDTH / 2, y + 0.05, words, TEXT, ha="center")


def _make_key(handles: Sequence[Any]) -> Row:
    """A legend with as many entries in a line as have room."""
    longest = max(len(handle.get_label()) for handle in handles) * TEXT * 0.6 / 72 + 0.55
    across = min(len(handles), max(1, int((WIDTH - 0.2) / longest)))
    return make_legend(handles, 0.13 + _LEGEND * -(-len(handles) // across), 0.03, across, handle=2.0)


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


def _describe_interval(numbers: dict[str, Any], name: str) -> str:
    """In words; of a few people a bootstrap says nothing."""
    interval = numbers.get(f"{name}_interval") if numbers["num_people"] >= LEAST_PEOPLE else None
    return f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else ""
