"""Ten classes of drawn 32x32 scenes, made from a seed in seconds: an object on the ground, under a sky."""

from typing import Unpack

import numpy as np
import torch

from netgaze.data.base import ImageData, Shared
from netgaze.data.images import Images
from netgaze.data.scenes import CLASS_NAMES, S, draw_scenes
from netgaze.files import cached_arrays, digest

# Belongs to the name in the cache: raise it whenever the pictures change.
VERSION = 1


class Shapes(ImageData):
    """Drawn scenes with a mask of the object in each, balanced over ten classes. Needs no network.

    Light comes from above (sky, shading, shadow), so that which way is up can be learned; colors, size, place,
    tilt, clutter and noise do not depend on the class. For another `image_size` than 32 the scenes are enlarged or cut.
    Other arguments: see `ImageData`.

    Args:
        num_train, num_val, num_test: images of each split; all follow from `split_seed`.
    """

    def __init__(
        self,
        *,
        num_train: int = 4000,
        num_val: int = 500,
        num_test: int = 1000,
        **shared: Unpack[Shared],
    ) -> None:
        super().__init__(num_val=num_val, stored_size=S, **shared)
        self.sizes = {"train": num_train, "val": num_val, "test": num_test}

    def load(self) -> dict[str, Images]:
        """The splits "train", "val" and "test"."""
        self.class_names = list(CLASS_NAMES)
        arrays = cached_arrays("shapes", digest(VERSION, self.sizes, self.training.split_seed), self._draw)
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        return {
            split: Images(tensors[f"{split}_images"], tensors[f"{split}_labels"], tensors[f"{split}_masks"])
            for split in self.sizes
        }

    def _draw(self) -> dict[str, np.ndarray]:
        arrays: dict[str, np.ndarray] = {}
        for number, (split, size) in enumerate(self.sizes.items()):
            rng = np.random.default_rng([self.training.split_seed, number])
            labels = rng.permutation(np.arange(size) % len(CLASS_NAMES))
            images, masks = draw_scenes(labels, rng)
            arrays |= {f"{split}_images": images, f"{split}_labels": labels, f"{split}_masks": masks}
        return arrays
