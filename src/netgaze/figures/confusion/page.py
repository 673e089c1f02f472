"""How `Confusion` lays out a network: its matrix, the accuracy of each class, and below its calibration."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure as Picture

from netgaze.drawing import panels
from netgaze.drawing.panels import NAMES, SEQUENTIAL, SMALL, WRONG, Sheet
from netgaze.drawing.rows import Columns, Row, align, lay_out, make_bands
from netgaze.figure import Finding
from netgaze.figures.confusion.trust import describe_trust, find_top_risk, make_trust
from netgaze.figures.confusion.words import describe_confusions
from netgaze.glossary import Glossary

_MOST_COUNTS = 12
_MATRIX = 2.4  # inches


def draw_page(findings: Mapping[str, Finding], glossary: Glossary) -> Picture:
    """The page, from findings of `Confusion`, whose numbers the glossary explains."""
    make_rows = partial(_make_rows, glossary=glossary, top=find_top_risk(findings.values()))
    return lay_out([make_bands(findings, make_rows, least=2, most=2)])


def _make_rows(findings: Mapping[str, Finding], columns: Columns, glossary: Glossary, top: float) -> list[Row]:
    each = list(zip(columns.lefts, findings.values(), strict=True))
    matrices = [
        Row(_MATRIX + panels.measure_names(_name_shown(finding)), partial(_draw_matrix, finding=finding, x=x + NAMES))
        for x, finding in each
    ]
    confusions = [describe_confusions(finding, columns.width, glossary) for finding in findings.values()]
    trust = map(describe_trust, findings.values())
    plots = [make_trust(finding, x + NAMES, top) for x, finding in each]
    return [
        columns.titles(findings),
        columns.captions(confusions, below=0.35),
        align(matrices),
        Row(0.15),
        columns.captions(trust, below=0.25),
        align(plots),
    ]


def _name_shown(finding: Finding) -> np.ndarray:
    return finding.arrays["names"][finding.arrays["shown"]]


def _draw_matrix(sheet: Sheet, y: float, finding: Finding, x: float) -> None:
    """The matrix, one row per class, and right of it each class's accuracy."""
    counts, shares, names = finding.arrays["counts"], _normalize(finding), _name_shown(finding)
    title = "true class (row), predicted (column)"
    matrix = sheet.matrix(x, y, _MATRIX, shares, names, SEQUENTIAL, 0.0, title)
    if len(counts) <= _MOST_COUNTS:
        size = min(SMALL, 72 * _MATRIX / len(counts) / (0.7 * len(str(counts.max()))))
        for (row, col), count in np.ndenumerate(counts):
            color = "black" if shares[row, col] > 0.6 else "white"
            matrix.text(col, row, str(count), ha="center", va="center", fontsize=size, color=color)
    accuracy, mean = shares.diagonal(), finding.numbers["acc_macro"]
    words: Any = {"title": "class accuracy", "xlabel": f"dashed: mean {mean:.1%}"}
    limits: Any = {"xlim": (0, 1), "ylim": matrix.get_ylim(), "xticks": [0, 0.5, 1], "yticks": []}
    bars = sheet.axes(x + _MATRIX + 0.1, y, 0.9, _MATRIX, **words, **limits)
    bars.barh(np.arange(len(accuracy)), accuracy, height=0.8, color=colormaps[SEQUENTIAL](accuracy))
    bars.axvline(mean, color=WRONG, linestyle="--", linewidth=1)


def _normalize(finding: Finding) -> np.ndarray:
    """The counts of the classes shown as shares of each one's examples, [k,k]."""
    arrays = finding.arrays
    return arrays["counts"] / np.maximum(arrays["examples"][arrays["shown"], None], 1)
