"""Chooses pseudo-labels for unlabeled images, and reads and writes their file.

Yalniz et al. 2019 (arXiv 1905.00546), section 3: of each image the P classes with the highest scores, then of each
class the K images with the highest score.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from netgaze.errors import NetgazeError
from netgaze.files import atomic_write, read_arrays
from netgaze.places import PSEUDO_LABELS, find_pseudo_labels
from netgaze.upgrade import upgrade_arrays

_AT_ONCE = 2**22  # scores that are sorted at a time: their places need twice their room
_ARRAYS = {"index": "i8", "label": "i8", "score": "f4", "rank": "i8"}


@dataclass(frozen=True)
class PseudoLabels:
    """Chosen pairs of an image and a class, class by class, highest score first; letters: M pairs.

    Attributes:
        index: of the image among the unlabeled ones, int64 [M]; an image may occur several times.
        label: its class, int64 [M].
        score: the network's probability of this class, float32 [M], 0..1.
        rank: its place within the class, int64 [M], 0 for the highest score.
        unlabeled: a digest of the unlabeled images that `index` counts.
        class_names: of the classes that `label` counts.
    """

    index: Tensor
    label: Tensor
    score: Tensor
    rank: Tensor
    unlabeled: str = ""
    class_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.index)

    def write(self, folder: Path) -> None:
        """Write `pseudo_labels.npz` into `folder`, whole."""
        arrays: dict[str, np.ndarray] = {name: getattr(self, name).numpy() for name in _ARRAYS}
        arrays |= {"unlabeled": np.array(self.unlabeled), "class_names": np.array(self.class_names)}
        with atomic_write(folder / PSEUDO_LABELS) as beside, open(beside, "wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


class Labeler(ABC):
    """The interface of a task that labels unlabeled images."""

    @abstractmethod
    def choose(self, data: Any) -> PseudoLabels:
        """The pseudo-labels of the unlabeled images of a `data.base.ImageData`.

        Raises:
            NetgazeError: the data has no unlabeled images.
        """


def choose(scores: Tensor, k: int, p: int) -> PseudoLabels:
    """Per class the K images with the highest score, among those with the class in their P best.

    A class gets fewer if fewer images have it among their best. Of equal scores, the lower class and the earlier image
    come first.

    Args:
        scores: of N images for C classes, [N,C].
        k: most images per class.
        p: classes per image.

    Raises:
        ValueError: k below 1, or p not in 1..C.
    """
    num_classes = scores.shape[1]
    if k < 1 or not 1 <= p <= num_classes:
        raise ValueError(f"expected k of 1 or more and p from 1 to the {num_classes} classes, got k={k} and p={p}")
    candidates = torch.zeros_like(scores, dtype=torch.bool)
    some = max(1, _AT_ONCE // num_classes)
    for own, found in zip(scores.split(some), candidates.split(some), strict=True):
        found.scatter_(1, own.sort(dim=1, descending=True, stable=True).indices[:, :p], True)
    chosen = []
    for number in range(num_classes):
        own = candidates[:, number].nonzero().flatten()
        chosen.append(own[scores[own, number].argsort(descending=True, stable=True)[:k]])
    index = torch.cat(chosen)
    label = torch.repeat_interleave(torch.arange(num_classes), torch.tensor([len(own) for own in chosen]))
    rank = torch.cat([torch.arange(len(own)) for own in chosen])
    return PseudoLabels(index, label, scores[index, label].float(), rank)


def read(path: Path | str) -> PseudoLabels:
    """The pseudo-labels in a file, or in the folder of the run that wrote one.

    Raises:
        NetgazeError: there is none, or it is damaged.
    """
    path = find_pseudo_labels(path)
    arrays = upgrade_arrays(read_arrays(path) or {})
    fits = all(name in arrays and arrays[name].dtype == kind for name, kind in _ARRAYS.items())
    if not fits or not {"unlabeled", "class_names"} <= set(arrays) or not _is_sound(arrays):
        raise NetgazeError(f"{path} holds no pseudo-labels, or damaged ones. Run task=pseudo_labels to write it.")
    index, label, score, rank = (torch.from_numpy(arrays[name]) for name in _ARRAYS)
    return PseudoLabels(
        index, label, score, rank, str(arrays["unlabeled"]), tuple(map(str, arrays["class_names"].tolist()))
    )


def _is_sound(arrays: dict[str, np.ndarray]) -> bool:
    """Whether all arrays have the same length, and all numbers are in range."""
    label = arrays["label"]
    if any(arrays[name].shape != (label.size,) for name in _ARRAYS):
        return False
    return bool((arrays["index"] >= 0).all() and (label >= 0).all() and (label < arrays["class_names"].size).all())
