"""A run's prediction for each test example, to compare runs example by example: predictions.npz."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from netgaze.files import atomic_write, read_arrays
from netgaze.measures.uncertainty import compare_paired

MOST_BYTES = 2_000_000_000  # unpacked


@dataclass(frozen=True)
class Predictions:
    """Predictions for the M examples of a test, in the order of their images, then of their true classes.

    Attributes:
        index: the place of each example's image in the test split, [M], unsigned.
        targets: true classes, [M], unsigned.
        predicted: the most probable classes, [M], unsigned.
        confidence: their probabilities, float16 [M], 0..1.
    """

    index: np.ndarray
    targets: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray

    @classmethod
    def of(cls, logits: Tensor, targets: Tensor, index: Tensor) -> "Predictions":
        """From logits [M,K], targets [M] and the images' places [M]."""
        confidence, predicted = torch.cat([part.softmax(dim=1) for part in logits.split(4096)]).max(dim=1)
        order = np.lexsort((targets.numpy(), index.numpy()))
        places, true, answers = (_compact(part.numpy()[order]) for part in (index, targets, predicted))
        return cls(places, true, answers, confidence.numpy()[order].astype(np.float16))

    @property
    def right(self) -> np.ndarray:
        """Which predictions are correct, bool [M]."""
        return self.predicted == self.targets

    def is_of_same_test(self, other: "Predictions") -> bool:
        """Whether both are of the same examples, judged by their images' places and true classes."""
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in ("index", "targets"))

    def save(self, path: Path) -> None:
        """Write them, whole."""
        with atomic_write(path) as beside, open(beside, "wb") as file:
            np.savez_compressed(file, **vars(self))

    @classmethod
    def load(cls, path: Path) -> "Predictions | None":
        """The predictions in a file; None if there is none, or one that `save` did not write."""
        arrays = read_arrays(path, MOST_BYTES)
        if arrays is None:
            return None
        kinds = {name: array.dtype.kind for name, array in arrays.items()}
        sizes = {array.shape for array in arrays.values()}
        expected = dict.fromkeys(cls.__annotations__, "u") | {"confidence": "f"}
        return cls(**arrays) if kinds == expected and len(sizes) == 1 and len(next(iter(sizes))) == 1 else None


@dataclass(frozen=True)
class Duel:
    """Two networks on the same test examples.

    Attributes:
        num: examples.
        only_first: how many only the first predicts correctly.
        only_second: how many only the second predicts correctly.
    """

    num: int
    only_first: int
    only_second: int

    @classmethod
    def of(cls, first: Predictions, second: Predictions) -> "Duel | None":
        """From two networks' predictions; None if they are not of the same examples."""
        if not first.is_of_same_test(second):
            return None
        right, other = first.right, second.right
        return cls(len(right), int((right & ~other).sum()), int((other & ~right).sum()))

    @property
    def p(self) -> float:
        """The p-value of McNemar's test: how likely a result at least this unequal is if both are equally good."""
        return compare_paired(self.only_first, self.only_second)


def _compact(values: np.ndarray) -> np.ndarray:
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))
