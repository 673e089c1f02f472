"""A line per epoch, in a terminal and in a log alike."""

import logging

from pytorch_lightning import Callback, LightningModule, Trainer

from netgaze.callbacks.history import History

log = logging.getLogger(__name__)


class Progress(Callback):
    """Say after each epoch how it went and how long the rest will take; must stand after `history`."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the line."""
        row = History.last_row(trainer)
        said = "  ".join(f"{name} {value:.4f}" for name, value in row.items() if "/" in name and "macro" not in name)
        epochs = trainer.max_epochs or 0
        minutes_left = (epochs - row["epoch"]) * row["seconds"] / 60
        rest = f"  ({minutes_left:.1f} min left)" if minutes_left > 1 else ""
        log.info("epoch %d/%d  %s  %.1f s%s", row["epoch"], epochs, said, row["seconds"], rest)
