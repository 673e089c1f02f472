"""One line per epoch, in the terminal and in the log."""

import logging
import time
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from netgaze.callbacks.history import History

_SOON = 5.0  # seconds after the first step, which is slower than the others

log = logging.getLogger(__name__)


class Progress(Callback):
    """Log after each epoch its numbers and the time left; must stand after `history`.

    Of the first epoch the speed and the length are said within seconds, should it last for longer. Images a second are
    those of training alone: from the epoch's start to after its last step.
    """

    def __init__(self) -> None:
        self._num, self._started, self._ended = 0, 0.0, 0.0
        self._first: tuple[float, int] | None = None  # when the first step was over, and of how many images
        self._told = False

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count anew."""
        self._num, self._started = 0, time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count the batch's images, on all devices."""
        self._num += len(batch.labels) * trainer.world_size
        if trainer.is_last_batch and pl_module.device.type == "cuda":
            torch.cuda.synchronize()  # else steps would count that the GPU has yet to take
        self._ended = time.perf_counter()
        if self._first is None:
            self._first = self._ended, self._num
        elif not self._told and self._ended - self._first[0] > _SOON:
            self._tell_soon(*self._first, share=(batch_idx + 1) / trainer.num_training_batches)

    def _tell_soon(self, since: float, num: int, share: float) -> None:
        """Log once how fast it goes, when this share of the epoch is done; not where the epoch's own line is near."""
        self._told = True
        taken = self._ended - self._started
        if taken / share - taken > _SOON:
            speed = (self._num - num) / (self._ended - since)
            log.info("%.0f images/s: about %.1f min per epoch", speed, taken / share / 60)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the line."""
        self._told = True
        row = History.last_row(trainer)
        said = "  ".join(f"{name} {value:.4f}" for name, value in row.items() if "/" in name and "macro" not in name)
        epochs = trainer.max_epochs or 0
        minutes_left = (epochs - row["epoch"]) * row["seconds"] / 60
        rest = f"  ({minutes_left:.1f} min left)" if minutes_left > 1 else ""
        speed = f"  {self._num / (self._ended - self._started):.0f} images/s" if self._ended > self._started else ""
        log.info("epoch %d/%d  %s  %.1f s%s%s", row["epoch"], epochs, said, row["seconds"], speed, rest)
