"""Clouds: height maps by the diamond-square algorithm, all images at once."""

import torch
from torch import Tensor

from netgaze.corruptions.draws import Rngs, draw_each

_FIRST = 100.0**2  # how far the first heights are moved; the whole is scaled in the end


def make_plasma(rngs: Rngs, size: int, decay: float) -> Tensor:
    """Fractal height maps, the lowest place of each 0 and the highest 1, cut to [B,size,size].

    Args:
        rngs: of the images.
        size: pixels across; the map itself has the next power of two.
        decay: how much less is moved at half the distance: the square of this factor, as in the authors' program.
    """
    across = 1 << (size - 1).bit_length()
    moves = draw_each(rngs, lambda rng: rng.uniform(-1, 1, across**2 - 1)).double()
    maps = torch.zeros(len(moves), across, across, dtype=torch.float64)
    step, height, used = across, _FIRST, 0
    while step >= 2:
        num = across // step
        parts = height * moves[:, used : used + 3 * num**2].view(-1, 3, num, num)
        _refine(maps, step, *parts.unbind(1))
        step, height, used = step // 2, height / decay**2, used + 3 * num**2
    maps -= maps.amin(dim=(1, 2), keepdim=True)
    maps /= maps.amax(dim=(1, 2), keepdim=True)
    return maps[:, :size, :size].float()


def _refine(maps: Tensor, step: int, in_squares: Tensor, across: Tensor, down: Tensor) -> None:
    """Set the heights midway between those that are known, `step` pixels apart: the mean of four, and a move."""
    half = step // 2
    corners = maps[:, ::step, ::step]
    rows = corners + corners.roll(-1, 1)
    maps[:, half::step, half::step] = (rows + rows.roll(-1, 2)) / 4 + in_squares
    middles = maps[:, half::step, half::step]
    maps[:, ::step, half::step] = (middles + middles.roll(1, 1) + corners + corners.roll(-1, 2)) / 4 + across
    maps[:, half::step, ::step] = (middles + middles.roll(1, 2) + corners + corners.roll(-1, 1)) / 4 + down
