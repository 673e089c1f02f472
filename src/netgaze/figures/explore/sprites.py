"""Many images as tiles of one picture."""

import io
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch.nn.functional as F
from PIL import Image

from netgaze.drawing.examples import to_rgb

_MOST_PLACES = 3_200_000  # of all tiles together: 40 x 40 each of 2,000
_MOST_SIDE, _LEAST_SIDE = 128, 16
_QUALITY = 80  # of WebP: a tile of CIFAR-10 has some 500 bytes


def draw_sprite(data: Any, found: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Tiles of images as one WebP file, its bytes `sprite`, with the `side` of a tile and how many are `across`.

    A tile is the whole image, never larger than that, and smaller where many would be heavy.

    Args:
        data: a `data.base.ImageData`.
        found: arrays of a finding, which name the images.
    """
    tiles = []
    for place, split in enumerate(found["splits"].tolist()):
        tiles.append(data.images(split, found["index"][found["split"] == place]))
    num, size = sum(map(len, tiles)), max(tiles[0].shape[-2:])
    side = max(_LEAST_SIDE, min(size, _MOST_SIDE, math.isqrt(_MOST_PLACES // num)))
    pictures = np.concatenate([to_rgb(_resize(some, side)) for some in tiles])
    across = max(1, math.isqrt(num))
    sheet = np.zeros((-(-num // across) * side, across * side, 3), dtype=np.uint8)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, across)
        sheet[row * side : (row + 1) * side, column * side : (column + 1) * side] = picture
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, format="webp", quality=_QUALITY, method=2)
    return {"sprite": np.frombuffer(file.getvalue(), np.uint8), "side": np.array(side), "across": np.array(across)}


def _resize(images: Any, side: int) -> Any:
    """Images uint8 [N,C,H,W] at [N,C,side,side], as they are where they have this size."""
    if images.shape[-2:] == (side, side):
        return images
    return F.interpolate(images, size=(side, side), mode="bilinear", antialias=True)
