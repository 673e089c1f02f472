"""Draws of single images: each has a generator of its own, so that no batch that it is in changes them."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

Rngs = Sequence[np.random.Generator]


def seed_images(seed: int, kind: int, index: Sequence[int]) -> Rngs:
    """A generator for each image at `index` of a split, for the corruption number `kind`."""
    return [np.random.default_rng([seed, kind, place]) for place in index]


def draw_each(rngs: Rngs, draw: Callable[[np.random.Generator], np.ndarray | float]) -> Tensor:
    """What each image's generator draws, [B,...]: float32, or int64 where it draws whole numbers."""
    drawn = torch.from_numpy(np.stack([np.asarray(draw(rng)) for rng in rngs]))
    return drawn.float() if drawn.is_floating_point() else drawn
