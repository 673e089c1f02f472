"""Distortions that make views of an image: enlarged windows, shifted colors, grayscale, blur.

They apply given draws, one an image, to float32 images [B,C,H,W] with values of 0..255. Definitions are those of
torchvision's functions on single float images. Functions whose names end in _ change the images that they are given, as
torch's do: fresh memory costs more than what is done in it.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

_TRIES = 10
_LUMA = (0.2989, 0.587, 0.114)  # of red, green and blue, in torchvision's rounding


def resize_windows(images: Tensor, windows: Tensor, size: int) -> Tensor:
    """Cut a window out of each image and scale it to `size` x `size`: bilinear, smoothed where it shrinks.

    A pixel of the result is a weighted mean of a row's pixels, and of a column's: two products of matrices.

    Args:
        images: [B,C,H,W].
        windows: top, left, height and width in pixels, whole numbers [4,B].
        size: side of the result in pixels.
    """
    top, left, height, width = windows.to(images.dtype)
    down = _weigh_pixels(top, height, images.shape[-2], size)
    return _mix_pixels(images, down, _weigh_pixels(left, width, images.shape[-1], size))


def _mix_pixels(images: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """New rows as weighted means of rows, by `down` [B,S,H], and new columns of columns, by `across` [B,S,W].

    First with the channels last, as images lie in memory, then with the channels first, as colors are changed.
    """
    rows = down @ images.permute(0, 2, 3, 1).flatten(2)
    rows = rows.unflatten(2, (images.shape[3], images.shape[1])).permute(0, 3, 1, 2)
    return (rows.flatten(1, 2) @ across.mT).unflatten(1, rows.shape[1:3])


def _weigh_pixels(start: Tensor, length: Tensor, num: int, size: int) -> Tensor:
    """Of each of `size` new pixels the weights of `num` old ones, those in start..start+length [B]: [B,size,num]."""
    start, length = start.view(-1, 1, 1), length.view(-1, 1, 1)
    scale = length / size
    new = torch.arange(size, device=start.device).view(1, -1, 1) + 0.5
    old = torch.arange(num, device=start.device).view(1, 1, -1) + 0.5
    weights = (1 - (old - start - scale * new).abs() / scale.clamp(min=1)).clamp_(min=0)
    weights = weights * ((old > start) & (old < start + length))
    return weights / weights.sum(dim=2, keepdim=True)


def draw_windows(
    num: int, height: int, width: int, scale: Sequence[float], ratio: Sequence[float], device: torch.device | str
) -> Tensor:
    """Windows as torchvision's `RandomResizedCrop` draws them, int64 [4,num]: top, left, height, width.

    Of ten drawn for each image the first that fits counts; where none does, the largest in the middle whose shape is
    allowed.

    Args:
        num: of images.
        height: of an image, in pixels.
        width: of an image, in pixels.
        scale: the smallest and the largest share of an image's area.
        ratio: the smallest and the largest width, in heights; drawn evenly by its logarithm.
        device: where they are drawn.
    """
    area = torch.empty(_TRIES, num, device=device).uniform_(*scale) * height * width
    shape = torch.empty(_TRIES, num, device=device).uniform_(*map(math.log, ratio)).exp()
    wide, high = (area * shape).sqrt().round(), (area / shape).sqrt().round()
    fits = (wide > 0) & (wide <= width) & (high > 0) & (high <= height)
    first = fits.int().argmax(dim=0, keepdim=True)
    wide, high = wide.gather(0, first)[0], high.gather(0, first)[0]
    top, left = ((torch.rand(num, device=device) * (rest + 1)).floor() for rest in (height - high, width - wide))
    own = min(max(width / height, ratio[0]), ratio[1])
    most_high, most_wide = min(height, round(width / own)), min(width, round(height * own))
    middle = ((height - most_high) // 2, (width - most_wide) // 2, most_high, most_wide)
    fitting = fits.any(dim=0)
    drawn = zip((top, left, high, wide), middle, strict=True)
    return torch.stack([torch.where(fitting, part, own) for part, own in drawn]).long()


def jitter_colors_(images: Tensor, factors: Tensor, shift: Tensor, order: Tensor, hue_at: Sequence[Tensor]) -> Tensor:
    """Change brightness, contrast, saturation and hue, each image in its own order.

    Args:
        images: [B,C,H,W]; of gray ones, C = 1, hue and saturation stay as they are.
        factors: of brightness, contrast and saturation, [3,B]; 1 changes nothing.
        shift: of hue, -0.5..0.5 of a turn of the color wheel, [B]; 0 changes nothing.
        order: which of the three comes first, second and third, int64 [3,B].
        hue_at: the images whose hue is shifted before the first of the three, the second, the third, and after all:
            four int64 tensors, in which each of 0..B-1 comes once.
    """
    for place, of_hue in enumerate(hue_at):
        if images.shape[1] == 3:
            images.index_copy_(0, of_hue, shift_hue(images.index_select(0, of_hue), shift.index_select(0, of_hue)))
        if place < len(order):
            _blend(images, factors.gather(0, order[place : place + 1])[0], order[place])
    return images


def _blend(images: Tensor, factor: Tensor, kind: Tensor) -> None:
    """Let each image [B,C,H,W] be itself times `factor` [B], and the rest of 1 of what its `kind` [B] draws it to.

    Kind 0, brightness: to black; 1, contrast: to the mean of its grays; 2, saturation: to its grays.
    """
    if images.shape[1] == 1:  # its own grays
        factor = factor.masked_fill(kind == 2, 1.0)
    factor, kind = factor.view(-1, 1, 1, 1), kind.view(-1, 1, 1, 1)
    gray = to_gray(images)
    base = gray.mean(dim=(2, 3), keepdim=True) * ((1 - factor) * (kind == 1))
    base = gray.mul_((1 - factor) * (kind == 2)).add_(base)
    images.mul_(factor).add_(base).clamp_(0, 255)


def to_gray(images: Tensor) -> Tensor:
    """Images [B,C,H,W] -> their grays [B,1,H,W], a copy: a weighted mean of red, green and blue, or the one channel."""
    if images.shape[1] == 1:
        return images.clone()
    red, green, blue = images.split(1, dim=1)
    return (red * _LUMA[0]).add_(green, alpha=_LUMA[1]).add_(blue, alpha=_LUMA[2])


def take_colors_(images: Tensor, chosen: Tensor) -> Tensor:
    """Make the images [B,C,H,W] gray where `chosen` [B] is true."""
    chosen = chosen.view(-1, 1, 1, 1)
    gray = to_gray(images).mul_(chosen)
    return images.mul_(~chosen).add_(gray)


def shift_hue(images: Tensor, shift: Tensor) -> Tensor:
    """Turn each image's [B,3,H,W] colors by `shift` [B] turns of the color wheel, their value and saturation kept.

    In the words of HSV: a channel is v - c max(0, min(k, 4 - k, 1)), k = (n + 6 hue) mod 6, with n = 5 for red, 3 for
    green, 1 for blue, v the largest of the three and c how far the smallest is below it.
    """
    red, green, blue = images.unbind(1)
    value = torch.maximum(torch.maximum(red, green), blue)
    chroma = value - torch.minimum(torch.minimum(red, green), blue)
    part = chroma.clamp(min=1e-6).reciprocal_()  # of grays the hue counts for nothing
    hue = (red - green).mul_(part).add_(4)
    hue = torch.where(value == green, (blue - red).mul_(part).add_(2), hue)
    hue = torch.where(value == red, (green - blue).mul_(part), hue)
    hue.add_(6 * shift.view(-1, 1, 1))
    result = torch.empty_like(images)
    for channel, start in enumerate((5, 3, 1)):
        turn = hue + start
        turn -= 6 * (turn / 6).floor_()
        turn = torch.minimum(turn, 4 - turn).clamp_(0, 1)
        torch.sub(value, turn.mul_(chroma), out=result[:, channel])
    return result


def blur(images: Tensor, sigma: Tensor, chosen: Tensor, kernel_size: int) -> Tensor:
    """Gaussian blur of the images [B,C,H,W] where `chosen` [B] is true, the border mirrored.

    Args:
        images: of more pixels across than half the kernel.
        sigma: of each image's kernel, in pixels, [B].
        chosen: bool [B].
        kernel_size: pixels across, odd.
    """
    half = kernel_size // 2
    taps = torch.arange(-half, half + 1, device=images.device)
    kernels = (-0.5 * (taps / sigma.view(-1, 1)).square()).exp()
    kernels = torch.where(chosen.view(-1, 1), kernels / kernels.sum(dim=1, keepdim=True), (taps == 0).float())
    down, across = (_spread(kernels, size, taps) for size in images.shape[-2:])
    return _mix_pixels(images, down, across)


def _spread(kernels: Tensor, size: int, taps: Tensor) -> Tensor:
    """Kernels [B,K] as the weights of `size` old pixels in each new one, [B,size,size]."""
    place = (torch.arange(size, device=taps.device).view(-1, 1) + taps).abs()
    place = (size - 1) - ((size - 1) - place).abs()
    return torch.einsum("bk,ikj->bij", kernels, F.one_hot(place, size).float())
