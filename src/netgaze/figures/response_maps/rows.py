"""Rows of images with the maps of their classes beside them: how `ResponseMaps` lays out one network."""

from functools import partial

import numpy as np
import torch

from netgaze.drawing.heat import describe_mass, enlarge
from netgaze.drawing.panels import GRAY, RIGHT, SMALL, WIDTH, WRONG, Sheet, color_signed
from netgaze.drawing.rows import Row, make_signed_bar, make_text, make_title, stack
from netgaze.drawing.words import clip_words, measure_lines, shorten, wrap_words
from netgaze.figure import Finding

_WORDS, _GAP, _MOST_PITCH = 0.92, 0.05, 1.1  # inches: the words left of an image, between tiles, from tile to tile
_SCORE = 0.17  # inches: the score below a map
_LEAST_LEVEL, _UPRIGHT = 0.5, 0.95  # inches: tiles so narrow have names that stand upright, so high
_MOST_LINES = 4


class MapRows:
    """The rows of one network.

    Args:
        label: its title.
        finding: of `ResponseMaps`.
    """

    def __init__(self, label: str, finding: Finding):
        self.label, self.numbers, self.arrays = label, finding.numbers, finding.arrays
        num = self.arrays["classes"].shape[1]
        self.pitch = min(_MOST_PITCH, (WIDTH - 0.3 - _WORDS) / (num + 1))
        self.tile = self.pitch - _GAP
        self.level = self.pitch >= _LEAST_LEVEL  # there is room for names that lie level above the tiles
        self.left = (WIDTH - 0.1 - _WORDS - self.pitch * (num + 1)) / 2
        self.names = [[self._shorten_name(str(name)) for name in row] for row in self.arrays["classes"]]
        maps, size = torch.from_numpy(self.arrays["maps"]), self.arrays["images"].shape[1:3]
        self.heats = np.stack([enlarge(of_one, size).numpy() for of_one in maps])
        self.scale = float(np.quantile(np.abs(self.heats), 0.99)) or 1.0

    def _shorten_name(self, name: str) -> str:
        if not self.level:
            return shorten(name, _UPRIGHT, SMALL)
        return clip_words(name, self.pitch - 0.06, SMALL, _MOST_LINES)

    def make_row(self) -> Row:
        """Title, words, the classes' names, a row per image, and the color bar."""
        words = wrap_words(_describe(self.numbers), WIDTH - 0.2, SMALL)
        rows = [
            make_title(self.label, below=0.02),
            make_text(words, WIDTH / 2, SMALL, below=0.08, ha="center", color=GRAY),
        ]
        tallest = max(measure_lines(name, SMALL) for row in self.names for name in row) if self.level else _UPRIGHT
        names = [
            Row(tallest + 0.04, partial(self._draw_names, row=row, height=tallest)) for row in range(len(self.names))
        ]
        shared = bool((self.arrays["classes"] == self.arrays["classes"][0]).all())
        marks = [_describe_image(self.arrays, row) for row in range(len(self.names))]
        height = max(self.tile + _SCORE, *(measure_lines(mark, SMALL) for mark in marks)) + 0.06
        for row, mark in enumerate(marks):
            rows += names[row : row + 1] if row == 0 or not shared else []
            rows.append(Row(height, partial(self._draw_maps, row=row, mark=mark)))
        wide, width = self.pitch * self.heats.shape[1], min(3.0, self.pitch * self.heats.shape[1])
        middle = self._place(0) + (wide - _GAP) / 2
        return stack([*rows, make_signed_bar(middle - width / 2, width, self.scale, "response / evidence")])

    def _place(self, column: int) -> float:
        return self.left + _WORDS + 0.1 + self.pitch * (column + 1)

    def _draw_names(self, sheet: Sheet, y: float, row: int, height: float) -> None:
        style = {} if self.level else {"rotation": 90}
        for column, name in enumerate(self.names[row]):
            x = self._place(column) + self.tile / 2
            sheet.text(x, y + height, name, SMALL, va="bottom", ha="center", **style)

    def _draw_maps(self, sheet: Sheet, y: float, row: int, mark: str) -> None:
        arrays, tile, colors = self.arrays, self.tile, color_signed(self.heats[row], self.scale)
        known, right = arrays["known"][row], arrays["true"][row] == arrays["predicted"][row]
        sheet.text(self.left, y, mark, SMALL, color=(RIGHT if right else WRONG) if known else GRAY)
        sheet.image(arrays["images"][row], self.left + _WORDS, y, tile, tile)
        for column, color in enumerate(colors):
            x, framed = self._place(column), arrays["framed"][row, column]
            sheet.image((color * 255).round().astype(np.uint8), x, y, tile, tile)
            sheet.outline(x, y, tile, "black" if framed else "#BBBBBB", 2.0 if framed else 0.5)
            score = _format_score(float(arrays["scores"][row, column]))
            size = min(SMALL, self.pitch * 72 / (0.68 * len(score)))
            weight = "bold" if arrays["answers"][row, column] else "normal"
            sheet.text(x + tile / 2, y + tile + 0.04, score, size, ha="center", weight=weight)


def _format_score(score: float) -> str:
    return f"{score:z.2f}" if abs(score) < 10 else f"{score:.3g}"


def _describe_image(arrays: dict[str, np.ndarray], row: int) -> str:
    """Left of an image: what it is and what the network says, in lines."""
    true, predicted = (shorten(str(arrays[key][row]), 2 * _WORDS, SMALL) for key in ("true", "predicted"))
    says = f"says {predicted} {arrays['probability_predicted'][row]:.2f}"
    if arrays["known"][row]:
        right = arrays["true"][row] == arrays["predicted"][row]
        says = "" if right else f"\n× {says}"
        says = f"{'✓' if right else 'is'} {true} {arrays['probability_true'][row]:.2f}{says}"
    return wrap_words(says, _WORDS - 0.02, SMALL)


def _describe(numbers: dict[str, float]) -> str:
    words = f"{numbers['map_height']}x{numbers['map_width']} maps; of {numbers['num_scored']} images of the split: "
    words += "the true class's map has the highest peak in "
    words += f"{numbers['peak_highest']:.2f}, the lowest trough in {numbers['trough_lowest']:.2f} "
    words += f"(chance {numbers['chance']:.2g})"
    if "peak_on_object" in numbers:
        words += f"\npeak on object {numbers['peak_on_object']:.2f}, trough {numbers['trough_on_object']:.2f} "
        words += f"(middle {numbers['center_on_object']:.2f}), "
        words += describe_mass(numbers)
    return words
