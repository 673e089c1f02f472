"""Enlarging and smoothing of whole batches, as scipy does it, so that no image changes with the batch that it is in."""

import math
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter1d
from torch import Tensor


def enlarge(images: Tensor, factor: float) -> Tensor:
    """The middle of images [B,C,S,S], enlarged linearly to their size, as the paper's `clipped_zoom`."""
    size = images.shape[-1]
    kept = math.ceil(size / factor)
    large = round(kept * factor)
    first, start = (size - kept) // 2, (large - size) // 2
    middle = images[..., first : first + kept, first : first + kept]
    grown = F.interpolate(middle, (large, large), mode="bilinear", align_corners=True)
    return grown[..., start : start + size, start : start + size]


def smooth(images: Tensor, sigma: float, mode: str, truncate: float) -> Tensor:
    """Images [...,S,S] smoothed by a Gaussian of sigma pixels; mode and truncate in scipy's words.

    Two products with what scipy makes of single pixels, in float64: sums differ in their last digits with the number
    of images, and what is then cut to bytes may not.
    """
    if not sigma:
        return images
    matrix = _make_gaussian(images.shape[-1], sigma, mode, truncate)
    return (matrix @ images.double() @ matrix.T).float()


@lru_cache(maxsize=64)
def _make_gaussian(size: int, sigma: float, mode: str, truncate: float) -> Tensor:
    return torch.from_numpy(gaussian_filter1d(np.eye(size), sigma, axis=0, mode=mode, truncate=truncate))
