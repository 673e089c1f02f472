"""Figures computed while the network trains; their metrics become numbers of the epoch."""

from collections.abc import Mapping
from pathlib import Path

from pytorch_lightning import Callback, LightningModule, Trainer

from netgaze.figure import Figure
from netgaze.gallery import look
from netgaze.subject import Subject


class OnlineEval(Callback):
    """Every `every` epochs and after the last, ask `figures` of the network as it stands, on the validation split.

    Args:
        figures: by name; only their numbers are wanted here, so nothing is drawn.
        every: epochs between two looks; 0 never.
    """

    def __init__(self, *, figures: Mapping[str, Figure], every: int = 0):
        self.figures, self.every = figures, every

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add `val/<metric>` of every figure to this epoch's numbers."""
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
        for name, findings in seen.items():
            numbers = findings["now"].numbers
            for metric in self.figures[name].metrics:
                if metric in numbers and f"val/{metric}" not in pl_module.numbers:  # type: ignore[operator]
                    pl_module.numbers[f"val/{metric}"] = numbers[metric]  # type: ignore[operator, index]
                    pl_module.log(f"val/{metric}", numbers[metric])  # for early stopping, which may wait for it
