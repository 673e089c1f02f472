"""How `Cam` lays out its examples: image and map, two columns per network; below, the tests of its maps."""

from collections.abc import Iterable, Mapping
from functools import partial

import numpy as np
from matplotlib.figure import Figure as Picture

from netgaze.drawing.evidence import describe_answer, make_evidence_bar, make_pair, measure_scale
from netgaze.drawing.faithfulness_plots import find_top, make_trial_legend, make_trial_plots
from netgaze.drawing.faithfulness_words import describe_trial
from netgaze.drawing.heat import describe_pointing
from netgaze.drawing.panels import GRAY, SMALL
from netgaze.drawing.rows import Columns, Row, align, lay_out, make_aside, make_bands, make_text, stack
from netgaze.drawing.words import count_cells, measure_cell, measure_lines, shorten
from netgaze.figure import Finding

_MOST_COLUMNS = 5
_KINDS = {
    "shared": "same images,\nmap of the true class",
    "best": "most confident\ncorrect predictions",
    "error": "most confident error,\nmap of its prediction",
}


def draw_examples(findings: Mapping[str, Finding]) -> Picture:
    """The page, from findings of `Cam`."""
    make_rows = partial(_make_rows, top=find_top(findings.values()))
    return lay_out([make_bands(findings, make_rows, left=0.5, most=_MOST_COLUMNS), make_trial_legend()])


def _make_rows(findings: Mapping[str, Finding], columns: Columns, top: float) -> list[Row]:
    pitch = min(columns.width / 2, 1.35)
    lefts = [x + columns.width / 2 - pitch for x in columns.lefts]
    networks = [_Network(finding, x, pitch) for finding, x in zip(findings.values(), lefts, strict=True)]
    groups = stack((_make_group(kind, networks, lefts[0] - 0.42) for kind in _KINDS), gap=0.1)
    bars = align(make_evidence_bar(each.x, 2 * pitch, each.scale, each.arrays["unit"]) for each in networks)
    captions = columns.captions(map(_describe, findings.values()), SMALL, below=0.1)
    plots = align(make_trial_plots(each.x - 0.1, 2 * pitch, each.arrays, top) for each in networks)
    trials = columns.captions((describe_trial(each.numbers) for each in findings.values()), SMALL, below=0.1)
    return [columns.titles(findings), captions, groups, bars, Row(0.1), plots, trials]


def _describe(finding: Finding) -> str:
    numbers = finding.numbers
    words = f"{numbers['map_height']}x{numbers['map_width']} map; without its top pixels "
    words += f"{100 * numbers['drop']:z.1f} points of probability lost (noise map {100 * numbers['drop_random']:z.1f})"
    if "peak_on_object" in numbers:
        words += f"\n{describe_pointing(numbers)}"
    return words


class _Network:
    """A network's column: its examples at x, their two tiles so far apart, and the scale of its maps."""

    def __init__(self, finding: Finding, x: float, pitch: float):
        self.arrays, self.x, self.pitch = finding.arrays, x, pitch
        self.scale = measure_scale(self.arrays["maps"][self.arrays["there"]])

    def list_examples(self, kind: str) -> list[int]:
        return np.flatnonzero(self.arrays["kinds"] == kind).tolist()

    def make_example(self, number: int, height: float) -> Row:
        """The image, the map and the prediction; for a missing example the reason, beside others of that height."""
        if not self.arrays["there"][number]:
            asked = shorten(str(self.arrays["asked"][number]), 2 * self.pitch, SMALL)
            words = "no errors" if self.arrays["kinds"][number] == "error" else f"never correct for\n{asked}"
            height = max(height, measure_lines(words, SMALL) + 0.15)
            return make_aside(words, self.x + self.pitch, height, ha="center", color=GRAY)
        words, color = describe_answer(self.arrays, number, 2 * self.pitch)
        pair = make_pair(self.arrays["images"][number], self.arrays["maps"][number], self.scale, self.x, self.pitch)
        return stack([pair, Row(0.03), make_text(words, self.x, SMALL, below=0.1, color=color)])


def _make_group(kind: str, networks: Iterable[_Network], x: float) -> Row:
    """The examples of a kind of all networks, a row for each, and the kind's words at x."""
    lists = [(network, network.list_examples(kind)) for network in networks]
    rows = []
    for place in range(max(len(numbers) for _, numbers in lists)):
        shown = [(network, numbers[place]) for network, numbers in lists if place < len(numbers)]
        height = max(network.pitch * network.arrays["there"][number] for network, number in shown)
        rows.append(align(network.make_example(number, height) for network, number in shown))
    words = _KINDS[kind]
    length = max(count_cells(line) for line in words.split("\n")) * measure_cell(SMALL)
    height = max(stack(rows).height, length)
    beside = make_aside(words, x, height, rotation=90, ha="left", color=GRAY)
    return align([stack(rows), beside]) if rows else Row(0.0)
