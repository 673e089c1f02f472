"""Augmentation of a whole batch on its device, each image with its own draw.

Each operation is split in two: the draw, one number an image, and the pure function that applies given draws.
Images are uint8 [B,C,H,W], fastest when channels come last in memory; draws come from the device's global generator.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

_AT_ONCE = 512  # images that are enlarged together: as decimal numbers they need four times the memory


def crop(images: Tensor, top: Tensor, left: Tensor, padding: int, size: int | None = None) -> Tensor:
    """Pad with zeros and cut windows at (top, left), each [B], out of the padded images.

    The windows are `size` pixels wide and high, or as the images were before padding. One gather of whole rows: a row
    of a window is a run of bytes, picked from a view of all runs.
    """
    num, channels = images.shape[:2]
    height, width = images.shape[2:] if size is None else (size, size)
    padded = F.pad(images.permute(0, 2, 3, 1), (0, 0) + (padding,) * 4).contiguous()
    run = width * channels
    runs = padded.view(-1).as_strided((padded.numel() - run + 1, run), (1, 1))
    tops = top + torch.arange(num, device=images.device) * padded.shape[1]
    rows = tops.view(-1, 1) + torch.arange(height, device=images.device)
    starts = (rows * padded.shape[2] + left.view(-1, 1)) * channels
    return runs.index_select(0, starts.flatten()).view(num, height, width, channels).permute(0, 3, 1, 2)


def crop_center(images: Tensor, size: int) -> Tensor:
    """The middle `size` x `size` pixels of images [...,H,W], as a view; torchvision rounds the same way."""
    height, width = images.shape[-2:]
    top, left = round((height - size) / 2), round((width - size) / 2)
    return images[..., top : top + size, left : left + size]


def resize_to(images: Tensor, size: int) -> Tensor:
    """Images uint8 [N,C,H,W] as uint8 [N,C,size,size]: the middle of larger ones, smaller ones enlarged bilinearly."""
    if images.shape[-1] >= size:
        return crop_center(images, size)
    parts = [F.interpolate(part.float(), (size, size), mode="bilinear") for part in images.split(_AT_ONCE)]
    return torch.cat([part.round_().to(torch.uint8) for part in parts])


def flip(images: Tensor, chosen: Tensor) -> Tensor:
    """Mirror left to right the images where `chosen` [B] is true."""
    pixels = images.permute(0, 2, 3, 1)
    both = torch.cat([pixels, pixels.flip(2)])
    index = torch.arange(len(images), device=images.device) + len(images) * chosen
    return both.index_select(0, index).permute(0, 3, 1, 2)


def cutout(images: Tensor, center_y: Tensor, center_x: Tensor, size: int) -> Tensor:
    """Black out a square of `size` pixels around a center, clipped at the border (DeVries and Taylor 2017)."""
    height, width = images.shape[-2:]
    rows = torch.arange(height, device=images.device).view(1, -1, 1) - center_y.view(-1, 1, 1) + size // 2
    columns = torch.arange(width, device=images.device).view(1, 1, -1) - center_x.view(-1, 1, 1) + size // 2
    hole = (rows >= 0) & (rows < size) & (columns >= 0) & (columns < size)
    return images.masked_fill(hole.unsqueeze(1), 0)


def jitter(images: Tensor, brightness: Tensor, contrast: Tensor) -> Tensor:
    """Scale each image by `brightness` [B], then its distance from its own mean by `contrast` [B]."""
    values = images.float() * brightness.view(-1, 1, 1, 1)
    mean = values.mean(dim=(1, 2, 3), keepdim=True)
    return ((values - mean) * contrast.view(-1, 1, 1, 1) + mean).clamp_(0, 255).round_().to(torch.uint8)


def rotate90(images: Tensor, quarter_turns: Tensor) -> Tensor:
    """Turn each square image by `quarter_turns` [B] in 0..3 times 90 degrees, counter-clockwise."""
    if images.shape[-1] != images.shape[-2]:
        raise ValueError(f"expected square images, got {tuple(images.shape)}")
    result = images.clone()
    for turns in (1, 2, 3):
        chosen = quarter_turns == turns
        result[chosen] = torch.rot90(images[chosen], turns, (2, 3))
    return result


def normalize(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """uint8 [B,C,H,W] -> float32 [B,C,H,W], channels last in memory, by `mean` and `std` of values in 0..1."""
    pixels = images.permute(0, 2, 3, 1).contiguous()
    values = pixels.to(torch.float32)
    # In rows of all pixels' channels: arithmetic over runs of three numbers is several times slower on a CPU.
    width = pixels.shape[2]
    scale = torch.tensor([1 / (255 * s) for s in std] * width, device=images.device)
    shift = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)] * width, device=images.device)
    values.flatten(2).mul_(scale).add_(shift)
    return values.permute(0, 3, 1, 2)


class Augment:
    """What a training batch goes through, in this order: crop, flip, jitter, rotate90, cut-out.

    Args:
        crop_padding: pixels of zeros around an image for random crops; 0 for none, unless images are stored larger than
            they are shown.
        flip: mirror every second image, drawn at random.
        jitter: strength s; brightness and contrast are drawn from 1-s..1+s.
        rotate90: quarter turns drawn at random (after every resample, so that no border tells the angle).
        cutout: side of the blacked-out square in pixels; 0 for none.
    """

    def __init__(
        self,
        *,
        crop_padding: int = 0,
        flip: bool = False,
        jitter: float = 0.0,
        rotate90: bool = False,
        cutout: int = 0,
    ) -> None:
        self.crop_padding, self.flip, self.jitter = crop_padding, flip, jitter
        self.rotate90, self.cutout = rotate90, cutout

    def __call__(self, images: Tensor, size: int | None = None) -> Tensor:
        """uint8 [B,C,H,W] -> uint8 [B,C,S,S] with S = `size`, or [B,C,H,W] without."""
        num, device = len(images), images.device
        room = 2 * self.crop_padding + (0 if size is None else images.shape[-1] - size)
        if room:
            top, left = torch.randint(room + 1, (2, num), device=device)
            images = crop(images, top, left, self.crop_padding, size)
        if self.flip:
            images = flip(images, torch.rand(num, device=device) < 0.5)
        if self.jitter:
            factors = 1 + self.jitter * (2 * torch.rand(2, num, device=device) - 1)
            images = jitter(images, factors[0], factors[1])
        if self.rotate90:
            images = rotate90(images, torch.randint(4, (num,), device=device))
        if self.cutout:
            center_y = torch.randint(images.shape[-2], (num,), device=device)
            center_x = torch.randint(images.shape[-1], (num,), device=device)
            images = cutout(images, center_y, center_x, self.cutout)
        return images
