"""Your own face photos: one folder per person."""

from pathlib import Path
from typing import Literal, Unpack

import torch

from netgaze.data.base import Shared
from netgaze.data.count import list_subfolders
from netgaze.data.decode import Form, decode_cached, find_images
from netgaze.data.faces import FaceData
from netgaze.data.images import Images
from netgaze.errors import NetgazeError


class FaceFolder(FaceData):
    """Images under `<dir>/<person>/`, decoded once into a cache; unreadable files are left out, and the log names them.

    Other arguments: see `FaceData` and `ImageData`.

    Args:
        dir: the folder.
        fit: how an image becomes a square: "crop" scales its shorter side and cuts the center, "squash" scales both.
        num_val_people, num_test_people: people of validation and of test; null for 15 % of all, at least two.
    """

    def __init__(
        self,
        *,
        dir: str,
        fit: Literal["crop", "squash"] = "crop",
        num_val_people: int | None = None,
        num_test_people: int | None = None,
        images_per_person: int = 4,
        **shared: Unpack[Shared],
    ) -> None:
        share = max(2, round(0.15 * shared["num_classes"]))
        super().__init__(
            num_val_people=share if num_val_people is None else num_val_people,
            num_test_people=share if num_test_people is None else num_test_people,
            images_per_person=images_per_person,
            **shared,
        )
        self.own_fit = fit
        self.root, self.form = Path(dir).expanduser(), Form(self.image_size, self.num_channels, fit)

    def photos(self) -> Images:
        """All images, people numbered in the order of their folders' names.

        Raises:
            NetgazeError: no folders, one without images, or one of which none can be read.
        """
        self.class_names = list_subfolders(str(self.root))
        if not self.class_names:
            raise NetgazeError(f"{self.root} has no folders. Make one for each person, with images of theirs.")
        files = [find_images(self.root / name) for name in self.class_names]
        images, kept = decode_cached(self.root, [file for some in files for file in some], self.form)
        people = torch.arange(len(files)).repeat_interleave(torch.tensor([len(some) for some in files]))
        labels = people[torch.from_numpy(kept)]
        for person, name in enumerate(self.class_names):
            if not (labels == person).any():
                raise NetgazeError(
                    f"No image of {name} in {self.root} can be read. Replace its files, or remove the folder."
                )
        return Images(images, labels)
