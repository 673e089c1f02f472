"""Scikit-learn's 1,797 handwritten digits: real data that comes with an installed package."""

from typing import Unpack

import numpy as np
import torch

from netgaze.data.base import ImageData, Shared
from netgaze.data.images import Images
from netgaze.data.splits import hold_out

SIDE = 32


class Digits(ImageData):
    """The digits 0 to 9 in one channel (test part of "Optical Recognition of Handwritten Digits", UCI 1998).

    The originals are 8x8 with values 0..16; here each pixel is a block of 4x4, so that nothing is invented, and
    16 becomes 255. Other arguments: see `ImageData`; for another `image_size` than 32 they are enlarged or cut.

    Args:
        num_test: test images, taken by class share with `split_seed`.
    """

    def __init__(self, *, num_test: int = 360, num_val: int = 180, **shared: Unpack[Shared]) -> None:
        super().__init__(num_val=num_val, stored_size=SIDE, **shared)
        self.num_test = num_test

    def load(self) -> dict[str, Images]:
        """The splits "train" and "test"."""
        from sklearn.datasets import load_digits  # slow to import, and needed by this set only

        digits = load_digits()
        self.class_names = [str(name) for name in digits.target_names]
        small = (digits.images * (255 / 16)).round().astype(np.uint8)
        images = small.repeat(4, axis=1).repeat(4, axis=2)[:, None]
        whole = Images(torch.from_numpy(images), torch.from_numpy(digits.target.astype(np.int64)))
        train, test = hold_out(whole.labels, self.num_test, self.training.split_seed, "data.num_test")
        return {"train": whole.take(train), "test": whole.take(test)}
