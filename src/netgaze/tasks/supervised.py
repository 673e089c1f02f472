"""Supervised classification: cross-entropy against the data's labels, by choice smoothed."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.optim import Optimizer

from netgaze.tasks.base import Task


class Supervised(Task):
    """Predict the class of an image.

    Args:
        model, num_classes, optimizer, schedule: see `Task`.
        label_smoothing: share of the target that is spread over all classes (Szegedy et al. 2016), 0..1. It acts
            in training only: validation and test losses are plain cross-entropy, so that they compare.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        num_classes: int,
        optimizer: Callable[..., Optimizer],
        schedule: Callable[[float, float], float],
        label_smoothing: float = 0.0,
    ):
        super().__init__(model=model, num_classes=num_classes, optimizer=optimizer, schedule=schedule)
        self.label_smoothing = label_smoothing

    def criterion(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy in nats: minus the log of the probability given to the right class, averaged."""
        smoothing = self.label_smoothing if self.training else 0.0
        return nn.functional.cross_entropy(logits, targets, label_smoothing=smoothing)
