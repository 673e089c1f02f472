"""Classification by generated filters, one per class; the backbone is trained too, or frozen."""

from collections.abc import Callable

from torch import nn
from torch.optim import Optimizer

from netgaze.tasks.supervised import Supervised


class DynamicConv(Supervised):
    """Cross-entropy over one score per class, as `Supervised`; only the network's head differs.

    Args:
        model, num_classes, optimizer, schedule, label_smoothing: see `Supervised`.
        freeze_backbone: train only the head; the backbone's BatchNorm statistics are frozen too.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        num_classes: int,
        optimizer: Callable[..., Optimizer],
        schedule: Callable[[float, float], float],
        label_smoothing: float = 0.0,
        freeze_backbone: bool = False,
    ):
        super().__init__(
            model=model,
            num_classes=num_classes,
            optimizer=optimizer,
            schedule=schedule,
            label_smoothing=label_smoothing,
        )
        if freeze_backbone:
            self.freeze_backbone()
