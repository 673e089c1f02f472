"""best.ckpt and last.ckpt at each epoch's end, best first: a run killed at any moment can be resumed.

Not Lightning's ModelCheckpoint: its `last` is only as new as the last best, and it stores absolute paths.
"""

import logging
import math
from pathlib import Path
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint

log = logging.getLogger(__name__)


class Keep(Checkpoint):
    """Save the best epoch by the task's `monitor`, and the last one.

    An epoch without that number, as figures find theirs in some epochs only, is best while none has it.
    """

    def __init__(self) -> None:
        self.best_value: float | None = None
        self.best_epoch = -1
        self.stopped = False

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save; the first finite number is better than one that is not."""
        value = pl_module.epoch_numbers().get(pl_module.monitor, math.nan)  # type: ignore[operator]
        sign = 1 if pl_module.monitor_mode == "max" else -1
        best = self.best_value
        better = best is None or not math.isfinite(best) or sign * value > sign * best
        self.stopped = trainer.should_stop
        if better:
            self.best_value, self.best_epoch = value, trainer.current_epoch
            self.save(trainer, "best")
        self.save(trainer, "last")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say where nothing chose the best epoch: the number's name may be misspelled, or nobody asked for it."""
        if self.best_value is not None and not math.isfinite(self.best_value):
            log.warning("No epoch has the number %s. The last epoch is used as the best.", pl_module.monitor)

    @staticmethod
    def save(trainer: Trainer, name: str) -> None:
        """Write `checkpoints/<name>.ckpt` in the run's folder."""
        trainer.save_checkpoint(Path(trainer.default_root_dir) / "checkpoints" / f"{name}.ckpt", weights_only=False)

    def state_dict(self) -> dict[str, Any]:
        """Which epoch was best, and whether training was stopped early, for the checkpoint."""
        return {"best_value": self.best_value, "best_epoch": self.best_epoch, "stopped": self.stopped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Which epoch was best, from the checkpoint."""
        self.best_value, self.best_epoch = state_dict["best_value"], state_dict["best_epoch"]
