"""Blur: defocus, frosted glass, motion and zoom; see `noise` for what functions take."""

import math
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import correlate1d
from torch import Tensor

from netgaze.corruptions.draws import Rngs, draw_each
from netgaze.corruptions.operators import enlarge, smooth
from netgaze.corruptions.rounding import cut

_LEAST = 1e-9  # weights below which a pixel counts for nothing


def defocus(images: Tensor, rngs: Rngs, radius: float, smoothing: float) -> Tensor:
    """Spread each pixel over a disk whose edge is smoothed by a Gaussian, the border mirrored."""
    kernel = make_disk(radius, smoothing)
    half = len(kernel) // 2
    padded = F.pad(images, (half,) * 4, mode="reflect").flatten(0, 1).unsqueeze(1)
    return F.conv2d(padded, kernel[None, None]).view_as(images)


@lru_cache(maxsize=16)
def make_disk(radius: float, smoothing: float) -> Tensor:
    """The weights of a smoothed disk, without the empty border: [k,k].

    Their sum is one, but for a disk that reaches its border, as that of ImageNet-C's highest severity does.
    """
    reach, half = (8, 1) if radius <= 8 else (int(radius), 2)
    squares = np.arange(-reach, reach + 1) ** 2
    disk = (squares[:, None] + squares <= radius**2).astype(np.float64)
    disk /= disk.sum()
    taps = np.exp(-(np.arange(-half, half + 1) ** 2) / (2 * smoothing**2))
    for axis in (0, 1):
        disk = correlate1d(disk, taps / taps.sum(), axis=axis, mode="mirror")
    empty = int(np.argmax(disk.max(axis=0) > _LEAST))
    return torch.from_numpy(disk[empty : len(disk) - empty, empty : len(disk) - empty]).float()


def blur_through_glass(images: Tensor, rngs: Rngs, sigma: float, reach: int, times: int) -> Tensor:
    """Smooth, let pixels be copied from near ones, `reach` pixels away at most, so many times, and smooth again.

    The authors' loop means to swap pixels and copies them, as rows of an array are no values: so do we.
    """
    size = images.shape[-1]
    inner = size - 2 * reach
    offsets = draw_each(rngs, lambda rng: rng.integers(-reach, reach, (times, inner, inner, 2)))
    pixels = cut(smooth(images, sigma, "nearest", 4.0)).flatten(2)
    for down, across in offsets.permute(1, 4, 0, 2, 3):
        sources = find_sources(down, across, size).unsqueeze(1).expand_as(pixels)
        pixels = pixels.gather(2, sources)
    return smooth(pixels.view_as(images), sigma, "nearest", 4.0)


def find_sources(down: Tensor, across: Tensor, size: int) -> Tensor:
    """Where each pixel's value is from when pixels are copied one after another, the last one first: [B,S*S].

    A pixel that is copied from a later one gets what that one was given before: the chain is followed to its end, in
    steps that double.

    Args:
        down: rows from a pixel to where it is copied from, int64 [B,n,n], for all but the pixels at the border.
        across: columns, the same.
        size: S of the images.
    """
    first = (size - down.shape[-1]) // 2 + 1
    inner = slice(first, first + down.shape[-1])
    places = torch.arange(size * size)
    sources = places.view(size, size).repeat(len(down), 1, 1)
    sources[:, inner, inner] += down * size + across
    sources = sources.flatten(1)
    is_open = sources > places
    while is_open.any():
        further, still = sources.gather(1, sources), is_open.gather(1, sources)
        sources, is_open = torch.where(is_open, further, sources), is_open & still
    return sources


def blur_by_motion(images: Tensor, rngs: Rngs, radius: float, sigma: float) -> Tensor:
    """Smear along a direction within 45 degrees of the horizontal."""
    return smear(images, draw_each(rngs, lambda rng: rng.uniform(-45, 45)), radius, sigma)


def smear(images: Tensor, degrees: Tensor, radius: float, sigma: float) -> Tensor:
    """The half of a Gaussian along a direction [B], in steps of whole pixels, rounded to whole values.

    ImageMagick's motion blur, after its source: 2 * radius + 1 steps, the border continued. We could not hold it
    against that program itself.
    """
    steps = np.arange(2 * math.ceil(radius) + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    weights /= weights.sum()
    num = int((weights > _LEAST).sum())
    radians = torch.deg2rad(degrees.double())
    down, across = (torch.ceil(part(radians)[:, None] * torch.arange(num) - 0.5) for part in (torch.sin, torch.cos))
    result = torch.zeros_like(images)
    padded = F.pad(images, (num,) * 4, mode="replicate").permute(0, 2, 3, 1).contiguous()
    for step, weight in enumerate(weights[:num]):
        shifted = _cut_windows(padded, down[:, step].long() + num, across[:, step].long() + num, images.shape[-1])
        result.add_(shifted, alpha=float(weight))
    return result.round_()


def _cut_windows(padded: Tensor, top: Tensor, left: Tensor, size: int) -> Tensor:
    """Squares of images [B,H,W,C] from (top, left), each [B]: [B,C,S,S]. A gather of rows, as in `data.pixels.crop`."""
    num, height, width, channels = padded.shape
    run = size * channels
    runs = padded.view(-1).as_strided((padded.numel() - run + 1, run), (1, 1))
    rows = (top + torch.arange(num) * height).view(-1, 1) + torch.arange(size)
    starts = (rows * width + left.view(-1, 1)) * channels
    return runs.index_select(0, starts.flatten()).view(num, size, size, channels).permute(0, 3, 1, 2)


def blur_by_zooming(images: Tensor, rngs: Rngs, stop: float, step: float) -> Tensor:
    """The mean of the image and of its center, enlarged by 1, 1 + step, and so on up to `stop`."""
    factors = np.arange(1, stop, step)
    total = images.clone()
    for factor in factors:
        total += enlarge(images, factor)
    return total / (len(factors) + 1)
