"""The value range of pictures: 8-bit values unchanged, all others scaled by one range for the whole set.

Cameras, scanners and microscopes write 10, 12, 14 or 16 bits, signed numbers or shares of one into the same files. One
picture alone does not say which: what its set holds decides, or what was typed as `data.value_range`.
"""

import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from PIL.ImageFile import ImageFile

from netgaze.errors import NetgazeError

Range = tuple[float, float]
Ranges = Mapping[str, Range]  # black and white by the kind of numbers: "whole", "float", or "bytes" for 8 bits

_KINDS = {"whole": "whole numbers", "float": "floats", "bytes": "8 bits"}
_FULL = (255, 1023, 4095, 16_383, 65_535)  # the largest numbers of 8, 10, 12, 14 and 16 bits
_LEAST_FULL = 64  # shares that go beyond 1, but not this far, are no 8 bits
_OTHER_BYTE = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}


@dataclass(frozen=True)
class Extent:
    """Numbers of a kind in pictures: the smallest and the largest finite one, whether all are whole, how many are none.

    `kind` is how files store them: "whole" or "float".
    """

    kind: str
    low: float
    high: float
    whole: bool
    num_bad: int = 0


def is_deep(image: ImageFile) -> bool:
    """Whether an opened picture has numbers other than 8 bits."""
    return image.mode.startswith(("I", "F")) or _split_rawmode(image) is not None


def read_values(path: Path | str, image: ImageFile, formats: tuple[str, ...]) -> np.ndarray:
    """The numbers of a deep picture, upright, [H,W] or [H,W,3], as they are stored.

    Args:
        path: of the picture.
        image: opened.
        formats: by which it may be opened once more: Pillow gives colors of 16 bits one byte at a time.
    """
    split = _split_rawmode(image)
    if split is None:
        image.load()
        return np.asarray(ImageOps.exif_transpose(image))
    upper = np.asarray(ImageOps.exif_transpose(image).convert("RGB"), dtype=np.uint16)
    with Image.open(path, formats=formats) as lower:
        rawmode, place = split
        args: Any = lower.tile[0].args
        other = rawmode[:-1] + _OTHER_BYTE[rawmode[-1]]
        swapped = other if isinstance(args, str) else (*args[:place], other, *args[place + 1 :])
        lower.tile = [tile._replace(args=swapped) for tile in lower.tile]
        return 256 * upper + np.asarray(ImageOps.exif_transpose(lower).convert("RGB"), dtype=np.uint16)


def _split_rawmode(image: ImageFile) -> tuple[str, int] | None:
    """How a file stores colors of 16 bits, of which Pillow reads the upper 8, and where it says so; None for others."""
    if image.mode != "RGB" or not image.tile:
        return None
    args: Any = image.tile[0].args
    stored = (args,) if isinstance(args, str) else tuple(args or ())
    for place, word in enumerate(stored):
        if isinstance(word, str) and word.startswith("RGB;16"):
            return word, place
    return None


def measure(values: np.ndarray) -> Extent:
    """The extent of one picture's numbers."""
    kind = name_kind(values)
    finite = np.isfinite(values) if values.dtype.kind == "f" else np.ones(values.shape, bool)
    known = values[finite]
    if not known.size:
        return Extent(kind, math.inf, -math.inf, True, values.size)
    whole = kind == "whole" or bool((known == np.rint(known)).all())
    return Extent(kind, float(known.min()), float(known.max()), whole, int(values.size - known.size))


def name_kind(values: np.ndarray) -> str:
    """Whether numbers are stored as "whole" ones or as "float"."""
    return "float" if values.dtype.kind == "f" else "whole"


def choose_ranges(extents: Iterable[Extent]) -> Ranges:
    """One range for all pictures of a set that store numbers of one kind."""
    kinds: dict[str, list[Extent]] = {}
    for extent in extents:
        kinds.setdefault(extent.kind, []).append(extent)
    return {
        kind: choose_range(
            Extent(kind, min(e.low for e in some), max(e.high for e in some), all(e.whole for e in some))
        )
        for kind, some in kinds.items()
    }


def choose_range(extent: Extent) -> Range:
    """What becomes black and what becomes white.

    Numbers from 0 on: the fewest usual bits (8, 10, 12, 14, 16) that hold the largest; 0..1 for shares and for masks
    of zeros and ones. Shares below zero: -1..1. All else: to the largest number, from zero or the smallest below it.
    """
    low, high = extent.low, extent.high
    if not low <= high:  # nothing finite
        return 0.0, 1.0
    if low < 0:
        return (-1.0, 1.0) if low >= -1 and high <= 1 else (low, high if high > low else 0.0)
    if high <= 1:
        return 0.0, 1.0
    least = 15 if extent.whole else _LEAST_FULL
    if high <= least:
        return 0.0, high
    return 0.0, float(next((full for full in _FULL if high <= full), high))


def check_range(typed: Any) -> Ranges:
    """`data.value_range` for numbers of all kinds that it can be meant for; empty where it is null.

    Raises:
        NetgazeError: it is something else than two numbers.
    """
    if typed is None:
        return {}
    numbers = [value for value in typed if isinstance(value, int | float)] if isinstance(typed, list | tuple) else []
    if len(numbers) != 2 or not all(map(math.isfinite, numbers)) or not numbers[0] < numbers[1]:
        raise NetgazeError(
            f"data.value_range={str(typed).replace(' ', '')} must be two numbers, what is black and what is white, as "
            "in data.value_range=[0,4095]; null finds them."
        )
    kinds = ("whole", "float", *(["bytes"] if min(numbers) >= 0 and max(numbers) <= 255 else []))
    return dict.fromkeys(kinds, (float(numbers[0]), float(numbers[1])))


def to_bytes(values: np.ndarray, ranges: Ranges) -> np.ndarray:
    """Numbers as uint8 of the same shape: 0 for black, and what lies below or is no number, 255 for white and above.

    Args:
        values: of one picture.
        ranges: black and white by kind; of a kind that is not among them this picture alone decides.
    """
    low, high = ranges.get(name_kind(values)) or choose_range(measure(values))
    shares = (np.nan_to_num(values.astype(np.float64), nan=low, posinf=high, neginf=low) - low) / (high - low)
    return np.rint(255 * shares.clip(0, 1)).astype(np.uint8)


def stretch(image: Image.Image, ranges: Ranges) -> Image.Image:
    """A picture of 8 bits, in gray or color, by the range that was typed for such; as it is where none was."""
    if "bytes" not in ranges:
        return image
    table = to_bytes(np.arange(256), {"whole": ranges["bytes"]}).tolist()
    return image.point(table * len(image.getbands()))


def describe_ranges(ranges: Ranges) -> str:
    """Ranges as people write them: 0..4095."""
    each = {kind: "..".join(f"{value:g}" for value in ends) for kind, ends in ranges.items()}
    if len(set(each.values())) <= 1:
        return next(iter(each.values()), "0..255")
    return ", ".join(f"{words} ({_KINDS[kind]})" for kind, words in each.items())
