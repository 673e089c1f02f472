"""Which classes are confused: counts of the pairs that occur, so that thousands of classes need little memory."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class PairCounts:
    """How often each class is predicted as each class; of all K^2 pairs the P that occur, by true, then by predicted.

    Attributes:
        true: the true class, int64 [P].
        answer: the predicted class, int64 [P]; the true class if correct.
        counts: how often, int64 [P], 1 or more.
        num_classes: K.
    """

    true: np.ndarray
    answer: np.ndarray
    counts: np.ndarray
    num_classes: int

    @classmethod
    def of(cls, targets: np.ndarray, predicted: np.ndarray, num_classes: int) -> "PairCounts":
        """Count true [M] and predicted classes [M], each 0..K-1."""
        codes, counts = np.unique(targets.astype(np.int64) * num_classes + predicted, return_counts=True)
        return cls(codes // num_classes, codes % num_classes, counts.astype(np.int64), num_classes)

    @cached_property
    def examples(self) -> np.ndarray:
        """How many examples each class has, int64 [K]."""
        examples = np.zeros(self.num_classes, dtype=np.int64)
        np.add.at(examples, self.true, self.counts)
        return examples

    @cached_property
    def shares(self) -> np.ndarray:
        """The share of its class's examples that each pair makes up, [P], above 0 and up to 1."""
        return self.counts / self.examples[self.true]

    @property
    def recalls(self) -> np.ndarray:
        """The accuracy of each class, [K], 0..1; NaN for a class without examples."""
        recalls = np.where(self.examples > 0, 0.0, np.nan)
        right = self.true == self.answer
        recalls[self.true[right]] = self.shares[right]
        return recalls

    @property
    def num_errors(self) -> int:
        """The number of incorrect predictions."""
        return int(self.counts[self.true != self.answer].sum())

    def rank_errors(self) -> np.ndarray:
        """The places [E] of the incorrect pairs: by share, then by number, then by true and predicted class."""
        wrong = np.flatnonzero(self.true != self.answer)
        return wrong[np.lexsort((-self.counts[wrong], -self.shares[wrong]))]

    def find_shares(self, true: np.ndarray, answer: np.ndarray) -> np.ndarray:
        """The share of true classes [M] predicted as classes [M], [M]; 0 for a pair that does not occur."""
        known, wanted = (one * self.num_classes + other for one, other in ((self.true, self.answer), (true, answer)))
        place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        return np.where(known[place] == wanted, self.shares[place], 0.0)

    def to_matrix(self, classes: np.ndarray) -> np.ndarray:
        """Counts among some classes [k], in their order, int64 [k,k]: row the true class, column the predicted one."""
        place = np.full(self.num_classes, -1)
        place[classes] = np.arange(len(classes))
        row, column = place[self.true], place[self.answer]
        within = (row >= 0) & (column >= 0)
        matrix = np.zeros((len(classes), len(classes)), dtype=np.int64)
        matrix[row[within], column[within]] = self.counts[within]
        return matrix
