"""A folder of pictures as `data` describes it: read, decoded, with remarks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from netgaze.data.base import Shared
from netgaze.data.cache import Decoded
from netgaze.data.copies import describe_copies, find_alike
from netgaze.data.decode import Form
from netgaze.data.found import Remarks
from netgaze.data.streaming import Way, check_way, open_images
from netgaze.data.values import check_range
from netgaze.errors import NetgazeError
from netgaze.folders.kept import forget_folder, read_folder_once
from netgaze.folders.layout import Layout, Reading
from netgaze.folders.scan import Names, Place


class OfFolders(Shared, total=False):
    """What sets of a person's own folders take besides their own; see `folders.layout.Reading` and `PictureFolder`."""

    parts: Any
    labels: str | None
    image_column: str | int | None
    label_column: str | int | None
    class_folders: Literal["top", "leaves"]
    value_range: Sequence[float] | None
    near_copies: bool
    decode: Way


def take_own_keys(keys: OfFolders) -> tuple[dict[str, Any], Any]:
    """The keys of `OfFolders` that are about the folder, and the others."""
    shared = Shared.__annotations__
    own = {key: value for key, value in keys.items() if key not in shared}
    return own, {key: value for key, value in keys.items() if key in shared}


class PictureFolder:
    """The pictures of a folder, by part and class.

    Args:
        dir: the folder.
        form: what pictures become.
        own_classes: whether validation and test have classes of their own.
        value_range: what is black and what is white in files of other numbers than 8 bits; None finds it.
        near_copies: whether pictures that look alike are looked for, besides equal ones, where images are cached.
        decode: see `streaming.open_images`.
        reading: how the folder is laid out; see `folders.layout.Reading`.
    """

    def __init__(
        self,
        dir: str,
        form: Form,
        *,
        own_classes: bool,
        value_range: Sequence[float] | None = None,
        near_copies: bool = False,
        decode: Way = "auto",
        **reading: Any,
    ) -> None:
        self.root, self.form, self.near_copies = Path(dir).expanduser(), form, near_copies
        self.ranges, self.way = check_range(value_range), check_way(decode)
        self.reading = Reading(**reading, own_classes=own_classes)

    def read(self) -> Layout:
        """Its parts and classes.

        Raises:
            NetgazeError: see `read_folder`.
        """
        layout = read_folder_once(str(self.root), self.reading)
        forget_folder()
        return layout

    def decode(self, layout: Layout, pictures: Sequence[Place], parts: Sequence[str]) -> tuple[Decoded, Remarks]:
        """Pictures in order, those that cannot be read left out, and all there is to remark.

        Args:
            layout: that they are of.
            pictures: where they lie.
            parts: of each picture, the part that it was given to; "" where that is not known yet.

        Raises:
            NetgazeError: none can be read, or the cache cannot be written.
        """
        files, names = layout.found.locate_all(pictures), Names(pictures)
        decoded, said = open_images(self.root, files, self.form, self.ranges, self.way)
        if not decoded.kept.any():
            raise NetgazeError(
                f"None of the {len(files)} pictures in {self.root} can be read: {'; '.join(decoded.unreadable)}."
            )
        remarks = Remarks([*layout.notes, *said], layout.warnings, layout.found.ignored, decoded.ranges)
        remarks.add_unreadable(decoded.unreadable, names)
        remarks.warnings += describe_copies(decoded.equal, parts, names, "")
        if self.near_copies and isinstance(decoded.images, Tensor):
            there = decoded.kept.nonzero()[0]
            pairs = find_alike(decoded.images.permute(0, 2, 3, 1).numpy())
            alike = [[int(there[index]) for index in pair] for pair in pairs]
            remarks.warnings += describe_copies(alike, parts, names, "nearly")
        if decoded.num_bad:
            remarks.warnings.append(
                f"{decoded.num_bad} pictures hold values that are no numbers (NaN): they are black."
            )
        return decoded, remarks


def number_classes(layout: Layout, part: str) -> Tensor:
    """The class of each picture of a part, int64 [N]."""
    numbers = {name: number for number, name in enumerate(layout.class_names)}
    return torch.tensor([numbers[name] for name in layout.parts[part].classes], dtype=torch.int64)
