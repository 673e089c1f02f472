"""How `Deconvnet` lays out one network: a row per layer with what was carried back, then patches of the split."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from netgaze.drawing.panels import GRAY, SMALL, TEXT, WIDTH, Sheet, fill_rows
from netgaze.drawing.rows import Row, make_text, make_title, stack
from netgaze.drawing.words import measure_lines, shorten, wrap_words
from netgaze.figure import Finding

KINDS = ("the whole layer", "one channel", "its strongest place")
_WORDS, _GAP, _GROUP = 0.95, 0.04, 0.12  # inches: the words left of a row, between tiles, between groups of them
_SCORE, _LARGEST, _MOST_BLOCKS = 0.15, 1.1, 4
_FRAME = "#E69F00"


class Block:
    """The rows of one network.

    Args:
        label: its title.
        finding: of `Deconvnet`.
    """

    def __init__(self, label: str, finding: Finding):
        self.label, self.numbers, self.arrays = label, finding.numbers, finding.arrays
        self.paths = [str(path) for path in self.arrays["paths"]]
        self.layers = [str(layer) for layer in self.arrays["layers"]]
        num = 1 + len(KINDS) * len(self.paths)
        self.tile = min(_LARGEST, (WIDTH - 0.2 - _WORDS - _GROUP * len(KINDS) - _GAP * num) / num)
        self.square = int(np.ceil(np.sqrt(len(self.arrays["index0"]))))
        self.width = (WIDTH - 0.2) / min(_MOST_BLOCKS, max(2, len(self.layers)))
        self.small = (self.width - 0.2) / 2 / self.square

    def make_row(self) -> Row:
        """Title, a row per image and layer, and patches of the split."""
        num, places = len(self.arrays["images"]), range(len(self.layers))
        rows = [make_title(self.label, below=0.1)]
        for number in range(num):
            rows.append(Row(0.36 if len(self.paths) > 1 else 0.2, partial(self._draw_names, number=number)))
            draw = partial(self._draw_layer, number=number)
            rows += [Row(self.tile + _SCORE, partial(draw, place=place)) for place in places]
            rows.append(Row(0.1))
        channel = "that channel" if num == 1 else "the first image's channel"
        words = f"Where images of the split activate {channel} most (left), and these activations carried back (right)"
        rows.append(make_text(words, height=0.25, color=GRAY))
        across = fill_rows(len(self.layers), _MOST_BLOCKS)[1]
        for start in range(0, len(self.layers), across):
            draw_patches = partial(self._draw_patches, places=places[start : start + across])
            rows.append(Row(self.small * self.square + 0.4, draw_patches))
        return stack(rows)

    def _list_lefts(self) -> Iterator[tuple[int, int, float]]:
        """Kind, path and left edge of each tile of a row, but for the image's."""
        x = 0.1 + _WORDS + self.tile + _GAP
        for kind in range(len(KINDS)):
            x += _GROUP
            for path in range(len(self.paths)):
                yield kind, path, x
                x += self.tile + _GAP

    def _draw_names(self, sheet: Sheet, y: float, number: int) -> None:
        lefts, below = list(self._list_lefts()), 0.18 if len(self.paths) > 1 else 0.02
        style: Any = {"ha": "center", "color": GRAY}
        for kind, words in enumerate(KINDS):
            own = [x for other, _, x in lefts if other == kind]
            sheet.text((own[0] + own[-1] + self.tile) / 2, y, words, TEXT, **style)
        if len(self.paths) > 1:
            for _, path, x in lefts:
                sheet.text(x + self.tile / 2, y + below, self.paths[path], SMALL, **style)
        name = shorten(str(self.arrays["names"][number]), _WORDS + self.tile, SMALL)
        sheet.text(0.1 + _WORDS + self.tile, y + below, name, SMALL, ha="right", color=GRAY)

    def _draw_layer(self, sheet: Sheet, y: float, number: int, place: int) -> None:
        layer, channel = self.layers[place], self.arrays["channels"][number, place]
        image, frame = self.arrays["images"][number], self.arrays["frames"][number, place]
        seen = self.numbers.get(f"{layer}/receptive_field")
        words = f"{layer}\nchannel {channel}" + (f"\nsees {seen}\npixels" if seen else "")
        words = wrap_words(words, _WORDS, SMALL)
        sheet.text(0.1, y + (self.tile - measure_lines(words, SMALL)) / 2, words, SMALL)
        x = 0.1 + _WORDS
        sheet.image(image, x, y, self.tile, self.tile)
        _draw_frame(sheet, frame, len(image), x, y, self.tile)
        for kind, path, left in self._list_lefts():
            sheet.image(self.arrays["back"][number, place, kind, path], left, y, self.tile, self.tile)
            if not kind:
                likeness = self.arrays["likeness"][number, place, path]
                sheet.text(left + self.tile / 2, y + self.tile, f"{likeness:z.2f}", SMALL, ha="center", color=GRAY)

    def _draw_patches(self, sheet: Sheet, y: float, places: Sequence[int]) -> None:
        for right, place in enumerate(places):
            x = 0.1 + right * self.width
            words = f"{self.layers[place]}, channel {self.arrays['channels'][0, place]}"
            sheet.text(x, y, wrap_words(words, self.width, SMALL).split("\n")[0], SMALL)
            for side, name in enumerate(("patches", "patches_back")):
                for number, patch in enumerate(self.arrays[f"{name}{place}"]):
                    left = x + side * (self.small * self.square + 0.06) + number % self.square * self.small
                    top = y + 0.16 + number // self.square * self.small
                    sheet.image(patch, left, top, self.small * 0.94, self.small * 0.94)


def _draw_frame(sheet: Sheet, frame: np.ndarray, pixels: int, x: float, y: float, tile: float) -> None:
    """The part of a receptive field (left, top, side in pixels) that lies in the image."""
    first = np.clip(frame[:2], 0, pixels)
    last = np.clip(frame[:2] + frame[2], 0, pixels)
    left, top = first / pixels * tile
    width, height = (last - first) / pixels * tile
    style: Any = {"color": _FRAME, "linewidth": 1.2, "solid_joinstyle": "miter"}
    corners = [(left, top), (left + width, top), (left + width, top + height), (left, top + height), (left, top)]
    sheet.paper.plot([x + a for a, _ in corners], [y + b for _, b in corners], **style)
