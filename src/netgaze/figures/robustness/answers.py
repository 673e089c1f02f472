"""How a network answers corrupted images: by its outputs, or by the neighbors of its features."""

from collections.abc import Callable

from torch import Tensor

from netgaze.measures.metrics import knn_accuracy
from netgaze.subject import Subject

_OUTPUTS = "the network's outputs"
_NEIGHBORS = 20  # of the vote where a network does not name the classes of the data


def choose_measure(subject: Subject, labels: Tensor) -> tuple[Callable[[Tensor], float], str]:
    """What gives the share of images [N,C,H,W] with these labels [N] that are answered correctly; and how, in words."""
    if subject.names_classes:

        def measure(images: Tensor) -> float:
            found = subject.outputs_of(images, labels)
            return float((found.logits.argmax(axis=1) == found.targets).mean())

        return measure, _OUTPUTS
    bank, known = subject.bank("train"), subject.data.labels("train")
    k = min(_NEIGHBORS, len(bank))

    def vote(images: Tensor) -> float:
        return knn_accuracy(bank, known, subject.features_of(images), labels, (k,))[f"knn{k}"]

    return vote, f"{k} nearest training images"
