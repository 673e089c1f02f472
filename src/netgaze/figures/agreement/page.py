"""How `Agreement` lays out its pairs: a bar of shares for each, and images of the first network beside the others."""

from collections.abc import Mapping
from functools import partial

import numpy as np
from matplotlib.figure import Figure as Picture
from matplotlib.patches import Rectangle

from netgaze.drawing.evidence import measure_scale, overlay
from netgaze.drawing.panels import GRAY, LINES, PALE, RIGHT, SMALL, TEXT, TITLE, WIDTH, WRONG, Sheet
from netgaze.drawing.rows import Row, align, lay_out, make_aside, make_text, stack
from netgaze.drawing.tiles import Tile, make_tiles
from netgaze.drawing.words import clip_words, measure_cell, measure_lines, shorten, wrap_words
from netgaze.figures.agreement.duels import CELLS, Duel
from netgaze.text import format_percent, format_share

MOST_SHOWN = 3  # pairs with images
_COLORS = (RIGHT, LINES[2], LINES[5], WRONG, PALE)
_LEFT = 1.15  # inches for the name of a kind of images
_BAR = 0.22


def draw_duels(
    duels: Mapping[tuple[str, str], Duel], shown: Mapping[tuple[str, str], dict[str, np.ndarray]]
) -> Picture:
    """The page: every pair's bar, and the images of at most three."""
    rows = [Row(0.1), _make_legend(), *(_make_bar(duel) for duel in duels.values())]
    blocks = [_make_block(duels[pair], arrays) for pair, arrays in list(shown.items())[:MOST_SHOWN]]
    return lay_out([*rows, Row(0.1), *blocks])


def _make_legend() -> Row:
    """What the bars' colors mean."""
    words = (
        "both correct",
        "only the first",
        "only the second",
        "both incorrect, same class",
        "both incorrect, different",
    )

    def draw(sheet: Sheet, y: float) -> None:
        for place, (color, said) in enumerate(zip(_COLORS, words, strict=True)):
            x = 0.1 + place * (WIDTH - 0.2) / len(words)
            sheet.paper.add_patch(Rectangle((x, y + 0.01), 0.14, 0.12, facecolor=color, edgecolor="none"))
            sheet.text(x + 0.2, y, said, SMALL)

    return Row(0.25, draw)


def _make_bar(duel: Duel) -> Row:
    """A pair's names, its shares as a bar across the page, and its numbers."""
    found, kappa = duel.agreement, duel.agreement.kappa
    title = f"{shorten(duel.first, WIDTH / 3, TEXT)} and {shorten(duel.second, WIDTH / 3, TEXT)}"
    words = f"same prediction {format_percent(found.same_answer.value)}"
    if np.isfinite(kappa.value):
        words += f"; error consistency κ {kappa.value:.2f} ({kappa.low:.2f} to {kappa.high:.2f})"
    if np.isfinite(found.same_error.value):
        same = format_percent(found.same_error.value)
        words += f"; same class in {same} of {int(found.counts[3:].sum()):,} shared errors"
    words += f"; McNemar p {format_share(max(found.p, 1e-9))}"
    words += "; predictions by votes of 20 neighbors" if duel.is_voted else ""
    rows = [make_text(title, size=TEXT, below=0.03, weight="bold"), Row(_BAR, partial(_draw_bar, duel=duel))]
    return stack([*rows, make_text(wrap_words(words, WIDTH - 0.2, SMALL), size=SMALL, below=0.12, color=GRAY)])


def _draw_bar(sheet: Sheet, y: float, duel: Duel) -> None:
    found, x = duel.agreement, 0.1
    for color, count in zip(_COLORS, found.counts, strict=True):
        width = (WIDTH - 0.2) * count / found.num
        sheet.paper.add_patch(Rectangle((x, y), width, _BAR - 0.04, facecolor=color, edgecolor="white"))
        if width > 0.45:
            style = {"ha": "center", "color": "black" if color in (PALE, LINES[5]) else "white"}
            sheet.text(x + width / 2, y + 0.03, f"{count:,}", SMALL, **style)
        x += width


def _make_block(duel: Duel, arrays: Mapping[str, np.ndarray]) -> Row:
    """The images of each kind of a pair, in a row."""
    title = f"A: {duel.first}; B: {duel.second}"
    is_mapped = "maps 0" in arrays
    tiles = "each image, then A's and B's maps of evidence" if is_mapped else "predictions by neighbors' votes"
    rows = [make_text(clip_words(title, WIDTH - 0.2, TITLE, 2), size=TITLE, below=0.02, weight="bold")]
    rows.append(
        make_text(f"Images of highest confidence in both networks: {tiles}.", size=SMALL, below=0.08, color=GRAY)
    )
    for cell, kind in enumerate(CELLS):
        rows.append(_make_kind(duel, arrays, cell, kind))
    return stack([*rows, Row(0.1)])


def _make_kind(duel: Duel, arrays: Mapping[str, np.ndarray], cell: int, kind: str) -> Row:
    """Images of one kind: each with both maps where there are any, and below it both predictions."""
    places = np.flatnonzero(arrays["cells"] == cell)
    words = wrap_words(kind, _LEFT - 0.15, SMALL)
    if not len(places):
        return align([make_text(words, 0.1, SMALL, color=GRAY), make_text("none", _LEFT, SMALL, below=0.2, color=GRAY)])
    most = max(int((arrays["cells"] == each).sum()) for each in range(len(CELLS)))
    pitch = (WIDTH - _LEFT - 0.1) / most
    scales = [measure_scale(arrays[f"maps {side}"]) for side in (0, 1)] if "maps 0" in arrays else []
    examples = []
    for column, place in enumerate(places):
        pictures = [arrays["pictures"][place]]
        pictures += [overlay(pictures[0], arrays[f"maps {side}"][place], scale) for side, scale in enumerate(scales)]
        x, tile = _LEFT + column * pitch, min((pitch - 0.12) / max(len(pictures), 1), 0.95)
        said = make_text(_describe(duel, int(arrays["rows"][place]), pitch - 0.1), x, SMALL, below=0.1)
        examples.append(stack([make_tiles([Tile(it) for it in pictures], x, tile, gap=0.04, below=0.02), said]))
    row = align(examples)
    return align([row, make_aside(words, 0.1, max(0.8, measure_lines(words, SMALL)), color=GRAY)])


def _describe(duel: Duel, row: int, width: float) -> str:
    """The true class, and both predictions."""
    lines = [f"true: {duel.names[duel.labels[row]]}"]
    for side, name in enumerate("AB"):
        sure = format_share(float(duel.confidence[side][row]))
        room = width - measure_cell(SMALL) * (len(sure) + 1)
        lines.append(f"{shorten(f'{name}: {duel.names[duel.answers[side][row]]}', room, SMALL)} {sure}")
    return "\n".join([shorten(lines[0], width, SMALL), *lines[1:]])
