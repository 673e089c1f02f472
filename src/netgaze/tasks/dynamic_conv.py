"""Classification by a network that writes a filter for each class; the backbone is trained with it, or frozen."""

from collections.abc import Callable

from torch import nn
from torch.optim import Optimizer

from netgaze.tasks.supervised import Supervised


class DynamicConv(Supervised):
    """Cross-entropy over one score a class, as `Supervised`; all that is special is the network's head.

    Args:
        model, num_classes, optimizer, schedule, label_smoothing: see `Supervised`.
        freeze_backbone: let the head alone learn; the BatchNorm statistics of the backbone stand still too.
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
