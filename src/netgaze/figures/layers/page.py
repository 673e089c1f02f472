"""How `Layers` lays out its plots and its images."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Picture

from netgaze.drawing.line_plot import Line, make_line_plot
from netgaze.drawing.panels import SMALL, TEXT, WIDTH
from netgaze.drawing.rows import Row, lay_out, make_head, make_text, stack
from netgaze.drawing.tiles import Tile, make_tiles
from netgaze.drawing.words import clip_words, shorten
from netgaze.figure import Finding
from netgaze.text import format_percent, format_value

_HEIGHT = 1.9
_ACROSS = 8
_TILE = (WIDTH - 0.2) / _ACROSS
_PLOTS = (
    ("knn20", "20-neighbor accuracy", True),
    ("probe", "accuracy of a linear probe", True),
    ("rank", "effective rank", False),
)


def draw_layers(findings: Mapping[str, Finding]) -> Picture:
    """The page, from findings of `Layers`."""
    most = max(len(it.arrays["stages"]) for it in findings.values())
    stages = _share_names(findings)
    rows = [Row(0.1)]
    for name, words, is_share in _PLOTS:
        lines = [_make_line(label, finding, name, is_share, most) for label, finding in findings.items()]
        limits: dict[str, Any] = {"ylim": (0, 1)} if is_share else {"yscale": "log"}
        rows.append(make_line_plot(lines, _HEIGHT, {"ylabel": words} | limits | _name_stages(stages, most)))
    deep = {label: finding for label, finding in findings.items() if "depth_shares" in finding.arrays}
    if deep:
        lines = [_make_depths(label, finding) for label, finding in deep.items()]
        top = max(float(line.y.max()) for line in lines)
        named = {"ylabel": "share of images", "xlabel": "stage at which the prediction is settled"}
        ticks = _name_stages([*stages, "never"] if stages else [], most + 1)
        rows.append(make_line_plot(lines, _HEIGHT, named | {"ylim": (0, 1.1 * top)} | ticks))
    return lay_out([*rows, *(_make_block(*item) for item in deep.items() if not item[1].arrays["control"])])


def _share_names(findings: Mapping[str, Finding]) -> list[str]:
    """The stages' names if all networks share them, else none."""
    named = {tuple(map(str, it.arrays["stages"])) for it in findings.values() if len(it.arrays["stages"]) > 1}
    return list(named.pop()) if len(named) == 1 else []


def _name_stages(stages: Sequence[str], most: int) -> dict[str, Any]:
    """Names below an axis of stages; numbers if the networks' stages have different names."""
    if not stages:
        return {"xlim": (-0.2, most - 0.8)}
    room = 5.0 / len(stages)
    names = [shorten(stage, room, SMALL) for stage in stages]
    return {"xticks": range(len(stages)), "xticklabels": names, "xlim": (-0.2, len(stages) - 0.8)}


def _make_line(label: str, finding: Finding, name: str, is_share: bool, most: int) -> Line:
    """A network's numbers over its stages; a single stage, as of raw pixels, is a level line."""
    values = np.array([finding.numbers[f"{name} {stage}"] for stage in finding.arrays["stages"]])
    told = format_percent(values[-1]) if is_share else format_value(values[-1])
    words = f"{label}: {told}{' at the last stage' if len(values) > 1 else ''}"
    if len(values) == 1:
        values = values.repeat(max(most, 2))
    return Line(words, np.arange(len(values)), values, control=bool(finding.arrays["control"]))


def _make_depths(label: str, finding: Finding) -> Line:
    shares = finding.arrays["depth_shares"]
    words = f"{label}: mean depth {finding.numbers['depth']:.2f} of {len(shares) - 1}"
    return Line(words, np.arange(len(shares)), shares, control=bool(finding.arrays["control"]))


def _make_block(label: str, finding: Finding) -> Row:
    """A network's shallowest and deepest images."""
    numbers = finding.numbers
    words = f"settled at the first stage {format_percent(numbers['settled_first'])}, "
    rows = [make_head(label, f"{words}never {format_percent(numbers['unsettled'])}", height=0.25)]
    for name, is_deep in (("settled first", False), ("settled last", True)):
        places = np.flatnonzero(finding.arrays["is_deep"] == is_deep)
        tiles = [_make_tile(finding, int(place)) for place in places]
        rows += [make_text(name, size=TEXT, height=0.2), make_tiles(tiles, 0.1, _TILE, gap=0.1, across=_ACROSS)]
    return stack([*rows, Row(0.1)])


def _make_tile(finding: Finding, place: int) -> Tile:
    """An image, its class, the prediction if it differs, and the votes of the stages before it was settled."""
    arrays = finding.arrays
    true, answer = str(arrays["true"][place]), str(arrays["answers"][place])
    depth = int(arrays["shown_depths"][place])
    lines = [f"is {true}"] + [f"predicted {answer}"] * (true != answer)
    voted = list(dict.fromkeys(str(vote) for vote in arrays["votes"][:depth, place]))
    lines += [f"first: {', '.join(voted[:2])}"] if voted else []
    words = "\n".join(clip_words(line, _TILE - 0.08, SMALL, 2) for line in lines)
    return Tile(arrays["pictures"][place], words, true == answer)
