"""Training that goes non-finite stops, and says at which step."""

from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from netgaze.errors import NetgazeError


class Finite(Callback):
    """Remember the first step with a loss that is not finite, on the device, and look now and then.

    Args:
        every: steps between two looks: looking waits for the device.
    """

    def __init__(self, *, every: int = 50):
        self.every = every
        self._first: Tensor | None = None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note this step if its loss is the first that is not finite."""
        loss = outputs["loss"].detach()
        if self._first is None:
            self._first = torch.tensor(-1, device=loss.device)
        bad = ~torch.isfinite(loss) & (self._first < 0)
        self._first = torch.where(bad, trainer.global_step, self._first)
        if trainer.global_step % self.every == 0:
            self._look(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look before anything of this epoch is kept."""
        self._look(trainer, pl_module)

    def _look(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._first is None:
            return
        step = int(self._first)
        if step < 0 and not bool(torch.stack([torch.isfinite(p).all() for p in pl_module.parameters()]).all()):
            step = trainer.global_step
        if step >= 0:
            self._first = None
            raise NetgazeError(
                f"Training went non-finite at step {step} (epoch {trainer.current_epoch + 1}). "
                "Try a smaller optim.lr, a warm-up, or trainer.gradient_clip_val=1."
            )
