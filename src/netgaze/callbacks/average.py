"""Averages the weights during training: the average is validated, saved, tested and shown.

From an epoch's validation until the next epoch starts, the average lies in the network itself; the weights that learn
wait beside it, and travel in the checkpoint. So whoever opens a checkpoint, or looks in between, sees the average.
"""

from typing import Any, Literal

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from netgaze.errors import NetgazeError


class Average(Callback):
    """Keep an average of weights, and of running statistics as they are of no other weights; must stand before `keep`.

    Every so many steps: average <- decay * average + (1 - decay) * weights.

    Args:
        kind: "ema", an exponential moving average (Polyak and Juditsky 1992; its decay is at most
            (1 + t) / (10 + t) in step t, as in TensorFlow); "lookahead", whose weights go on from the average
            (Zhang et al. 2019); null for neither.
        decay: 0..1; null for 0.999 of ema, and 0.5 of lookahead, as in Zhang et al.
        every: steps between two updates; null for 1 of ema, and 5 of lookahead.
        ramp: power p by which the decay of lookahead grows over training, decay * (t / T)^p: 3 in the CIFAR-10 speed
            record (Jordan 2024, with a decay of 0.95^5), 0 in Zhang et al.

    Raises:
        NetgazeError: numbers that cannot be.
    """

    def __init__(
        self,
        *,
        kind: Literal["ema", "lookahead"] | None = None,
        decay: float | None = None,
        every: int | None = None,
        ramp: float = 0.0,
    ):
        usual_decay, usual_every = (0.5, 5) if kind == "lookahead" else (0.999, 1)
        decay, every = usual_decay if decay is None else decay, usual_every if every is None else every
        if not 0 <= decay <= 1 or every < 1 or ramp < 0:
            raise NetgazeError(
                f"callback.average: decay={decay} must be from 0 to 1, every={every} 1 or more, ramp={ramp} 0 or more."
            )
        self.kind, self.decay, self.every, self.ramp = kind, decay, every, ramp
        self._average: dict[str, Tensor] = {}
        self._waiting: dict[str, Tensor] = {}  # the weights that learn, while the average is in the network

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin, or go on from the weights that learn; those of a resumed run, too, where nothing is averaged now."""
        state = _list_numbers(pl_module)
        if self.kind is None:
            self._average = {}
        elif self._waiting or not self._average:
            self._average = _copy(state)
        if self._waiting:
            _write(self._waiting, state)
        self._waiting = {}

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Take in the weights after this step."""
        if self.kind is None or trainer.global_step % self.every:
            return
        state = _list_numbers(pl_module)
        torch._foreach_lerp_(
            list(self._average.values()), list(state.values()), 1 - self._find_decay(trainer, pl_module)
        )
        if self.kind == "lookahead":
            _write(self._average, state)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the average."""
        self._show(pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the average where nothing is validated."""
        self._show(pl_module)

    def state_dict(self) -> dict[str, Any]:
        """The weights that learn, for the checkpoint, whose network has the average; within an epoch the average."""
        return {"waiting": self._waiting, "average": {} if self._waiting else self._average}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The weights that learn, and within an epoch their average, from the checkpoint."""
        self._waiting, self._average = state_dict["waiting"], state_dict.get("average", {})

    def _show(self, task: LightningModule) -> None:
        if self._average and not self._waiting:
            state = _list_numbers(task)
            self._waiting = _copy(state)
            _write(self._average, state)

    def _find_decay(self, trainer: Trainer, task: LightningModule) -> float:
        step = trainer.global_step
        if self.kind == "ema":
            return min(self.decay, (1 + step) / (10 + step))
        epochs: float = trainer.max_epochs or 1
        share = (getattr(task, "max_epochs", None) or epochs) / epochs
        return self.decay * min(1.0, step / (trainer.estimated_stepping_batches * share)) ** self.ramp


def _list_numbers(task: LightningModule) -> dict[str, Tensor]:
    """What steps change, weights and running statistics, by name: the tensors themselves, not copies.

    Of those parts of a task alone in which something is trained: a momentum copy or the best heads so far are set
    otherwise. So are buffers of the task itself, such as a threshold: what a validation finds must outlast it. Counters
    are no numbers to average.
    """
    trained = {name for name, part in task.named_children() if any(p.requires_grad for p in part.parameters())}
    own = {name for name, _ in task.named_parameters(recurse=False)}
    return {
        name: value
        for name, value in task.state_dict().items()
        if value.is_floating_point() and (name in own or name.partition(".")[0] in trained)
    }


@torch.no_grad()
def _copy(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in state.items()}


@torch.no_grad()
def _write(source: dict[str, Tensor], state: dict[str, Tensor]) -> None:
    for name, value in state.items():
        value.copy_(source[name])
