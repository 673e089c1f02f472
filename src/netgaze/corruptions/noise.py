"""Noise: of a sensor in the dark (Gaussian), of few photons (shot), of flipped bits (impulse).

Here as in `blur`, `weather` and `digital`: images are float32 [B,C,H,W] with values of 0..255, and what comes out may
lie outside of that; `rngs` are the generators of the images; the other arguments are a severity's constants, in values
of 0..1 and in pixels.
"""

import numpy as np
import torch
from torch import Tensor

from netgaze.corruptions.draws import Rngs, draw_each

_WHITE = 255


def add_gaussian_noise(images: Tensor, rngs: Rngs, scale: float) -> Tensor:
    """Add normal noise of standard deviation `scale` to each value."""
    shape = images.shape[1:]
    return images + _WHITE * scale * draw_each(rngs, lambda rng: rng.standard_normal(shape, np.float32))


def add_shot_noise(images: Tensor, rngs: Rngs, photons: float) -> Tensor:
    """Let each value be a count of photons, of which white has `photons` in the mean (Poisson)."""
    expected = (images.double() * (photons / _WHITE)).numpy()
    counts = np.stack([rng.poisson(rates) for rng, rates in zip(rngs, expected, strict=True)])
    return torch.from_numpy(counts).float() * (_WHITE / photons)


def add_impulse_noise(images: Tensor, rngs: Rngs, amount: float) -> Tensor:
    """Let this share of the values be black or white, with equal probability; each channel by itself."""
    shape = images.shape[1:]
    hit, salt = draw_each(rngs, lambda rng: rng.random((2, *shape), np.float32)).unbind(1)
    return torch.where(hit < amount, torch.where(salt < 0.5, float(_WHITE), 0.0), images)
