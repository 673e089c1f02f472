"""Figures computed while the network trains; their metrics become numbers of the epoch."""

import logging
from collections.abc import Mapping
from pathlib import Path

from pytorch_lightning import Callback, LightningModule, Trainer

from netgaze.failures import Failure
from netgaze.figure import Figure
from netgaze.gallery import look, pick_numbers
from netgaze.subject import Subject

log = logging.getLogger(__name__)


class OnlineEval(Callback):
    """Every `every` epochs and after the last, ask `figures` of the network as it stands, on the validation split.

    Args:
        figures: by name; only their numbers are wanted here, so nothing is drawn.
        every: epochs between two looks; 0 never.
    """

    def __init__(self, *, figures: Mapping[str, Figure], every: int = 0):
        self.figures, self.every = figures, every
        self._warned: set[str] = set()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add `val/<metric>` of every figure to this epoch's numbers; one that fails has none, and training goes on."""
        done = trainer.current_epoch + 1
        if not self.every or (done % self.every and done != trainer.max_epochs):
            return
        subject = Subject(
            "now",
            task=lambda: pl_module,
            data=lambda: trainer.datamodule,  # type: ignore[attr-defined]
            split="val",
            training=True,
        )
        seen = look(self.figures, [subject], Path(trainer.default_root_dir) / "figures", draw=False)
        self._warn(seen.failed)
        for name, findings in seen.items():
            numbers = pick_numbers(findings["now"], self.figures[name])
            for metric, value in numbers.items():
                if f"val/{metric}" not in pl_module.numbers:  # type: ignore[operator]
                    pl_module.numbers[f"val/{metric}"] = value  # type: ignore[operator, index]
                    pl_module.log(f"val/{metric}", value)  # for early stopping, which may wait for it

    def _warn(self, failed: Mapping[str, Failure]) -> None:
        """Say of each figure that fails that it does, the first time."""
        for name, failure in failed.items():
            if name not in self._warned:
                log.warning("%s fails while training, and has no numbers: %s", name, failure.error)
                log.debug("%s", failure.trace)
            self._warned.add(name)
