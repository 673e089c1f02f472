"""Miniplaces: photos of a hundred kinds of places at 128x128, with boxes around the objects of some."""

import logging
from pathlib import Path
from typing import Unpack

import torch
from torch import Tensor

from netgaze.archives import extract
from netgaze.data.base import ImageData, Shared
from netgaze.data.boxes import draw_mask, read_boxes
from netgaze.data.cache import decode_cached
from netgaze.data.decode import Form
from netgaze.data.home import Home
from netgaze.data.images import Images
from netgaze.data.splits import hold_out
from netgaze.download import fetch
from netgaze.errors import NetgazeError
from netgaze.files import read_lines

log = logging.getLogger(__name__)

FOLDER = "miniplaces"
ARCHIVE = "data.tar.gz"  # in the set's own folder
HOME = Home(FOLDER, ("object_categories.txt", "images/train"))
ARCHIVE_MD5 = "265825ec94f79390e4f1e38045a69059"
URLS = (
    "http://miniplaces.csail.mit.edu/data/data.tar.gz",
    "http://6.869.csail.mit.edu/fa17/miniplaces/data.tar.gz",
)
LISTS = ("train.txt", "val.txt", "categories.txt", "object_categories.txt")
LISTS_URL = "https://raw.githubusercontent.com/CSAILVision/miniplaces/master/data"
ADVICE = "Or name another address with data.url=, or take data=shapes, which needs no network."
VAL_SHARE = 0.05
MOST_BYTES = 5_000_000_000  # of the archive unpacked


class Miniplaces(ImageData):
    """The Miniplaces challenge (Zhou and Khosla 2015, out of Places2): `<dir>/miniplaces/{images,objects}` and lists.

    The labels of its 10,000 test images were never published. So its 10,000 validation images are the test split, which
    is what published numbers are of, and the validation split, by which the best epoch is chosen, is taken from the
    training images. Images that a list names but that are not on disk are counted and left out; the log says so.

    Each split is decoded once into a memory-mapped cache. Where an image has object boxes, its mask is their union,
    without those of surfaces and grounds (see `boxes.BACKGROUND`). Other arguments: see `ImageData`.

    Args:
        dir: the folder that holds, or shall hold, `miniplaces`; or that folder.
        url: where to download the archive from; null for the official addresses.
        download: whether to download what is not there.
        num_val: images held out of the training images, by class share; null for 5%.
        image_size: 128 as published, or any other: images are scaled.
        stored_size: see `ImageData`; images are scaled to it.
    """

    def __init__(
        self,
        *,
        dir: str,
        url: str | None = None,
        download: bool = True,
        stored_size: int | None = None,
        num_val: int | None = None,
        **shared: Unpack[Shared],
    ) -> None:
        super().__init__(stored_size=stored_size, **shared)
        self.root, self.urls = HOME.find(dir), (url,) if url else URLS
        self.download, self.held_out = download, num_val
        self.form = Form(self.stored_size, self.num_channels, self.own_fit)

    def load(self) -> dict[str, Images]:
        """The splits "train", "val" and "test".

        Raises:
            NetgazeError: files are missing and cannot be downloaded, or are not of the official form.
        """
        self._find()
        self.class_names = [name[3:] for name in _numbered(self.root / "categories.txt")]
        objects = _numbered(self.root / "object_categories.txt")
        files, labels = self._listed("train")
        least = len(labels.unique())
        num_val = max(least, round(VAL_SHARE * len(files))) if self.held_out is None else self.held_out
        stays, out = hold_out(labels, num_val, self.training.split_seed, "data.num_val")
        parts = {"train": stays, "val": out}
        listed = {split: ([files[i] for i in index], labels[index]) for split, index in parts.items()}
        return {split: self._images(*part, objects) for split, part in (listed | {"test": self._listed("val")}).items()}

    def _find(self) -> None:
        """Download and unpack what is not there."""
        archive = self.root / ARCHIVE
        if not (self.root / "images").is_dir():
            if not archive.exists():
                self._may_download(self.root / "images")
                fetch(self.urls, archive, ARCHIVE_MD5, advice=ADVICE)
            for name in ("objects", "images"):  # the images last: where they are, all is there
                if not (self.root / name).is_dir():
                    extract(archive, self.root / name, MOST_BYTES)
        if not (self.root / "objects").is_dir():
            log.info("Miniplaces: there is no %s, so no image has object boxes", self.root / "objects")
        for name in LISTS:
            if not (self.root / name).exists():
                self._may_download(self.root / name)
                fetch([f"{LISTS_URL}/{name}"], self.root / name, advice=ADVICE)

    def _may_download(self, path: Path) -> None:
        if not self.download:
            raise NetgazeError(f"There is no {path}. Put the challenge's files there, or set data.download=true.")

    def _listed(self, split: str) -> tuple[list[Path], Tensor]:
        """The images on disk that a list names, [N] paths and labels int64 [N]."""
        path = self.root / f"{split}.txt"
        listed = _rows(path)
        rows = [(self.root / "images" / name.lstrip("/"), label) for name, label in listed]
        there = [(file, label) for file, label in rows if file.exists()]
        if not there:
            raise NetgazeError(f"None of the {len(rows)} images in {path} are in {self.root / 'images'}.")
        if max(label for _, label in there) >= len(self.class_names):
            raise NetgazeError(f"{path} names classes that are not in categories.txt. Use both from the same source.")
        if len(there) < len(rows):
            log.info("Miniplaces: of %d images in %s, %d are not on disk", len(rows), path.name, len(rows) - len(there))
        return [file for file, _ in there], torch.tensor([label for _, label in there])

    def _images(self, files: list[Path], labels: Tensor, objects: list[str]) -> Images:
        decoded = decode_cached(self.root, files, self.form)
        self.remarks.add_unreadable(decoded.unreadable, [file.name for file in files])
        readable = [file for file, there in zip(files, decoded.kept, strict=True) if there]
        masks: list[Tensor] = []
        mask_of = torch.full((len(readable),), -1)
        for number, file in enumerate(readable):
            boxes = self.root / "objects" / file.relative_to(self.root / "images").with_suffix(".xml")
            if boxes.exists() and (mask := draw_mask(read_boxes(boxes, objects), self.stored_size)).any():
                mask_of[number] = len(masks)
                masks.append(mask)
        labels = labels[torch.from_numpy(decoded.kept)]
        return Images(decoded.images, labels, torch.stack(masks) if masks else None, mask_of, source=decoded.source)


def _rows(path: Path) -> list[tuple[str, int]]:
    """The lines of a list: a name and a number.

    Raises:
        NetgazeError: a line is another.
    """
    rows = []
    for number, line in enumerate(read_lines(path), start=1):
        name, _, label = line.strip().rpartition(" ")
        if not name or not (label.isdecimal() and len(label) < 10) or ".." in name or "\0" in name:
            raise NetgazeError(
                f"{path}, line {number}, is not a name and a number: {line[:60]!r}. Download the file again."
            )
        rows.append((name, int(label)))
    return rows


def _numbered(path: Path) -> list[str]:
    """The names of a list whose numbers count them.

    Raises:
        NetgazeError: they do not.
    """
    rows = _rows(path)
    if [number for _, number in rows] != list(range(len(rows))):
        raise NetgazeError(f"{path} does not number its lines from 0. Download the file again.")
    return [name for name, _ in rows]
