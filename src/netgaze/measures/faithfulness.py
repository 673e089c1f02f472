"""Faithfulness of maps: pixels in a map's order, the area under a curve, and the correlation of maps."""

import numpy as np
import torch
from torch import Tensor


def rank_pixels(maps: Tensor) -> Tensor:
    """The place of each pixel of its map, int64 [B,H,W]: 0 for the highest value, H*W - 1 for the lowest.

    Pixels of equal value are in random order, the same for all maps: line by line, those at the top would come first,
    as if the map had marked them.
    """
    flat = maps.flatten(1)
    drawn = torch.randperm(flat.shape[1], generator=torch.Generator().manual_seed(0)).to(maps.device)
    order = drawn[flat[:, drawn].argsort(dim=1, descending=True, stable=True)]
    places = torch.arange(flat.shape[1], device=maps.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, places).view(maps.shape)


def measure_area(curves: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The area under curves [...,S] over shares [S], which rise from 0 to 1: by trapezoids, as RISE does, [...]."""
    heights = (curves[..., 1:] + curves[..., :-1]) / 2
    return (heights * np.diff(shares)).sum(axis=-1)


def correlate_ranks(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of each row with the same row of the other, [N,P] and [N,P] -> [N], -1..1.

    Ties have the mean of their ranks. The correlation with a constant row is 0.
    """
    from scipy.stats import rankdata  # half a second to import, and training asks for none

    first, second = (rankdata(rows, axis=1) - (rows.shape[1] + 1) / 2 for rows in (one, other))
    scale = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return (first * second).sum(axis=1) / np.where(scale > 0, scale, 1.0)
