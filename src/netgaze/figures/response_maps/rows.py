"""Rows of images with the maps of their classes beside them: how `ResponseMaps` lays out one network."""

import numpy as np
import torch

from netgaze.drawing.heat import describe_mass, enlarge
from netgaze.drawing.panels import (
    GRAY,
    RIGHT,
    SMALL,
    WIDTH,
    WRONG,
    Sheet,
    clip_words,
    color_signed,
    measure_lines,
    measure_titles,
    shorten,
    wrap_words,
)

_WORDS, _GAP, _MOST_PITCH = 0.92, 0.05, 1.1  # inches: the words left of an image, between tiles, from tile to tile
_SCORE, _BAR = 0.17, 0.55  # inches: the score below a map, the color bar
_LEAST_LEVEL, _UPRIGHT = 0.5, 0.95  # inches: tiles so narrow have names that stand upright, so high
_MOST_LINES = 4


class MapRows:
    """The rows of one network, laid out in inches.

    Args:
        label: its title.
        numbers, arrays: of its finding.
    """

    def __init__(self, label: str, numbers: dict[str, float], arrays: dict[str, np.ndarray]):
        self.label, self.arrays = label, arrays
        self.words = wrap_words(_words(numbers), WIDTH - 0.2, SMALL)
        num = arrays["classes"].shape[1]
        self.pitch = min(_MOST_PITCH, (WIDTH - 0.3 - _WORDS) / (num + 1))
        self.tile = self.pitch - _GAP
        self.left = (WIDTH - 0.1 - _WORDS - self.pitch * (num + 1)) / 2
        self.shared = bool((arrays["classes"] == arrays["classes"][0]).all())
        self.names = [[self._name(str(name)) for name in row] for row in arrays["classes"]]
        tallest = max(measure_lines(name, SMALL) for row in self.names for name in row)
        self.above = 0.04 + (tallest if self.level else _UPRIGHT)
        self.marks = [_mark(arrays, row) for row in range(len(self.names))]
        self.row = max(self.tile + _SCORE, *(measure_lines(mark, SMALL) for mark in self.marks)) + 0.06
        self.row += 0.0 if self.shared else self.above
        self.top = 0.2 + measure_titles([label], WIDTH) + measure_lines(self.words, SMALL)
        self.top += self.above if self.shared else 0.0
        self.height = self.top + self.row * len(self.names) + _BAR

    @property
    def level(self) -> bool:
        """There is room for names that lie level above the tiles."""
        return self.pitch >= _LEAST_LEVEL

    def _name(self, name: str) -> str:
        if not self.level:
            return shorten(name, _UPRIGHT, SMALL)
        return clip_words(name, self.pitch - 0.06, SMALL, _MOST_LINES)

    def draw(self, sheet: Sheet, y: float) -> None:
        """Title, words, names, rows, color bar, from y downwards."""
        sheet.title(0, y + 0.1, WIDTH, self.label)
        sheet.text(
            WIDTH / 2, y + 0.12 + measure_titles([self.label], WIDTH), self.words, SMALL, ha="center", color=GRAY
        )
        maps = torch.from_numpy(self.arrays["maps"])
        size = self.arrays["images"].shape[1:3]
        heats = np.stack([enlarge(of_one, size).numpy() for of_one in maps])
        scale = float(np.quantile(np.abs(heats), 0.99)) or 1.0
        if self.shared:
            self._draw_names(sheet, 0, y + self.top)
        for row, heat in enumerate(heats):
            self._draw_row(sheet, row, color_signed(heat, scale), y + self.top + row * self.row)
        width = min(3.0, self.pitch * heats.shape[1])
        middle = self._x(0) + (self.pitch * heats.shape[1] - _GAP) / 2
        sheet.signed_bar(middle - width / 2, y + self.height - _BAR + 0.08, width, scale, "response / evidence")

    def _x(self, column: int) -> float:
        return self.left + _WORDS + 0.1 + self.pitch * (column + 1)

    def _draw_names(self, sheet: Sheet, row: int, y: float) -> None:
        for column, name in enumerate(self.names[row]):
            style = {} if self.level else {"rotation": 90}
            sheet.text(self._x(column) + self.tile / 2, y - 0.04, name, SMALL, va="bottom", ha="center", **style)

    def _draw_row(self, sheet: Sheet, row: int, colors: np.ndarray, y: float) -> None:
        arrays, tile = self.arrays, self.tile
        if not self.shared:
            y += self.above
            self._draw_names(sheet, row, y)
        known, right = arrays["known"][row], arrays["true"][row] == arrays["predicted"][row]
        sheet.text(self.left, y, self.marks[row], SMALL, color=(RIGHT if right else WRONG) if known else GRAY)
        sheet.image(arrays["images"][row], self.left + _WORDS, y, tile, tile)
        for column, color in enumerate(colors):
            x, framed = self._x(column), arrays["framed"][row, column]
            sheet.image((color * 255).round().astype(np.uint8), x, y, tile, tile)
            sheet.outline(x, y, tile, "black" if framed else "#BBBBBB", 2.0 if framed else 0.5)
            score = _short(float(arrays["scores"][row, column]))
            size = min(SMALL, self.pitch * 72 / (0.68 * len(score)))
            weight = "bold" if arrays["answers"][row, column] else "normal"
            sheet.text(x + tile / 2, y + tile + 0.04, score, size, ha="center", weight=weight)


def _short(score: float) -> str:
    return f"{score:z.2f}" if abs(score) < 10 else f"{score:.3g}"


def _mark(arrays: dict[str, np.ndarray], row: int) -> str:
    """Left of an image: what it is and what the network says, in lines."""
    true, predicted = (shorten(str(arrays[key][row]), 2 * _WORDS, SMALL) for key in ("true", "predicted"))
    says = f"says {predicted} {arrays['probability_predicted'][row]:.2f}"
    if arrays["known"][row]:
        right = arrays["true"][row] == arrays["predicted"][row]
        says = "" if right else f"\n× {says}"
        says = f"{'✓' if right else 'is'} {true} {arrays['probability_true'][row]:.2f}{says}"
    return wrap_words(says, _WORDS - 0.02, SMALL)


def _words(numbers: dict[str, float]) -> str:
    words = f"{numbers['map_height']}x{numbers['map_width']} maps; of {numbers['num_scored']} images of the split: "
    words += "the true class's map has the highest peak in "
    words += f"{numbers['peak_highest']:.2f}, the lowest trough in {numbers['trough_lowest']:.2f} "
    words += f"(chance {numbers['chance']:.2g})"
    if "peak_on_object" in numbers:
        words += f"\npeak on object {numbers['peak_on_object']:.2f}, trough {numbers['trough_on_object']:.2f} "
        words += f"(middle {numbers['center_on_object']:.2f}), "
        words += describe_mass(numbers)
    return words
