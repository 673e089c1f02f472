"""What a position of a layer sees of an image, and values of both signs as pictures."""

import numpy as np
from torch import Tensor

from netgaze.inside.receptive_bounds import Field

_OUTSIDE = 128  # gray of what a patch shows beyond the image's border
_FULL = 0.995  # the share of values that a scale covers, so that a single pixel does not make the others gray


def find_tiles(values: Tensor) -> np.ndarray:
    """Values of both signs [B,C,H,W] as pictures, uint8 [B,H,W,3]: each on its own scale, zero in medium gray."""
    scales = values.abs().flatten(1).quantile(_FULL, dim=1).view(-1, 1, 1, 1)
    scaled = (values / scales.clamp(min=1e-30)).clamp(-1, 1)
    shown = (127.5 + 127.5 * scaled).round().byte().cpu()
    return shown.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).contiguous().numpy()


def find_frames(field: Field | None, places: np.ndarray, width: int, side: int) -> np.ndarray:
    """Left, top and side in pixels of what positions [B] of maps `width` wide see, int64 [B,3].

    All of the image, of `side` pixels, where the field is not known or not smaller than it.
    """
    if field is None or field.stride is None or field.size >= side:
        return np.tile(np.array([0, 0, side]), (len(places), 1))
    rows, columns = np.divmod(places, width)
    corners = [field.start + field.stride * at for at in (columns, rows)]
    return np.stack([*corners, np.full_like(rows, field.size)], axis=1)


def cut_patches(images: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """What frames [B,3] of one side show of pictures uint8 [B,H,W,3]: uint8 [B,s,s,3], gray beyond the border."""
    side = int(seen[0, 2])
    margin = ((0, 0), (side, side), (side, side), (0, 0))
    padded = np.pad(images, margin, constant_values=_OUTSIDE)
    return np.stack(
        [
            image[top + side : top + 2 * side, left + side : left + 2 * side]
            for image, (left, top, _) in zip(padded, seen, strict=True)
        ]
    )
