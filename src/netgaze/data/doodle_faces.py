"""Drawn faces, made from a seed: people who differ in their features, seen with and without glasses."""

from typing import Unpack

import numpy as np
import torch

from netgaze.data.doodles import draw_faces
from netgaze.data.faces import GLASSES, FaceData, OfFaces
from netgaze.data.images import Images
from netgaze.errors import NetgazeError
from netgaze.files import cached_arrays, digest

# Belongs to the name in the cache: raise it whenever the pictures change.
VERSION = 1


class DoodleFaces(FaceData):
    """Cartoon faces: pose, light, expression and glasses change from image to image. Needs no network.

    Every second image of a person wears glasses. All follows from `split_seed`, the faces too: another is another set.
    Other arguments: see `FaceData` and `ImageData`.

    Args:
        num_classes: people.
        images_each: images of each person.
    """

    def __init__(
        self,
        *,
        images_each: int = 12,
        num_val_people: int = 30,
        num_test_people: int = 60,
        **shared: Unpack[OfFaces],
    ) -> None:
        super().__init__(num_val_people=num_val_people, num_test_people=num_test_people, **shared)
        if images_each < 2:
            raise NetgazeError(f"data.images_each={images_each} must be 2 or more: otherwise no person has a pair.")
        self.title, self.images_each = "Doodle faces", images_each

    def photos(self) -> Images:
        """All drawings, and which wear glasses."""
        self.class_names = [f"person {person + 1}" for person in range(self.num_classes)]
        people = np.arange(self.num_classes).repeat(self.images_each)
        worn = np.tile(np.arange(self.images_each) % 2 == 1, self.num_classes)
        known = digest(VERSION, self.num_classes, self.images_each, self.image_size, self.training.split_seed)
        draw = lambda: {"images": draw_faces(people, worn, self.training.split_seed, self.image_size)}  # noqa: E731
        images = torch.from_numpy(cached_arrays("doodle_faces", known, draw)["images"])
        if self.num_channels == 1:  # ITU-R BT.601, as Pillow makes gray
            weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
            images = (images * weights).sum(dim=1, keepdim=True).round().to(torch.uint8)
        return Images(images, torch.from_numpy(people), marks={GLASSES: torch.from_numpy(worn)})
