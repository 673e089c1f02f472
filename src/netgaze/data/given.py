"""Images and labels from a notebook: a Dataset, tensors or arrays, by split."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset
from tqdm import tqdm

from netgaze.data.base import ImageData
from netgaze.data.given_pixels import Normalization, PixelCollector
from netgaze.data.images import Images
from netgaze.errors import NetgazeError

_SPLITS = ("train", "val", "test")
_HOW = 'Give a Dataset of (image, label), (images, labels), or several by split: {"train": ..., "test": ...}'
_PATIENCE = 5  # seconds until a bar is drawn


class GivenData(ImageData):
    """Images that somebody holds already; a split that was not given is empty.

    Args:
        splits: by name, "test" among them; images of one size.
        class_names: of which a label is a place.

    Raises:
        NetgazeError: a label is no place of a class.
    """

    def __init__(self, *, splits: Mapping[str, Images], class_names: Sequence[str]):
        num_channels, size, _ = splits["test"].shape
        # Values in 0..1, until `with_normalization` says what the network reads.
        super().__init__(
            num_classes=len(class_names), num_channels=num_channels, image_size=size, mean=(0.0,), std=(1.0,)
        )
        for split, part in splits.items():
            low, high = (int(label) for label in part.labels.aminmax())
            if low < 0 or high >= len(class_names):
                raise NetgazeError(
                    f"data: the labels of {split} are {low} to {high}, and there are {len(class_names)} classes. A "
                    "label is the place of its class, from 0 on."
                )
        self.title, self.class_names = "Given images", list(class_names)
        self._given = splits

    def load(self) -> dict[str, Images]:
        """The splits as they were given, "train" and "val" without images where they were not."""
        nothing = self._given["test"].take(torch.arange(0))
        return {split: self._given.get(split, nothing) for split in _SPLITS}


def read_given(data: Any, normalization: Normalization | None) -> tuple[dict[str, Images], list[str] | None]:
    """Images and labels by split, and the names of the classes where a Dataset has them as its `classes`.

    Args:
        data: a map-style Dataset of (image, label), whose items are read once, in order; or images [N,C,H,W] or
            [N,H,W,C] with labels [N]; or several of these by split. For images see `PixelCollector`.
        normalization: mean and standard deviation that they may have been normalized by; None where that is not known.

    Raises:
        NetgazeError: it is nothing of the kind, or no images are in it; or as `PixelCollector`.
    """
    parts = dict(data) if isinstance(data, Mapping) else {"test": data}
    if "test" not in parts or not set(parts) <= set(_SPLITS):
        raise NetgazeError(f'data has the splits {list(parts)}. Give "test", and by choice "train" and "val".')
    splits = {split: _read_part(part, normalization, split) for split, part in parts.items()}
    shapes = {split: part.shape for split, part in splits.items()}
    if len(set(shapes.values())) > 1:
        raise NetgazeError(f"data: the splits' images have different shapes, {shapes}. Give all of them one size.")
    names = (_find_class_names(part) for part in parts.values())
    return splits, next((found for found in names if found is not None), None)


def _read_part(part: Any, normalization: Normalization | None, split: str) -> Images:
    where = f"data, {split}"
    if isinstance(part, DataLoader):
        raise NetgazeError(f"{where}: this is a DataLoader. Give its Dataset, loader.dataset, which is read in order.")
    if isinstance(part, Dataset) and not isinstance(part, IterableDataset) and hasattr(part, "__len__"):
        pairs: Iterable[tuple[Any, Any]] = (_split_item(part[place], where) for place in range(len(part)))
        num = len(part)
    elif isinstance(part, tuple | list) and len(part) == 2 and all(map(_is_array, part)):
        num, num_labels = map(len, part)
        if num != num_labels:
            raise NetgazeError(f"{where}: {num} images have {num_labels} labels. Give one label per image.")
        pairs = zip(*part, strict=True)
    else:
        raise NetgazeError(f"{where}: that is a {type(part).__name__}. {_HOW}.")
    if not num:
        raise NetgazeError(f"{where}: there are no images.")
    collector, labels = PixelCollector(num, normalization, where), []
    # A bar in a notebook, too, which is no terminal: a person's own Dataset may take its time.
    for image, label in tqdm(pairs, f"Reading {split}", total=num, leave=False, delay=_PATIENCE):
        collector.add(image)
        labels.append(_read_label(label, where))
    return Images(collector.finish(), torch.tensor(labels))


def _is_array(part: Any) -> bool:
    return isinstance(part, Tensor | np.ndarray | list | tuple) and not (isinstance(part, Tensor) and part.ndim == 0)


def _split_item(item: Any, where: str) -> tuple[Any, Any]:
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise NetgazeError(f"{where}: an item of the Dataset is a {type(item).__name__}, not a pair (image, label).")
    return item[0], item[1]


def _read_label(label: Any, where: str) -> int:
    if isinstance(label, Tensor | np.ndarray) and label.ndim == 0:
        label = label.item()
    if not isinstance(label, int | np.integer):
        raise NetgazeError(f"{where}: a label is {str(label)[:40]}. Give the index of its class, a whole number.")
    return int(label)


def _find_class_names(part: Any) -> list[str] | None:
    """The `classes` of a Dataset, or of the one that it is a part of."""
    while isinstance(part, Dataset):
        if found := getattr(part, "classes", None):
            return [name if isinstance(name, str) else ", ".join(map(str, name)) for name in found]
        part = getattr(part, "dataset", None)
    return None
