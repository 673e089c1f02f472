"""Mixup, CutMix and random erasing, on normalized batches on their device.

As in `augment`, each operation is a draw, and a pure function that applies given draws. Definitions are torchvision's;
deviation: labels are not turned into shares of all classes, see `batch.Mixed`.
"""

import math

import torch
from torch import Tensor

Box = tuple[int, int, int, int]  # top, left, bottom, right, in pixels

_SCALE, _RATIO = (0.02, 0.33), (0.3, 3.3)  # of erased rectangles: share of the image, height to width
_TRIES = 10


def mixup(images: Tensor, share: float) -> Tensor:
    """Each image [B,C,H,W] times `share`, and the image before it in the batch times the rest (Zhang et al. 2018)."""
    return images.lerp(images.roll(1, 0), 1 - share)


def cutmix(images: Tensor, box: Box) -> Tensor:
    """Each image [B,C,H,W] with a window of the image before it in the batch (Yun et al. 2019)."""
    top, left, bottom, right = box
    mixed = images.clone()
    mixed[..., top:bottom, left:right] = images.roll(1, 0)[..., top:bottom, left:right]
    return mixed


def draw_share(alpha: float) -> float:
    """From Beta(alpha, alpha), on the CPU: no device is waited for."""
    return float(torch.distributions.Beta(alpha, alpha).sample())


def draw_box(share: float, height: int, width: int) -> Box:
    """A window of 1 - `share` of an image, its center anywhere in it, clipped at the border."""
    half = 0.5 * math.sqrt(1 - share)
    y, x = int(torch.randint(height, ())), int(torch.randint(width, ()))
    dy, dx = int(half * height), int(half * width)
    return max(0, y - dy), max(0, x - dx), min(height, y + dy), min(width, x + dx)


def measure_rest(box: Box, height: int, width: int) -> float:
    """The share of an image that is outside a window."""
    top, left, bottom, right = box
    return 1 - (bottom - top) * (right - left) / (height * width)


def erase(images: Tensor, boxes: Tensor) -> Tensor:
    """Set a rectangle of each image [B,C,H,W] to zero, which is the mean color: `boxes` [B,4] as `Box`."""
    height, width = images.shape[-2:]
    top, left, bottom, right = boxes.to(images.device).T.unsqueeze(2)
    rows, columns = torch.arange(height, device=images.device), torch.arange(width, device=images.device)
    inside = ((rows >= top) & (rows < bottom)).unsqueeze(2) & ((columns >= left) & (columns < right)).unsqueeze(1)
    return images.masked_fill(inside.unsqueeze(1), 0.0)


def draw_boxes(num: int, probability: float, height: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """Rectangles to erase, int64 [num,4], empty but with `probability` (Zhong et al. 2020, torchvision's defaults).

    Of ten drawn for each image the first that is smaller than the image counts, and if none is, there is none.
    """
    area = torch.empty(_TRIES, num, device=device).uniform_(*_SCALE) * height * width
    ratio = torch.empty(_TRIES, num, device=device).uniform_(*map(math.log, _RATIO)).exp()
    high, wide = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
    fits = (high < height) & (wide < width)
    first = fits.int().argmax(dim=0, keepdim=True)
    chosen = fits.any(dim=0) & (torch.rand(num, device=device) < probability)
    high, wide = (size.gather(0, first)[0] * chosen for size in (high, wide))
    top, left = (
        (torch.rand(num, device=device) * (whole - part + 1)).floor() for whole, part in ((height, high), (width, wide))
    )
    return torch.stack([top, left, top + high, left + wide], dim=1).long()
