"""How a network classifies corrupted images: by its outputs, or by the neighbors of its features."""

from collections.abc import Callable

import numpy as np
from torch import Tensor

from netgaze.measures.metrics import vote_weighted
from netgaze.measures.neighbors import find_nearest
from netgaze.subject import Subject

_OUTPUTS = "the network's outputs"
_NEIGHBORS = 20  # of the vote, if a network does not predict the classes of the data


def choose_measure(subject: Subject, labels: Tensor) -> tuple[Callable[[Tensor], np.ndarray], str]:
    """A function that says which images [N,C,H,W] with these labels [N] are classified correctly; and how, in words."""
    if subject.names_classes:

        def measure(images: Tensor) -> np.ndarray:
            found = subject.outputs_of(images, labels)
            return np.asarray(found.logits.argmax(axis=1) == found.targets)

        return measure, _OUTPUTS
    bank, known = subject.bank("train"), subject.data.labels("train")
    k = min(_NEIGHBORS, len(bank))

    def vote(images: Tensor) -> np.ndarray:
        similar, near = find_nearest(subject.features_of(images), bank, k)
        return (vote_weighted(similar, known[near], len(subject.data.class_names)) == labels).numpy()

    return vote, f"{k} nearest training images"
