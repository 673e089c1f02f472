"""TensorBoard: one tag, two folders (`train/`, `val/`), step = epoch, so that both curves share a chart."""

from pathlib import Path
from typing import Any

import matplotlib.image
from pytorch_lightning import Callback, LightningModule, Trainer
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from netgaze.callbacks.history import History
from netgaze.text import show


class TensorBoard(Callback):
    """Write each epoch's row of numbers; must stand after `history`, whose rows it writes."""

    def __init__(self) -> None:
        self._writers: dict[str, SummaryWriter] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the two folders; on resume what was written of later epochs is hidden."""
        if trainer.is_global_zero:
            folder = Path(trainer.default_root_dir) / "tensorboard"
            for split in ("train", "val"):
                self._writers[split] = SummaryWriter(str(folder / split), purge_step=trainer.current_epoch + 1)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the epoch's numbers."""
        if not self._writers:
            return
        row = History.last_row(trainer)
        epoch = int(row["epoch"])
        for name, value in row.items():
            split, _, tag = name.partition("/")
            if split in self._writers:
                self._writers[split].add_scalar(tag, value, epoch)
        self._writers["train"].add_scalar("lr", row["lr"], epoch)
        for writer in self._writers.values():
            writer.flush()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()


def write_results(folder: Path, settings: dict[str, Any], numbers: dict[str, float], epoch: int) -> None:
    """Write a finished run's figures and fill the HPARAMS tab with its final numbers, in the place of earlier ones.

    Args:
        folder: the run's folder.
        settings: hyper-parameters, as the config has them.
        numbers: final numbers by name.
        epoch: the step under which the pictures appear.
    """
    plain = {
        name: value if isinstance(value, bool | int | float) else show(str(value))
        for name, value in _flatten(settings).items()
    }
    earlier = list((folder / "tensorboard").glob("events.out.*"))
    with SummaryWriter(str(folder / "tensorboard")) as writer:
        for picture in sorted((folder / "figures").glob("*.png")):
            writer.add_image(picture.stem, matplotlib.image.imread(picture)[..., :3], epoch, dataformats="HWC")
        file = writer._get_file_writer()
        for summary in hparams(plain, numbers):
            file.add_summary(summary)
        for name, value in numbers.items():
            writer.add_scalar(name, value, epoch)
    for path in earlier:
        path.unlink(missing_ok=True)


def _flatten(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested config as `group.key` names, without `_target_` and the like."""
    content: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            content |= _flatten(value, f"{prefix}{name}.")
        elif not name.startswith("_"):
            content[f"{prefix}{name}"] = value
    return content
