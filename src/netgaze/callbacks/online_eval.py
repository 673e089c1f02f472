"""Figures during training; their metrics become numbers of the epoch."""

import logging
from collections.abc import Mapping
from pathlib import Path

from pytorch_lightning import Callback, LightningModule, Trainer

from netgaze.failures import Failure
from netgaze.figure import Figure
from netgaze.gallery import Found, look, pick_numbers
from netgaze.pictures import render
from netgaze.subject import Subject

log = logging.getLogger(__name__)


class OnlineEval(Callback):
    """Every `every` epochs and after the last, compute `figures` on the validation split.

    Passes over the data are made in training's precision.

    Args:
        figures: by name.
        every: epochs between two evaluations; 0 for never.
        draw: whether their pictures are wanted too; else only their numbers.
    """

    def __init__(self, *, figures: Mapping[str, Figure], every: int = 0, draw: bool = True):
        self.figures, self.every, self.draw = figures, every, draw
        self._warned: set[str] = set()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add `val/<metric>` of every figure to this epoch's numbers; one that fails has none, and training goes on."""
        done = trainer.current_epoch + 1
        if not self.every or (done % self.every and done != trainer.max_epochs):
            return
        numbers = self._look(trainer, pl_module) if trainer.is_global_zero else {}
        for metric, value in trainer.strategy.broadcast(numbers).items():
            pl_module.numbers[metric] = value  # type: ignore[operator, index]
            pl_module.log(metric, value)  # for early stopping, which may wait for it

    def _look(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, float]:
        """What the figures find that the epoch has not found by itself; their pictures are drawn."""
        subject = Subject(
            "now",
            task=lambda: pl_module,
            data=lambda: trainer.datamodule,  # type: ignore[attr-defined]
            split="val",
            training=True,
            precision="bf16" if "bf16" in str(trainer.precision) else "32",
        )
        seen = look(self.figures, [subject], Path(trainer.default_root_dir) / "figures", draw=False)
        for name, failure in seen.failed.items():
            self._warn(f"{name} fails while training, and has no numbers", failure)
        found: dict[str, float] = {}
        for name, findings in seen.items():
            own = pick_numbers(findings["now"], self.figures[name])
            found = {f"val/{metric}": value for metric, value in own.items()} | found
        if self.draw:
            self._draw(seen, pl_module)
        return {metric: value for metric, value in found.items() if metric not in pl_module.numbers}  # type: ignore[operator]

    def _draw(self, seen: Found, pl_module: LightningModule) -> None:
        """Hand the pictures to whoever shows those of an epoch."""
        for name, findings in seen.items():
            try:
                pl_module.pictures[name] = render(self.figures[name].draw(findings))  # type: ignore[operator, index, assignment]
            except Exception as error:
                self._warn(f"{name} cannot be drawn while training", Failure.of(error))

    def _warn(self, what: str, failure: Failure) -> None:
        """Say what fails, the first time."""
        if what not in self._warned:
            log.warning("%s: %s", what, failure.error)
            log.debug("%s", failure.trace)
        self._warned.add(what)
