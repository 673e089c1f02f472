"""Queries and their nearest images: one block per query, with one row per network."""

from collections.abc import Mapping

from netgaze.drawing.panels import SMALL, WIDTH
from netgaze.drawing.rows import Row, align, make_aside, stack
from netgaze.drawing.tiles import Tile, make_tiles
from netgaze.drawing.words import clip_words
from netgaze.figure import Finding, group_equal
from netgaze.text import format_value

_QUERY, _LABEL = 1.1, 1.35  # inches: a query, a network's label
_LEFT = _QUERY + _LABEL + 0.3  # inches: where neighbors begin
_GAP = 0.07  # inches between neighbors


def make_queries(findings: Mapping[str, Finding], most: float, across: int) -> Row:
    """Each query, and beside it each network's neighbors: blue if of its class, crossed if of another.

    Networks with other queries, as of other data, have their own blocks.

    A finding holds `queries` [Q,H,W,3] and their classes `query_labels` [Q], -1 where unknown, `neighbors`
    [Q,n,H,W,3] and their classes `neighbor_labels` [Q,n], and the classes' `names` [K]. Where it holds `query_names`
    [Q], these stand below the queries; where `distances` [Q,n], each neighbor's class and distance below it.

    Args:
        findings: by the network's label.
        most: a neighbor and the gap after it are at most so many inches wide.
        across: neighbors in a line.
    """
    num = max(finding.arrays["neighbor_labels"].shape[1] for finding in findings.values())
    pitch, blocks = min(most, (WIDTH - 0.1 - _LEFT) / min(num, across)), []
    for alike in group_equal(findings, ("queries", "query_labels", "query_names")):
        first = next(iter(alike.values()))
        for query in range(len(first.arrays["queries"])):
            networks = stack(_make_found(label, finding, query, pitch, across) for label, finding in alike.items())
            blocks += [align([_make_query(first, query), networks]), Row(0.2)]
    return stack(blocks)


def _make_query(finding: Finding, query: int) -> Row:
    """A query above its name, and its class if known."""
    arrays, label = finding.arrays, finding.arrays["query_labels"][query]
    names = [arrays["query_names"][query]] if "query_names" in arrays else []
    names += [arrays["names"][label]] if label >= 0 else []
    words = "\n".join(clip_words(str(name), 0.85 * _QUERY, SMALL, 2) for name in names)
    return make_tiles([Tile(arrays["queries"][query], words, style={"weight": "bold"})], 0.1, _QUERY, gap=0.0)


def _make_found(label: str, finding: Finding, query: int, pitch: float, across: int) -> Row:
    """A network's label, the number of neighbors of the query's class, and the neighbors, nearest first."""
    arrays, asked = finding.arrays, finding.arrays["query_labels"][query]
    same, words = arrays["neighbor_labels"][query] == asked, clip_words(label, _LABEL, SMALL, 3)
    if asked >= 0:
        words += f"\n{same.sum()} of {len(same)}"
    tiles = [
        Tile(picture, _describe(finding, query, place, pitch), bool(same[place]) if asked >= 0 else None)
        for place, picture in enumerate(arrays["neighbors"][query])
    ]
    beside = make_aside(words, _LEFT - 0.1, pitch - _GAP, ha="right")
    return align([beside, Row(0.6), make_tiles(tiles, _LEFT, pitch, _GAP, across, below=0.14)])


def _describe(finding: Finding, query: int, place: int, pitch: float) -> str:
    """A neighbor's class, and its distance if distances were kept."""
    arrays = finding.arrays
    if "distances" not in arrays:
        return ""
    name = str(arrays["names"][arrays["neighbor_labels"][query][place]])
    distance = format_value(float(arrays["distances"][query][place]))
    return f"{clip_words(name, pitch - 0.5 * _GAP, SMALL, 2)}\n{distance}"
