"""The base of data sets of drawn scenes: balanced splits, drawn once from a seed, with object masks."""

from typing import Unpack

import numpy as np
import torch
from numpy.random import Generator

from netgaze.data.base import ImageData, Shared
from netgaze.data.canvas import S
from netgaze.data.images import Images
from netgaze.files import cached_arrays, digest


class DrawnScenes(ImageData):
    """32x32 scenes that need no network; a subclass says how they are drawn.

    For another `image_size` than 32 they are enlarged or cut. Other arguments: see `ImageData`.

    Args:
        num_train, num_val, num_test: images of each split; all follow from `split_seed`.
    """

    names: tuple[str, ...]  # of the classes
    cache: str
    version: int  # belongs to the name in the cache: raised whenever the pictures change

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

    def draw(self, labels: np.ndarray, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
        """Scenes of the given classes [N] as uint8 [N,3,32,32], and what is seen of their objects, bool [N,32,32]."""
        raise NotImplementedError

    def load(self) -> dict[str, Images]:
        """The splits "train", "val" and "test"."""
        self.class_names = list(self.names)
        known = digest(self.version, self.sizes, self.training.split_seed)
        arrays = cached_arrays(self.cache, known, self._draw_splits)
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        return {
            split: Images(tensors[f"{split}_images"], tensors[f"{split}_labels"], tensors[f"{split}_masks"])
            for split in self.sizes
        }

    def _draw_splits(self) -> dict[str, np.ndarray]:
        arrays: dict[str, np.ndarray] = {}
        for number, (split, size) in enumerate(self.sizes.items()):
            rng = np.random.default_rng([self.training.split_seed, number])
            labels = rng.permutation(np.arange(size) % len(self.names))
            images, masks = self.draw(labels, rng)
            arrays |= {f"{split}_images": images, f"{split}_labels": labels, f"{split}_masks": masks}
        return arrays
