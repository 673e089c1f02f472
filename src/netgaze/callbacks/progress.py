"""A line an epoch, in a terminal and in a log alike."""

import logging
import time

from pytorch_lightning import Callback, LightningModule, Trainer

log = logging.getLogger(__name__)


class Progress(Callback):
    """Say after each epoch how it went and how long the rest will take."""

    def __init__(self) -> None:
        self._started = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the time."""
        self._started = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the line."""
        numbers = pl_module.epoch_numbers()  # type: ignore[operator]
        said = "  ".join(f"{name} {value:.4f}" for name, value in numbers.items() if "macro" not in name)
        seconds = time.perf_counter() - self._started
        epoch, epochs = trainer.current_epoch + 1, trainer.max_epochs or 0
        left = (epochs - epoch) * seconds
        log.info(
            "epoch %d/%d  %s  %.1f s%s",
            epoch,
            epochs,
            said,
            seconds,
            f"  ({left / 60:.1f} min left)" if left > 60 else "",
        )
