"""The layout of `Verification`: distances of pairs in columns, one per network."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Picture

from netgaze.drawing.panels import GRAY, SMALL, TEXT, WIDTH
from netgaze.drawing.rows import Columns, Row, align, lay_out, make_bands, make_legend, make_text, stack
from netgaze.drawing.tiles import Tile, make_tiles
from netgaze.drawing.words import measure_cell, shorten, wrap_words
from netgaze.figure import Finding
from netgaze.figures.verification.plots import (
    has_threshold,
    make_color_handles,
    make_curves,
    make_histogram,
    make_line_handles,
    name_comparisons,
)

LEAST_PEOPLE = 5  # for an interval in words
_TILE, _PAIR_GAP, _LEGEND = 0.62, 0.12, 0.19  # inches: a picture at most, between pairs, a legend's line
_KINDS = {"same": "Same person, far apart", "different": "Different people, close"}
_FRAMES = "Blue frame: classified correctly at the threshold; cross: incorrectly. Below: the distance."

_Pair = tuple[np.ndarray, float, bool | None]  # see `find_hardest`


def draw_pairs(findings: Mapping[str, Finding]) -> Picture:
    """Histograms, ROC curves and hardest pairs in columns, from findings of `Verification`."""
    known = [numbers["num_different"] for each in findings.values() for numbers in each.numbers["comparisons"].values()]
    least, names = min(0.1, 1 / max(known, default=1)), name_comparisons(findings.values())
    return lay_out([make_bands(findings, partial(_make_band, names=names, least=least), least=2)])


def _make_band(findings: Mapping[str, Finding], columns: Columns, names: Sequence[str], least: float) -> Iterator[Row]:
    """Some of the networks side by side; curves begin at the FAR `least`."""

    def make_all(make: Callable[[Finding, float, float], Row]) -> Row:
        return align(make(each, x, columns.width) for each, x in zip(findings.values(), columns.lefts, strict=True))

    yield columns.titles(findings, below=0.05)
    for name in names:
        yield make_all(partial(_make_words, name=name))
        yield make_all(partial(make_histogram, name=name, last=name == names[-1]))
    yield _make_key(make_color_handles(findings.values()))
    yield make_all(partial(make_curves, names=names, least=least))
    yield _make_key(make_line_handles(names))
    for kind in _KINDS:
        yield make_all(partial(_make_pairs, kind=kind))
    yield Row(0.05)
    yield make_text(_FRAMES if any(map(has_threshold, findings.values())) else "", WIDTH / 2, height=0.25, ha="center")


def _make_words(finding: Finding, x: float, width: float, name: str) -> Row:
    """The text above a histogram; its first line is bold."""
    head, *rest = _describe(finding, name)
    words = wrap_words("\n".join(rest), width, SMALL)
    bold = make_text(shorten(head, 0.85 * width, SMALL), x, SMALL, weight="bold")
    return stack([bold, make_text(words, x, SMALL, below=0.05)])


def _make_pairs(finding: Finding, x: float, width: float, kind: str) -> Row:
    """The hardest pairs of a kind below their heading; nothing if there are none."""
    pairs, across = find_hardest(finding, kind), 2 if width < 3.5 else 4
    tile = min(_TILE, width / (2 * across) - _PAIR_GAP / 2)
    lefts = [x + place * (2 * tile + _PAIR_GAP) for place in range(across)]
    lines = [
        align(_make_pair(pair, left, tile) for pair, left in zip(pairs[start:], lefts, strict=False))
        for start in range(0, len(pairs), across)
    ]
    heading = make_text(_KINDS[kind], x, SMALL, below=0.05, weight="bold")
    return stack([heading, *lines] if lines else [])


def _describe(finding: Finding, name: str) -> list[str]:
    """A comparison's name, rates and counts."""
    numbers = finding.numbers["comparisons"].get(name)
    if numbers is None:
        return [name, "no pairs"]
    accuracy = f"accuracy {_describe_rate(numbers, 'acc')}" if "acc" in numbers else "no threshold"
    people, same, different = (numbers[f"num_{what}"] for what in ("people", "same", "different"))
    counts = f"{people:,} people: {same:,} same, {different:,} different"
    return [name, f"EER {_describe_rate(numbers, 'eer')}", accuracy, counts]


def _describe_rate(numbers: dict[str, Any], name: str) -> str:
    """A rate with its interval, if there are enough people for a bootstrap."""
    interval = numbers.get(f"{name}_interval") if numbers["num_people"] >= LEAST_PEOPLE else None
    return f"{numbers[name]:.1%}" + (f" ({interval[0]:.1%} to {interval[1]:.1%})" if interval else "")


def _make_pair(pair: _Pair, x: float, tile: float) -> Row:
    """Two pictures in their frames, and the distance below both."""
    pictures, distance, right = pair
    line = (GRAY, 0.8) if right is None else None
    tiles = make_tiles([Tile(picture, right=right, line=line) for picture in pictures], x, tile, gap=0.03, below=0.03)
    return stack([tiles, make_text(f"{distance:#.4g}", x + tile - 0.015, SMALL, below=0.09, ha="center")])


def _make_key(handles: Iterable[Any]) -> Row:
    """A legend with as many entries per line as fit."""
    handles = list(handles)
    longest = max(len(handle.get_label()) for handle in handles) * measure_cell(TEXT) + 0.55
    across = min(len(handles), max(1, int((WIDTH - 0.2) / longest)))
    return make_legend(handles, 0.13 + _LEGEND * -(-len(handles) // across), 0.03, across, handle=2.0)


def find_hardest(finding: Finding, kind: str) -> list[_Pair]:
    """The hardest "same" or "different" pairs of all comparisons, each once, as many as one comparison keeps.

    Returns:
        For each pair its pictures [2,H,W,3], distance, and whether it is correct at the threshold; None without one.
    """
    found: dict[tuple[int, ...], _Pair] = {}
    most = 0
    for name in finding.numbers["comparisons"]:
        own = f"{name}/{kind}"
        pairs, shown, distances = (finding.arrays[f"{own}_{what}"] for what in ("pairs", "pictures", "distances"))
        right = finding.arrays.get(f"{own}_right", [None] * len(pairs))
        most = max(most, len(pairs))
        for pair, *seen in zip(pairs, shown, distances, right, strict=True):
            found.setdefault(tuple(sorted(pair.tolist())), tuple(seen))
    sign = -1 if kind == "same" else 1
    return sorted(found.values(), key=lambda seen: sign * seen[1])[:most]
