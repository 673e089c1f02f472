"""Stops training if the loss is not finite, and names the step."""

from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from netgaze.errors import NetgazeError


class Finite(Callback):
    """Keep each step's loss on the device, and check now and then for the first that is not finite.

    Args:
        every: steps between two checks; a check waits for the device.
    """

    def __init__(self, *, every: int = 50):
        self.every = every
        self._losses: list[Tensor] = []
        self._steps: list[int] = []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note this step's loss."""
        self._losses.append(outputs["loss"].detach())
        self._steps.append(trainer.global_step)
        if trainer.global_step % self.every == 0:
            self._look(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look before anything of this epoch is kept."""
        self._look(trainer, pl_module)

    def _look(self, trainer: Trainer, pl_module: LightningModule) -> None:
        sound = torch.stack([torch.isfinite(p).all() for p in pl_module.parameters()]).all()
        losses = [torch.isfinite(torch.stack(self._losses))] if self._losses else []
        *finite, weights = torch.cat([*losses, sound.view(1)]).tolist()  # one wait for the device
        bad = [step for step, good in zip(self._steps, finite, strict=True) if not good]
        if not weights:
            bad.append(trainer.global_step)
        self._losses.clear()
        self._steps.clear()
        if bad:
            raise NetgazeError(
                f"Training went non-finite at step {bad[0]} (epoch {trainer.current_epoch + 1}). "
                "Try a smaller optim.lr, a warm-up, or trainer.gradient_clip_val=1."
            )
