"""Mean teacher (Tarvainen and Valpola 2017, arXiv 1703.01780): a network agrees with the average of its own past."""

import copy
from collections.abc import Callable

import torch
from torch import nn
from torch.optim import Optimizer

from netgaze.batch import Batch
from netgaze.tasks.step import Step
from netgaze.tasks.supervised import Supervised


class MeanTeacher(Supervised):
    """Cross-entropy on one view, and the squared distance of its probabilities to the teacher's of another.

    Args:
        model, num_classes, optimizer, schedule: see `Task`.
        momentum: share of itself that the teacher keeps at each step, 0..1.
        consistency: weight of the distance.
    """

    num_views = 2

    def __init__(
        self,
        *,
        model: nn.Module,
        num_classes: int,
        optimizer: Callable[..., Optimizer],
        schedule: Callable[[float, float], float],
        momentum: float = 0.9,
        consistency: float = 1.0,
    ):
        super().__init__(model=model, num_classes=num_classes, optimizer=optimizer, schedule=schedule)
        self.momentum, self.consistency = momentum, consistency
        self.teacher = copy.deepcopy(model)
        self.freeze_modules([self.teacher])

    def on_train_start(self) -> None:
        """Begin as the network does, which may have been loaded; a resumed teacher goes on."""
        if self.trainer.global_step == 0:
            self.teacher.load_state_dict(self.model.state_dict())

    def loss(self, batch: Batch) -> Step:
        """The supervised loss, and in training the disagreement."""
        step = super().loss(batch)
        if not self.training:
            return step
        assert step.outputs is not None
        taught = self.teacher(batch.views[1]).softmax(dim=1)
        apart = (step.outputs.softmax(dim=1) - taught).square().mean()
        numbers = {**step.numbers, "consistency": apart.detach()}
        return Step(step.loss + self.consistency * apart, step.outputs, step.targets, numbers)

    def after_step(self) -> None:
        """teacher = momentum * teacher + (1 - momentum) * network, of weights and of BatchNorm's statistics."""
        for own, other in zip(self.teacher.state_dict().values(), self.model.state_dict().values(), strict=True):
            if own.is_floating_point():
                own.copy_(torch.lerp(other, own, self.momentum))
