"""How `Deconvnet` lays out one network: a row per layer with what was carried back, then patches of the split."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from netgaze.drawing.panels import GRAY, SMALL, TEXT, WIDTH, Sheet, fill_rows
from netgaze.drawing.rows import Row, align, make_aside, make_text, make_title, stack
from netgaze.drawing.tiles import Tile, make_tiles
from netgaze.drawing.words import shorten, wrap_words
from netgaze.figure import Finding

KINDS = ("the whole layer", "one channel", "its strongest position")
_LEFT, _GAP, _GROUP = 1.05, 0.04, 0.12  # inches: where images begin, between tiles, between groups of them
_LARGEST, _MOST_BLOCKS = 1.1, 4
_FRAME = "#E69F00"


def make_block(label: str, finding: Finding) -> Row:
    """Title, a row per image and layer, and patches of the split.

    Args:
        label: the network's.
        finding: of `Deconvnet`.
    """
    arrays, places, images = finding.arrays, range(len(finding.arrays["layers"])), finding.arrays["images"]
    rows = [make_title(label, below=0.1)]
    for number in range(len(images)):
        rows.append(_make_heads(arrays, number))
        rows += [_make_layer(finding, number, place) for place in places]
        rows.append(Row(0.1))
    channel = "that channel" if len(images) == 1 else "the first image's channel"
    words = f"Patches of the split that activate {channel} most (left), and their reconstructions (right)"
    across = fill_rows(len(places), _MOST_BLOCKS)[1]
    patches = [_make_patches(arrays, places[start : start + across]) for start in range(0, len(places), across)]
    return stack([*rows, make_text(words, height=0.25, color=GRAY), *patches])


def _measure(num_paths: int) -> tuple[float, list[float]]:
    """From tile to tile, and the left edge of each kind's tiles, in inches."""
    num = 1 + len(KINDS) * num_paths
    pitch = min(_LARGEST, (WIDTH - 0.1 - _LEFT - _GROUP * len(KINDS)) / num)
    first, group = _LEFT + pitch + _GROUP, num_paths * pitch + _GROUP
    return pitch, [first + kind * group for kind in range(len(KINDS))]


def _make_heads(arrays: Mapping[str, np.ndarray], number: int) -> Row:
    """What stands above the tiles: the kinds, and below these the image's name and the paths, if several."""
    paths = [str(path) for path in arrays["paths"]]
    pitch, lefts = _measure(len(paths))
    style: dict[str, Any] = {"ha": "center", "color": GRAY, "below": 0.03}
    half, group = (pitch - _GAP) / 2, (len(paths) * pitch - _GAP) / 2
    kinds = [make_text(words, left + group, TEXT, **style) for words, left in zip(KINDS, lefts, strict=True)]
    places = [(path, left + place * pitch) for left in lefts for place, path in enumerate(paths) if len(paths) > 1]
    named = [make_text(path, left + half, SMALL, **style) for path, left in places]
    name = shorten(str(arrays["names"][number]), pitch + _LEFT - 0.2, SMALL)
    named.append(make_text(name, _LEFT + 2 * half, SMALL, **style | {"ha": "right"}))
    return stack([align(kinds), align(named)])


def _make_layer(finding: Finding, number: int, place: int) -> Row:
    """A layer's words, the image with the frame, and the tiles of each kind; below the whole layer its correlation."""
    arrays, layer = finding.arrays, str(finding.arrays["layers"][place])
    pitch, lefts = _measure(len(arrays["paths"]))
    side, image = pitch - _GAP, arrays["images"][number]
    seen = finding.numbers.get(f"{layer}/receptive_field")
    words = f"{layer}\nchannel {arrays['channels'][number, place]}" + (f"\nsees {seen} pixels" if seen else "")
    frame = arrays["frames"][number, place] * side / len(image)
    likeness = [f"{value:z.2f}" for value in arrays["likeness"][number, place]]
    below = [likeness, *[[""] * len(likeness)] * 2]
    groups = [
        [Tile(picture, text, style={"color": GRAY}) for picture, text in zip(pictures, texts, strict=True)]
        for pictures, texts in zip(arrays["back"][number, place], below, strict=True)
    ]
    return align(
        [
            make_aside(wrap_words(words, _LEFT - 0.1, SMALL), 0.1, side),
            make_tiles([Tile(image)], _LEFT, pitch, _GAP),
            Row(side, partial(_draw_frame, x=_LEFT, frame=frame, side=side)),
            *(make_tiles(tiles, left, pitch, _GAP) for tiles, left in zip(groups, lefts, strict=True)),
        ]
    )


def _draw_frame(sheet: Sheet, y: float, x: float, frame: np.ndarray, side: float) -> None:
    """The part of a frame (left, top, side in inches) that lies in the image."""
    (left, top), (right, bottom) = np.clip([frame[:2], frame[:2] + frame[2]], 0, side) + np.array([x, y])
    corners = [left, right, right, left, left], [top, top, bottom, bottom, top]
    sheet.paper.plot(*corners, color=_FRAME, linewidth=1.2, solid_joinstyle="miter")


def _make_patches(arrays: Mapping[str, np.ndarray], places: Sequence[int]) -> Row:
    """Of some layers beside one another: the patches, and right of them what was carried back."""
    width = (WIDTH - 0.2) / min(_MOST_BLOCKS, max(2, len(arrays["layers"])))
    across = math.ceil(math.sqrt(len(arrays["index0"])))
    pitch = (width - 0.2) / 2 / across
    gap, cells = 0.06 * pitch, []
    for column, place in enumerate(places):
        x = 0.1 + column * width
        words = f"{arrays['layers'][place]}, channel {arrays['channels'][0, place]}"
        parts = {x: arrays[f"patches{place}"], x + pitch * across + 0.06: arrays[f"patches_back{place}"]}
        grids = [make_tiles([*map(Tile, own)], left, pitch, gap, across, below=gap) for left, own in parts.items()]
        cells.append(
            stack([make_text(shorten(words, width - 0.2, SMALL), x, SMALL, below=0.03), align(grids), Row(0.2)])
        )
    return align(cells)
