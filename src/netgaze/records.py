"""A run's records of single images during training.

`Record`: of each training example in each epoch, so that examples can be told apart: examples.npz. `Snapshots`: of
some test images every so many epochs, so that their places and answers can be seen moving: snapshots.npz.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from netgaze.errors import NetgazeError
from netgaze.files import atomic_write, digest, read_arrays

RECORD, SNAPSHOTS = "examples.npz", "snapshots.npz"  # in a run's folder


@dataclass(frozen=True)
class Record:
    """The answers to N training examples in E epochs, by which the network learned: rows in the order of the split.

    Attributes:
        probability: of the class that an example was trained as, float16 [E,N], 0..1; NaN in an epoch without it.
        right: whether that was the likeliest class, float16 [E,N]: 1, 0, or a share where an epoch looked at the
            example more than once; NaN in an epoch without it.
        margin: that class's logit less the largest of the others, float16 [E,N]; NaN in an epoch without it.
        answers: the likeliest class, at the last look, signed [E,N]; -1 in an epoch without it.
        class_names: of what the task predicts, [K].
    """

    probability: np.ndarray
    right: np.ndarray
    margin: np.ndarray
    answers: np.ndarray
    class_names: np.ndarray

    @property
    def num_epochs(self) -> int:
        """E."""
        return len(self.probability)

    @property
    def num_examples(self) -> int:
        """N."""
        return self.probability.shape[1]

    @cached_property
    def digest(self) -> str:
        """A short name for all that was recorded."""
        return digest(self.names, self.probability, self.right, self.margin, self.answers)

    @property
    def names(self) -> list[str]:
        """The class names as a list."""
        return [str(name) for name in self.class_names]

    def save(self, path: Path) -> None:
        """Write it, whole."""
        arrays = {name: getattr(self, name) for name in self.__annotations__}
        with atomic_write(path) as beside, open(beside, "wb") as file:
            np.savez(file, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Record":
        """The record in a file.

        Raises:
            NetgazeError: there is none, or one that `save` did not write.
        """
        arrays = read_arrays(path)
        kinds = None if arrays is None else {name: array.dtype.kind for name, array in arrays.items()}
        expected = dict.fromkeys(("probability", "right", "margin"), "f") | {"answers": "i", "class_names": "U"}
        if arrays is None or kinds != expected:
            raise NetgazeError(f"{path} is not a record of training examples that train.py wrote. It may be damaged.")
        shapes = {array.shape for name, array in arrays.items() if name != "class_names"}
        (shape, *others), answers, num = shapes, arrays["answers"], arrays["class_names"].size
        fits = not others and len(shape) == 2 and all(shape) and -1 <= answers.min() <= answers.max() < num
        if not fits or np.isnan(arrays["margin"]).all():
            raise NetgazeError(f"{path} contains arrays that do not match. It may be damaged.")
        return cls(**arrays)


@dataclass(frozen=True)
class Snapshots:
    """N images of the test split in a network at S epochs.

    Attributes:
        epochs: from 1, int64 [S].
        index: of the images within the split, int64 [N].
        features: their first D principal components at that epoch, float16 [S,N,D].
        answers: the likeliest of the data's classes, int16 [S,N]; -1 of a network that does not name these.
        shares: its probability, float16 [S,N].
    """

    epochs: np.ndarray
    index: np.ndarray
    features: np.ndarray
    answers: np.ndarray
    shares: np.ndarray

    @cached_property
    def digest(self) -> str:
        """A short name for all that was kept."""
        return digest(self.epochs, self.index, self.features, self.answers, self.shares)

    def save(self, path: Path) -> None:
        """Write it, whole."""
        with atomic_write(path) as beside, open(beside, "wb") as file:
            np.savez(file, **vars(self))

    @classmethod
    def load(cls, path: Path) -> "Snapshots":
        """The snapshots in a file.

        Raises:
            NetgazeError: there are none, or such as `save` did not write.
        """
        arrays = read_arrays(path)
        kinds = {"epochs": "i", "index": "i", "features": "f", "answers": "i", "shares": "f"}
        if arrays is None or {name: array.dtype.kind for name, array in arrays.items()} != kinds:
            raise NetgazeError(f"{path} is not a file of snapshots that train.py wrote. It may be damaged.")
        found = cls(**arrays)
        shape = (found.epochs.size, found.index.size)
        fits = found.features.ndim == 3 and found.features.shape[:2] == found.answers.shape == found.shares.shape
        if not fits or found.answers.shape != shape or not all(shape):
            raise NetgazeError(f"{path} contains arrays that do not match. It may be damaged.")
        return found
