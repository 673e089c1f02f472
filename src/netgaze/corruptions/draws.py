"""Random draws per image: each has its own generator, so that they do not depend on the batch."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

Rngs = Sequence[np.random.Generator]


def seed_images(seed: int, kind: int, index: Sequence[int]) -> Rngs:
    """A generator for each image at `index` of a split, for the corruption number `kind`."""
    return [np.random.default_rng([seed, kind, place]) for place in index]


def draw_each(rngs: Rngs, draw: Callable[[np.random.Generator], np.ndarray | float]) -> Tensor:
    """Each image's draws, [B,...]: float32, or int64 for integers."""
    drawn = torch.from_numpy(np.stack([np.asarray(draw(rng)) for rng in rngs]))
    return drawn.float() if drawn.is_floating_point() else drawn
