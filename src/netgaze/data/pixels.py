"""Pixel operations on a whole batch on its device: windows, flips, rotations, sizes, normalization.

Pure functions that apply given draws, one number an image. Images are uint8 [B,C,H,W], fastest when channels come last
in memory; those that were distorted (see `distort`) are float32 with values of 0..255.
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

Floats = tuple[float, ...]

_GOLDEN = 0x9E3779B97F4A7C15
_AT_ONCE = 512  # images that are enlarged together: as decimal numbers they need four times the memory


def crop(
    images: Tensor, top: Tensor, left: Tensor, padding: int, size: int | None = None, padding_mode: str = "constant"
) -> Tensor:
    """Pad with zeros, or with the image mirrored at its border ("reflect"), and cut windows at (top, left), each [B].

    The windows are `size` pixels wide and high, or as the images were before padding. One gather of whole rows: a row
    of a window is a run of bytes, picked from a view of all runs.
    """
    num, channels = images.shape[:2]
    height, width = images.shape[2:] if size is None else (size, size)
    padded = _pad(images.permute(0, 2, 3, 1), padding, padding_mode).contiguous()
    run = width * channels
    runs = padded.view(-1).as_strided((padded.numel() - run + 1, run), (1, 1))
    tops = top + torch.arange(num, device=images.device) * padded.shape[1]
    rows = tops.view(-1, 1) + torch.arange(height, device=images.device)
    starts = (rows * padded.shape[2] + left.view(-1, 1)) * channels
    return runs.index_select(0, starts.flatten()).view(num, height, width, channels).permute(0, 3, 1, 2)


def _pad(pixels: Tensor, padding: int, mode: str) -> Tensor:
    """Images [B,H,W,C] -> [B,H+2P,W+2P,C]."""
    if mode == "constant" or not padding:
        return F.pad(pixels, (0, 0) + (padding,) * 4)
    for dim in (1, 2):  # torch reflects no bytes
        size = pixels.shape[dim]
        place = torch.arange(-padding, size + padding, device=pixels.device).abs()
        pixels = pixels.index_select(dim, (size - 1) - (size - 1 - place).abs())
    return pixels


def crop_center(images: Tensor, size: int) -> Tensor:
    """The middle `size` x `size` pixels of images [...,H,W], as a view; torchvision rounds the same way."""
    height, width = images.shape[-2:]
    top, left = round((height - size) / 2), round((width - size) / 2)
    return images[..., top : top + size, left : left + size]


def resize_to(images: Tensor, size: int) -> Tensor:
    """Images [N,C,H,W] as [N,C,size,size]: the middle of larger ones, smaller ones enlarged bilinearly and rounded."""
    if images.shape[-1] >= size:
        return crop_center(images, size)
    parts = [F.interpolate(part.float(), (size, size), mode="bilinear") for part in images.split(_AT_ONCE)]
    return torch.cat([part.round_().to(images.dtype) for part in parts])


def flip(images: Tensor, chosen: Tensor) -> Tensor:
    """Mirror left to right the images where `chosen` [B] is true."""
    pixels = images.permute(0, 2, 3, 1)
    both = torch.cat([pixels, pixels.flip(2)])
    index = torch.arange(len(images), device=images.device) + len(images) * chosen
    return both.index_select(0, index).permute(0, 3, 1, 2)


def choose_alternating(index: Tensor, epoch: int, seed: int) -> Tensor:
    """Which of the images at `index` [B] of a split are mirrored: half of them, in the next epoch the others.

    Whoever sees both sides of every image in two epochs learns faster than by chance (Jordan 2024, arXiv 2404.00498).
    Which half begins is drawn by `seed`, each image by itself: the highest bit of a hash of its place (splitmix64).
    """
    mixed = index + _wrap(_GOLDEN * (2 * seed + 1))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ ((mixed >> shift) & ((1 << (64 - shift)) - 1))) * _wrap(factor)
    mixed ^= (mixed >> 31) & ((1 << 33) - 1)
    return (mixed < 0) ^ bool(epoch % 2)


def _wrap(value: int) -> int:
    """A whole number as the int64 of the same last 64 bits."""
    return (value + 2**63) % 2**64 - 2**63


def cutout(images: Tensor, center_y: Tensor, center_x: Tensor, size: int) -> Tensor:
    """Black out a square of `size` pixels around a center, clipped at the border (DeVries and Taylor 2017)."""
    height, width = images.shape[-2:]
    rows = torch.arange(height, device=images.device).view(1, -1, 1) - center_y.view(-1, 1, 1) + size // 2
    columns = torch.arange(width, device=images.device).view(1, 1, -1) - center_x.view(-1, 1, 1) + size // 2
    hole = (rows >= 0) & (rows < size) & (columns >= 0) & (columns < size)
    return images.masked_fill(hole.unsqueeze(1), 0)


def rotate90(images: Tensor, quarter_turns: Tensor) -> Tensor:
    """Turn each square image by `quarter_turns` [B] in 0..3 times 90 degrees, counter-clockwise."""
    if images.shape[-1] != images.shape[-2]:
        raise ValueError(f"expected square images, got {tuple(images.shape)}")
    result = images
    for turns in (1, 2, 3):  # all of them, in place of those that are chosen: to count these is to wait for a GPU
        result = torch.where((quarter_turns == turns).view(-1, 1, 1, 1), torch.rot90(images, turns, (2, 3)), result)
    return result


def normalize(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Values of 0..255 [B,C,H,W] -> float32 [B,C,H,W], channels last, by `mean` and `std` of values in 0..1."""
    values = images.permute(0, 2, 3, 1).contiguous().to(torch.float32)
    if values.data_ptr() == images.data_ptr():
        values = values.clone()
    # In rows of all pixels' channels: arithmetic over runs of three numbers is several times slower on a CPU.
    scale, shift = _make_constants(tuple(mean), tuple(std), values.shape[2], images.device)
    values.flatten(2).mul_(scale).add_(shift)
    return values.permute(0, 3, 1, 2)


@lru_cache(maxsize=16)  # to make them on a GPU is to wait for it
def _make_constants(mean: Floats, std: Floats, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """What a row of so many pixels is multiplied by, and what is added, [width*C]."""
    scale = torch.tensor([1 / (255 * s) for s in std] * width, device=device)
    shift = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)] * width, device=device)
    return scale, shift
