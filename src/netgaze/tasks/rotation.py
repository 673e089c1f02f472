"""Rotation self-supervision (Gidaris, Singh and Komodakis 2018, arXiv 1803.07728): predict how an image was rotated.

loss = (1/N) sum_i -(1/4) sum_y log F^y(g(X_i|y)): every image is in the batch in all four rotations, which the
paper found better than one drawn at random. Rotation comes after every other augmentation, so that no border of a
crop tells the angle.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from netgaze.tasks.base import Task


def rotate_four(images: Tensor) -> Tensor:
    """Square images [B,C,S,S] -> [4B,C,S,S]: by 0, 90, 180 and 270 degrees counter-clockwise, as `numpy.rot90`.

    Raises:
        ValueError: the images are not square.
    """
    if images.shape[-1] != images.shape[-2]:
        raise ValueError(f"expected square images, got {tuple(images.shape)}")
    turned = torch.cat([torch.rot90(images, turns, (2, 3)) for turns in range(4)])
    return turned.contiguous(memory_format=torch.channels_last)


class Rotation(Task):
    """Predict by how many quarter turns an image was rotated; the data's labels are not used."""

    def name_classes(self, data_classes: Sequence[str]) -> None:
        """The four angles, whatever the data's classes are."""
        self.class_names = ["0°", "90°", "180°", "270°"]

    def make_examples(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Images [B,C,S,S] -> (all four rotations [4B,C,S,S], quarter turns [4B])."""
        return rotate_four(images), torch.arange(4, device=images.device).repeat_interleave(len(images))
