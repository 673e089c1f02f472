"""TensorBoard: one folder per split (`train/`, `val/`) with the same tags, so that curves share a chart."""

import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import matplotlib.image
from pytorch_lightning import Callback, LightningModule, Trainer
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from netgaze.callbacks.history import History
from netgaze.files import saying_what_cannot_be_written
from netgaze.text import show

_show_thread_error = threading.excepthook


def _pass_over(error: threading.ExceptHookArgs) -> None:
    """Print no traceback of a writer's thread: what it could not write is raised again by the next call."""
    if type(error.thread).__name__ != "_AsyncWriterThread":
        _show_thread_error(error)


threading.excepthook = _pass_over


class TensorBoard(Callback):
    """Write each epoch's row of numbers; must stand after `history`, whose rows it writes."""

    def __init__(self) -> None:
        self._writers: dict[str, SummaryWriter] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the two folders; on resume what was written of later epochs is hidden."""
        if trainer.is_global_zero:
            folder = Path(trainer.default_root_dir) / "tensorboard"
            for split in ("train", "val"):
                with saying_what_cannot_be_written(folder):
                    self._writers[split] = SummaryWriter(str(folder / split), purge_step=trainer.current_epoch + 1)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the epoch's numbers, and the pictures that were drawn of it."""
        if not self._writers:
            return
        row = History.last_row(trainer)
        epoch = int(row["epoch"])
        with saying_what_cannot_be_written(Path(trainer.default_root_dir) / "tensorboard"):
            for name, value in row.items():
                split, _, tag = name.partition("/")
                if split in self._writers:
                    self._writers[split].add_scalar(tag, value, epoch)
            self._writers["train"].add_scalar("lr", row["lr"], epoch)
            for name, picture in pl_module.pictures.items():  # type: ignore[operator, union-attr]
                self._writers["val"].add_image(name, picture, epoch, dataformats="HWC")
            for writer in self._writers.values():
                writer.flush()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Close the files."""
        try:
            with saying_what_cannot_be_written(Path(trainer.default_root_dir) / "tensorboard"):
                for writer in self._writers.values():
                    writer.close()
        finally:
            self._writers.clear()


def write_results(folder: Path, settings: Mapping[str, str], numbers: Mapping[str, float], epoch: int) -> None:
    """Write a finished run's pictures, its final numbers and its hyperparameters, in the place of earlier ones.

    Numbers of the test lie in a folder of their own, so that they share a chart with the curves.

    Args:
        folder: the run's folder.
        settings: see `write_hyperparameters`.
        numbers: final numbers by name.
        epoch: the step under which pictures and numbers appear.
    """
    with _replacing(folder / "tensorboard", "results") as writer:
        for picture in sorted((folder / "figures").glob("*.png")):
            writer.add_image(picture.stem, matplotlib.image.imread(picture)[..., :3], epoch, dataformats="HWC")
        for name, value in numbers.items():
            if not name.startswith("test/"):
                writer.add_scalar(name, value, epoch)
    with _replacing(folder / "tensorboard" / "test", "results") as writer:
        for name, value in numbers.items():
            if name.startswith("test/"):
                writer.add_scalar(name.removeprefix("test/"), value, epoch)
    write_hyperparameters(folder, settings)


def write_hyperparameters(folder: Path, settings: Mapping[str, str]) -> None:
    """Fill a run's line of the HPARAMS tab, in the place of an earlier one.

    TensorBoard is told of no columns: it then shows those of all runs below the folder that it was started with, first
    those in which they differ. One run's list of columns would stand for all runs.

    Args:
        folder: the run's folder.
        settings: by key, as they are typed.
    """
    plain = {name: _to_number(value) for name, value in settings.items()}
    with _replacing(folder / "tensorboard", "hparams") as writer:
        file = writer._get_file_writer()
        _, start, end = hparams(plain, {})  # without the first, which lists columns
        for summary in (start, end):
            file.add_summary(summary)


@contextmanager
def _replacing(place: Path, kind: str) -> Iterator[SummaryWriter]:
    """A writer of a file of events that takes the place of those of its kind."""
    earlier = list(place.glob(f"events.out.*.{kind}"))
    with saying_what_cannot_be_written(place), SummaryWriter(str(place), filename_suffix=f".{kind}") as writer:
        yield writer
    for path in earlier:
        path.unlink(missing_ok=True)


def _to_number(value: str) -> float | str:
    """A setting as a number where it is one, so that TensorBoard sorts by it; other text in printable signs."""
    try:
        number = float(value)
    except ValueError:
        return show(value)
    return number if math.isfinite(number) else value
