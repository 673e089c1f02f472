"""Your own images: one folder per class, or a table of labels."""

from collections.abc import Sequence
from typing import Literal, Unpack

import numpy as np
import torch
from torch import Tensor

from netgaze.data.base import ImageData
from netgaze.data.decode import Form
from netgaze.data.images import Images
from netgaze.data.picture_folder import OfFolders, PictureFolder, number_classes, take_own_keys
from netgaze.data.splits import fit_share, hold_out
from netgaze.errors import NetgazeError
from netgaze.folders.layout import Layout
from netgaze.folders.scan import Names, Place

_SHARE = 0.15  # of the images, for validation and for test


class Folder(ImageData):
    """Images under `<dir>/<class>/`, or divided already: `<dir>/train/<class>/` beside `<dir>/test/` or `<dir>/val/`.

    The usual other names of these parts are known (`valid`, `training_set`, ...), and labels may stand in a table; see
    `folders.layout`. A part that is not there is taken from the training images by class share, with `split_seed`. All
    images are decoded once into a memory-mapped cache; what is left out is said.

    Other arguments: see `folders.layout.Reading`, `PictureFolder` and `ImageData`.

    Args:
        dir: the folder.
        fit: how an image becomes a square: "crop" scales its shorter side and cuts the center, "squash" scales both.
        num_val: validation images where there is no `<dir>/val`; null for 15% of all, at least one per class.
        num_test: test images where there is no `<dir>/test`; null for 15% of all, at least one per class.
    """

    def __init__(
        self,
        *,
        dir: str,
        fit: Literal["crop", "squash"] = "crop",
        num_val: int | None = None,
        num_test: int | None = None,
        **keys: Unpack[OfFolders],
    ) -> None:
        own, shared = take_own_keys(keys)
        super().__init__(**shared)
        form = Form(self.image_size, self.num_channels, fit)
        self.folder = PictureFolder(dir, form, own_classes=False, **own)
        self.own_fit, self.ranges = fit, self.folder.ranges
        self.shares = {"test": num_test, "val": num_val}
        self._kept: dict[str, Tensor] = {}  # which pictures of each part could be read

    def load(self) -> dict[str, Images]:
        """The splits "train", "val" and "test": slices of one memory-mapped array.

        Raises:
            NetgazeError: there are no images, or the layout of the folder is not clear.
        """
        layout = self.folder.read()
        self.class_names = layout.class_names
        parts = self._draw_missing(layout)
        # The file lies in the order of the splits, so that each is a slice of it and none a copy in memory.
        pictures = [picture for listed, _ in parts.values() for picture in listed]
        part_of = [part for part, (listed, _) in parts.items() for _ in listed]
        decoded, self.remarks = self.folder.decode(layout, pictures, part_of)
        splits, start, first = {}, 0, 0
        for part, (listed, labels) in parts.items():
            kept = torch.from_numpy(decoded.kept[first : first + len(listed)])
            stop = start + int(kept.sum())
            source = None if decoded.source is None else f"{decoded.source} {start} {stop}"
            splits[part] = Images(decoded.images[start:stop], labels[kept], source=source)
            self._kept[part] = kept
            start, first = stop, first + len(listed)
        self._check_readable(splits)
        return splits

    def name_images(self, split: str, index: Sequence[int]) -> list[str] | None:
        """The files of the images at `index` of a split, by their paths below the folder, which is read again."""
        part = self.splits[split]
        rows = torch.as_tensor(index) if part.index is None else part.index[torch.as_tensor(index)]
        pictures = Names(self._draw_missing(self.folder.read())[split][0])
        return [pictures[place] for place in self._kept[split].nonzero().flatten()[rows].tolist()]

    def _draw_missing(self, layout: Layout) -> dict[str, tuple[list[Place], Tensor]]:
        """Pictures and labels of each part: those that the folder lacks are drawn from training's."""
        layout.notes[:0] = filter(None, [_describe_parts(layout)])
        own = {part: (layout.parts[part].pictures, number_classes(layout, part)) for part in layout.parts}
        pictures, labels = own.pop("train")
        train, drawn = torch.arange(len(pictures)), dict[str, Tensor]()
        share = round(_SHARE * len(pictures))
        for part in ("test", "val"):
            if part not in own:
                typed = self.shares[part]
                num = fit_share(labels[train], share) if typed is None else typed
                stays, out = hold_out(labels[train], num, self.training.split_seed, f"data.num_{part}")
                train, drawn[part] = train[stays], train[out]
        chosen = {"train": train} | drawn
        return own | {part: ([pictures[i] for i in index.tolist()], labels[index]) for part, index in chosen.items()}

    def _check_readable(self, splits: dict[str, Images]) -> None:
        for part, split in splits.items():
            if not len(split):
                raise NetgazeError(f"None of the pictures of {part} in {self.folder.root} can be read. Replace them.")
        labels = splits["train"].labels
        counts = np.bincount(labels.numpy(), minlength=len(self.class_names))
        if not counts.all():
            empty = self.class_names[int(counts.argmin())]
            raise NetgazeError(
                f"No training image of class {empty} in {self.folder.root} can be read. Replace its files, or remove "
                "its folder."
            )


def _describe_parts(layout: Layout) -> str:
    """Where each part comes from."""
    own = [f"{part} from {layout.folders[part]}/" for part in layout.parts if layout.folders.get(part)]
    drawn = [part for part in ("val", "test") if part not in layout.parts]
    said = [", ".join(own)] if own else []
    return "; ".join([*said, f"{' and '.join(drawn)} drawn from train"] if drawn else said)
