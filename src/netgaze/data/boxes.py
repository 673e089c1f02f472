"""Object boxes of Miniplaces: XML files as in Pascal VOC."""

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import torch
from torch import Tensor

from netgaze.errors import NetgazeError

PUBLISHED = 128  # side in pixels of the images that boxes are given for
MOST_BYTES = 1_000_000  # of a file; the official ones have at most a tenth of it
# What surrounds things rather than being one: a box around it says nothing of where to look.
BACKGROUND = {
    *("ceiling", "field", "floor", "grass", "ground", "land", "path", "river_water", "road", "sand_beach"),
    *("sea_water", "sidewalk", "sky", "wall", "water"),
}


@dataclass(frozen=True)
class Box:
    """An object: its category, and its sides in pixels, from 1 on, both ends included."""

    name: str
    left: int
    top: int
    right: int
    bottom: int


def read_boxes(path: Path, names: list[str]) -> list[Box]:
    """The objects of a file.

    Args:
        path: the file.
        names: of the categories, by number.

    Raises:
        NetgazeError: the file is not of the official form.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError("too large")
        found = []
        # The files have no root, which XML must have.
        for item in ElementTree.fromstring(f"<image>{path.read_text(encoding='utf-8')}</image>").iter("objects"):
            sides = [int(float(item.findtext(f"bndbox/{side}", ""))) for side in ("xmin", "ymin", "xmax", "ymax")]
            found.append(Box(names[int(item.findtext("class", ""))], *sides))
        return found
    except (ElementTree.ParseError, ValueError, ArithmeticError, IndexError) as error:
        raise NetgazeError(
            f"{path} is not a file of object boxes ({error}). Download it again, or remove it."
        ) from error


def draw_mask(boxes: list[Box], size: int) -> Tensor:
    """Where there are objects, bool [size,size]: the union of the boxes of things, without `BACKGROUND`."""
    mask = torch.zeros(size, size, dtype=torch.bool)
    scale = size / PUBLISHED
    for box in boxes:
        if box.name not in BACKGROUND:
            rows = slice(round(max(box.top - 1, 0) * scale), round(max(box.bottom, 0) * scale))
            mask[rows, round(max(box.left - 1, 0) * scale) : round(max(box.right, 0) * scale)] = True
    return mask
