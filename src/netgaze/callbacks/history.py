"""One row per epoch: train and validation numbers, learning rate, seconds; rewritten whole as history.csv.

Epochs count from 1 wherever people read them.
"""

import time
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from netgaze.errors import NetgazeError
from netgaze.files import write_csv


class History(Callback):
    """Collect the rows; they travel in the checkpoint, so that a resumed run's file is that of one run."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self._started, self._lr = 0.0, 0.0
        self._begun = {"lr": 0.0, "seconds": 0.0}  # of an epoch that was cut off

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note the time and the learning rate with which the epoch starts."""
        now = {"lr": float(trainer.optimizers[0].param_groups[0]["lr"]), "seconds": 0.0}
        begun = self._begun if trainer.fit_loop.restarted_mid_epoch else now
        self._started, self._lr = time.perf_counter() - begun["seconds"], begun["lr"]

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the epoch's row and write the file."""
        row: dict[str, float] = {"epoch": trainer.current_epoch + 1}
        row |= pl_module.epoch_numbers()  # type: ignore[operator]
        row |= {"lr": self._lr, "seconds": time.perf_counter() - self._started}
        self.rows.append(row)
        if trainer.is_global_zero:
            write_csv(Path(trainer.default_root_dir) / "history.csv", self.rows)

    @staticmethod
    def last_row(trainer: Trainer) -> dict[str, float]:
        """The row of the epoch that has just ended, for callbacks that stand after this one.

        Raises:
            NetgazeError: the callback `history` is missing, or stands later.
        """
        if rows := History.all_rows(trainer):
            return rows[-1]
        raise NetgazeError("callback: progress and tensorboard need history to stand before them in the list.")

    @staticmethod
    def all_rows(trainer: Trainer) -> list[dict[str, float]]:
        """The rows so far; none where the callback `history` is missing."""
        rows = [callback.rows for callback in trainer.callbacks if isinstance(callback, History)]  # type: ignore[attr-defined]
        return rows[0] if rows else []

    def state_dict(self) -> dict[str, Any]:
        """The rows, for the checkpoint."""
        return {"rows": self.rows, "begun": {"lr": self._lr, "seconds": time.perf_counter() - self._started}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The rows, from the checkpoint."""
        self.rows = [dict(row) for row in state_dict["rows"]]
        self._begun = state_dict.get("begun", self._begun)
