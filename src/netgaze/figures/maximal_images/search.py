"""Images optimized for channels, by Fourier coefficients and random transforms (Olah et al. 2017, as in Lucent)."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from tqdm import tqdm

from netgaze.inside import image_search
from netgaze.ranks import shows_progress
from netgaze.text import show

_RATE = 0.05
_CONTRASTS = (
    0.01,
    0.03,
    0.1,
    0.3,
    1.0,
    1.0,
    1.0,
    1.0,
)  # deviations of the starting coefficients, tried in turn
_LUCENT_SIZE = 128  # pixels: the image size that the distances below are for
_PAD, _SHIFTS = 12, (4, 2)
_FACTORS = [1 + (number - 5) / 50 for number in range(11)]
_DEGREES = [*range(-10, 11), 0, 0, 0, 0, 0]


def optimize_images(
    run: image_search.Transform,
    read: image_search.Transform,
    channels: Sequence[int],
    shape: tuple[int, int, int],
    steps: int,
    seed: int,
    device: torch.device,
    title: str,
) -> list[Tensor]:
    """For each channel an image [1,C,S,S] in 0..1 that maximizes the channel's mean over positions.

    Args:
        run: from a normalized image to the layer's activation.
        read: normalizes an image.
        channels: their numbers.
        shape: (C, S, S) of the images.
        steps: of each search.
        seed: of the start and of the transforms.
        device: where the network is.
        title: of the progress bar.
    """
    found, total = list[Tensor](), len(channels) * steps
    with tqdm(desc=show(title), total=total, leave=False, disable=not shows_progress()) as bar:
        for channel in channels:
            generator = torch.Generator().manual_seed(seed)
            start = partial(image_search.Fourier, shape, generator)
            image = _find_start(start, partial(_negative_mean, channel, image_search.chain([read, run])), device)
            see = image_search.chain([*make_robust(shape[1], generator), read, run])
            loss = partial(_negative_mean, channel, see)
            adam = torch.optim.Adam(image.parameters(), lr=_RATE)
            image_search.search(image, loss, adam, steps, lambda step: bar.update())
            found.append(image().detach())
    return found


def _find_start(
    start: Callable[[float], image_search.Fourier], loss: image_search.Transform, device: torch.device
) -> image_search.Fourier:
    """The first starting image that activates the channel: a channel silenced by a ReLU has no gradient."""
    for contrast in _CONTRASTS:
        image = start(contrast).to(device)
        (gradient,) = torch.autograd.grad(loss(image()), image.coefficients)
        if gradient.any():
            break
    return image


def make_robust(size: int, generator: torch.Generator) -> list[image_search.Transform]:
    """The random transforms of an image of `size` pixels in each step, so that it cannot rely on exact positions."""
    share = size / _LUCENT_SIZE
    first, second = (max(1, round(most * share)) for most in _SHIFTS)
    return [
        image_search.pad(max(1, round(_PAD * share))),
        image_search.jitter(first, generator),
        image_search.random_scale(_FACTORS, generator),
        image_search.random_rotate(_DEGREES, generator),
        image_search.jitter(second, generator),
        partial(_cut_middle, size),
    ]


def _cut_middle(size: int, image: Tensor) -> Tensor:
    top, left = ((side - size) // 2 for side in image.shape[2:])
    return image[:, :, top : top + size, left : left + size]


def _negative_mean(channel: int, see: image_search.Transform, image: Tensor) -> Tensor:
    return -image_search.channel_mean(channel, see(image))
