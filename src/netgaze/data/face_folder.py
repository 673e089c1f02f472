"""Your own face photos: one folder per person."""

from typing import Literal, Unpack

import torch
from torch import Tensor

from netgaze.data.decode import Form
from netgaze.data.faces import FaceData
from netgaze.data.images import Images
from netgaze.data.picture_folder import OfFolders, PictureFolder, number_classes, take_own_keys
from netgaze.errors import NetgazeError


class FaceFolder(FaceData):
    """Images under `<dir>/<person>/`, or divided already: `<dir>/train/<person>/` beside `<dir>/test/` or `<dir>/val/`.

    They are decoded once into a cache; what is left out is said. Other arguments: see `folders.layout.Reading`,
    `PictureFolder`, `FaceData` and `ImageData`.

    Args:
        dir: the folder.
        fit: how an image becomes a square: "crop" scales its shorter side and cuts the center, "squash" scales both.
        num_val_people, num_test_people: people of validation and of test, where these have no folders; null for 15 %
            of all, at least two.
    """

    def __init__(
        self,
        *,
        dir: str,
        fit: Literal["crop", "squash"] = "crop",
        num_val_people: int | None = None,
        num_test_people: int | None = None,
        images_per_person: int = 4,
        **keys: Unpack[OfFolders],
    ) -> None:
        own, shared = take_own_keys(keys)
        share = max(2, round(0.15 * keys["num_classes"]))
        super().__init__(
            num_val_people=share if num_val_people is None else num_val_people,
            num_test_people=share if num_test_people is None else num_test_people,
            images_per_person=images_per_person,
            **shared,
        )
        form = Form(self.image_size, self.num_channels, fit)
        self.folder = PictureFolder(dir, form, own_classes=True, **own)
        self.own_fit, self.ranges = fit, self.folder.ranges
        self._divided: dict[str, Tensor] = {}

    def photos(self) -> Images:
        """All images, people numbered in the order of their folders' names.

        Raises:
            NetgazeError: no folders, or one of which nothing can be read.
        """
        layout = self.folder.read()
        self.class_names = layout.class_names
        labels = {part: number_classes(layout, part) for part in layout.parts}
        self._divided = {part: people.unique() for part, people in labels.items()} if len(labels) > 1 else {}
        pictures = [picture for own in layout.parts.values() for picture in own.pictures]
        part_of = [part if self._divided else "" for part, own in layout.parts.items() for _ in own.pictures]
        decoded, self.remarks = self.folder.decode(layout, pictures, part_of)
        people = torch.cat(list(labels.values()))[torch.from_numpy(decoded.kept)]
        for person, name in enumerate(self.class_names):
            if not (people == person).any():
                raise NetgazeError(
                    f"No image of {name} in {self.folder.root} can be read. Replace its files, or remove the folder."
                )
        return Images(decoded.images, people, source=decoded.source)

    def people(self, whole: Images) -> dict[str, Tensor]:
        """The people of "train", "val" and "test": those of the folders of these names, or drawn by `split_seed`.

        Raises:
            NetgazeError: a person is in two of the folders, or too few are left to train on.
        """
        parts = self._divided
        if not parts:
            return super().people(whole)
        for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
            if one in parts and other in parts and (both := parts[one][torch.isin(parts[one], parts[other])]).numel():
                raise NetgazeError(
                    f"{self.class_names[int(both[0])]} has a folder in {one} and in {other}, and {len(both) - 1} more "
                    "people have: strangers are told apart here. To name people that training knows, choose "
                    "data=folder task=supervised."
                )
        if "test" in parts and "val" in parts:
            return parts
        known = "test" if "test" in parts else "val"
        num = self.num_val_people if known == "test" else self.num_test_people
        drawn = self.divided(parts[known], num, f"the people of {known}")
        return drawn if known == "test" else {"train": drawn["train"], "val": parts["val"], "test": drawn["val"]}
