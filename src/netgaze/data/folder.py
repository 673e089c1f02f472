"""Your own images: one folder per class."""

from pathlib import Path
from typing import Literal, Unpack

import torch

from netgaze.data.base import ImageData, Shared
from netgaze.data.count import find_split_folders, list_subfolders
from netgaze.data.decode import Form, decode_cached, find_images
from netgaze.data.images import Images
from netgaze.data.splits import hold_out
from netgaze.errors import NetgazeError


class Folder(ImageData):
    """Images under `<dir>/<class>/`, or divided already: `<dir>/train/<class>/` beside `<dir>/test/` or `<dir>/val/`.

    A split that has no folder is taken from the training images by class share, with `split_seed`. All images are
    decoded once into a memory-mapped cache. Unreadable files are left out, and the log names them. Other
    arguments: see `ImageData`.

    Args:
        dir: the folder.
        fit: how an image becomes a square: "crop" scales its shorter side and cuts the center, "squash" scales both.
        num_val: validation images where there is no `<dir>/val`; null for 15 % of all.
        num_test: test images where there is no `<dir>/test`; null for 15 % of all.
    """

    def __init__(
        self,
        *,
        dir: str,
        fit: Literal["crop", "squash"] = "crop",
        num_val: int | None = None,
        num_test: int | None = None,
        **shared: Unpack[Shared],
    ) -> None:
        super().__init__(**shared)
        self.root, self.form = Path(dir).expanduser(), Form(self.image_size, self.num_channels, fit)
        self.shares = {"test": num_test, "val": num_val}

    def load(self) -> dict[str, Images]:
        """The splits "train", "val" and "test": slices of one memory-mapped array.

        Raises:
            NetgazeError: there are no images, or the classes of the splits differ.
        """
        folders = {split: Path(folder) for split, folder in find_split_folders(str(self.root)).items()}
        self.class_names = self._common_classes(folders)
        listed = {split: self._listed(folder) for split, folder in folders.items()}
        files, labels, parts = self._in_order(listed)
        # The file lies in the order of the splits, so that each is a slice of it and none a copy in memory.
        images, kept = decode_cached(self.root, files, self.form)
        splits, start = {}, 0
        for split, part in parts.items():
            chosen = torch.from_numpy(kept[part.start : part.stop])
            stop = start + int(chosen.sum())
            splits[split] = Images(images[start:stop], labels[part][chosen])
            self._check_classes(split, splits[split].labels)
            start = stop
        return splits

    def _common_classes(self, folders: dict[str, Path]) -> list[str]:
        names = list_subfolders(str(folders["train"]))
        if not names:
            raise NetgazeError(
                f"{folders['train']} has no folders. Put the images of each class into one of their own."
            )
        for split, folder in folders.items():
            differing = sorted(set(names) ^ set(list_subfolders(str(folder))))
            if differing:
                raise NetgazeError(
                    f"{folders['train']} and {folder} hold different classes: {', '.join(differing[:5])}. "
                    f"Give the folder of each class the same name in train and in {split}."
                )
        return names

    def _listed(self, folder: Path) -> tuple[list[Path], torch.Tensor]:
        files, labels = [], []
        for label, name in enumerate(self.class_names):
            found = find_images(folder / name)
            files += found
            labels += [label] * len(found)
        return files, torch.tensor(labels)

    def _in_order(
        self, listed: dict[str, tuple[list[Path], torch.Tensor]]
    ) -> tuple[list[Path], torch.Tensor, dict[str, slice]]:
        """All files split by split, their labels [N], and the slice of each split."""
        files, labels = listed.pop("train")
        train, shares = torch.arange(len(files)), {}
        for split in ("test", "val"):
            if split not in listed:
                num = self.shares[split] or round(0.15 * len(files))
                stays, out = hold_out(labels[train], num, self.training.split_seed, f"data.num_{split}")
                train, shares[split] = train[stays], train[out]
        chosen = {"train": train} | shares
        listed |= {split: ([files[i] for i in index], labels[index]) for split, index in chosen.items()}
        parts, start = {}, 0
        for split in listed:
            parts[split] = slice(start, start := start + len(listed[split][0]))
        ordered = [path for paths, _ in listed.values() for path in paths]
        return ordered, torch.cat([labels for _, labels in listed.values()]), parts

    def _check_classes(self, split: str, labels: torch.Tensor) -> None:
        counts = torch.bincount(labels, minlength=len(self.class_names))
        if split == "train" and not counts.all():
            empty = self.class_names[int(counts.argmin())]
            raise NetgazeError(f"No training image of class {empty} in {self.root} can be read. Replace its files.")
