"""Which images a figure shows: chosen from the data alone, by the row of a task's outputs, or your own."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from netgaze.errors import NetgazeError
from netgaze.subject import Subject

_ORIENTATION, _SIDEWAYS = 0x0112, (5, 6, 7, 8)  # of EXIF: those whose rows are the columns that a person sees


def balanced_choice(labels: np.ndarray, num: int, seed: int) -> np.ndarray:
    """At most `num` indices into `labels` [N], as evenly over the classes as these allow, drawn by `seed`.

    The classes take turns in a random order: the first K indices are of K different classes, so are the next K.
    """
    rng = np.random.default_rng(seed)
    classes, members = np.unique(labels, return_inverse=True)
    place = rng.permutation(len(classes))[members]
    order = rng.permutation(len(labels))
    by_class = order[np.argsort(place[order], kind="stable")]
    sizes = np.bincount(place, minlength=len(classes))
    turn = np.empty(len(labels), dtype=np.int64)
    turn[by_class] = np.arange(len(labels)) - np.repeat(sizes.cumsum() - sizes, sizes)
    return np.lexsort((place, turn))[:num]


def spread_evenly(num: int, most: int) -> np.ndarray:
    """At most `most` indices out of `num`, as evenly over them as whole numbers allow, in order."""
    return np.linspace(0, num - 1, min(most, num)).astype(np.int64)


def choose_examples(labels: np.ndarray, num: int, seed: int, indices: Sequence[int] | None) -> np.ndarray:
    """The images named by `indices`, else `num` of different classes by `seed`.

    Raises:
        NetgazeError: an index is outside the split.
    """
    if indices is None:
        return balanced_choice(labels, num, seed)
    for index in indices:
        if not 0 <= index < len(labels):
            raise NetgazeError(
                f"indices names image {index}, but the split has images 0 to {len(labels) - 1}. Choose one of these."
            )
    return np.asarray(indices, dtype=np.int64)


def choose_right(labels: np.ndarray, right: np.ndarray, num: int, seed: int) -> np.ndarray:
    """`num` images that a network classifies correctly, of the same classes for every network: indices into labels [N].

    The seed draws an order of all images in which the classes take turns, which fixes the class of each place. A
    class's n-th place goes to its n-th correct image; if these run out, to the first incorrect ones.
    """
    order = balanced_choice(labels, len(labels), seed)
    found = []
    for place, image in enumerate(order[:num]):
        own = order[labels[order] == labels[image]]
        turn = int((labels[order[:place]] == labels[image]).sum())
        found.append(own[np.argsort(~right[own], kind="stable")][turn])
    return np.array(found, dtype=np.int64)


def rebuild_examples(subject: Subject, rows: np.ndarray) -> Tensor:
    """The examples behind rows of `subject.outputs(subject.split)`, as the network saw them, [len(rows),C,H,W].

    Each is made again from its image, as the m-th example that the task makes of it.
    """
    split, examples = subject.split, []
    index = subject.outputs(split).index
    for row in rows:
        image = index[row]
        position = int((index[:row] == image).sum())
        images = subject.data.normalize(subject.data.images(split, [image]))
        examples.append(subject.task.make_examples(images, subject.data.labels(split)[[image]])[0][position])
    return torch.stack(examples)


def find_upright_rows(index: np.ndarray, images: np.ndarray) -> np.ndarray:
    """The row of the first example that the task makes of each image: index [M] of outputs, images [B] -> [B]."""
    first = np.unique(index, return_index=True)[1]
    return first[images]


def denormalize(examples: Tensor, mean: Sequence[float], std: Sequence[float]) -> np.ndarray:
    """Normalized examples [B,C,H,W] as pictures again: uint8 [B,H,W,3]."""
    scale = torch.tensor(std).view(-1, 1, 1)
    values = examples.float().cpu() * scale + torch.tensor(mean).view(-1, 1, 1)
    return to_rgb((values * 255).round().clamp(0, 255).to(torch.uint8))


def to_rgb(images: Tensor) -> np.ndarray:
    """Images uint8 [N,C,H,W] of one or three channels as RGB pictures, uint8 [N,H,W,3]."""
    return images.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).contiguous().numpy()


def name_files(paths: Sequence[str]) -> list[str]:
    """The files' names, with as many parent folders as make them unique."""
    for depth in range(1, max(len(Path(path).parts) for path in paths) + 1):
        names = ["/".join(Path(path).parts[-depth:]) for path in paths]
        if len(set(names)) == len(set(paths)):
            break
    return names


def read_size(path: str) -> tuple[int, int]:
    """Width and height of a picture file in pixels, as displayed (EXIF)."""
    with Image.open(os.path.expanduser(path)) as opened:
        width, height = opened.size
        turned = opened.getexif().get(_ORIENTATION, 1) in _SIDEWAYS
    return (height, width) if turned else (width, height)
