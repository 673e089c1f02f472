"""Features and predictions of some test images during training: snapshots.npz, for the interactive page."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from netgaze.drawing.examples import spread_evenly
from netgaze.measures.planes import project
from netgaze.records import SNAPSHOTS
from netgaze.records import Snapshots as Kept
from netgaze.subject import Subject

_NUM_COMPONENTS = 50  # as many as a t-SNE map is made of


class Snapshots(Callback):
    """Every `every` epochs and after the last, save features and predictions of the images that `figure.explore` shows.

    They are images of the test split, and only kept: nothing of the training depends on them. What was kept travels in
    the checkpoint, so this must stand before `keep` and `preemption`.

    Args:
        every: epochs between two; 0 never.
        num_images: as in `figure.explore`.
    """

    def __init__(self, *, every: int = 0, num_images: int = 2000):
        self.every, self.num_images = every, num_images
        self._index = torch.zeros(0, dtype=torch.int64)
        self._rows: list[dict[str, torch.Tensor]] = []  # of each epoch

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look once more, where it is time to, and write the file; other processes wait at the next step."""
        done = trainer.current_epoch + 1
        is_time = self.every and (done % self.every == 0 or done == trainer.max_epochs)
        if not is_time or not trainer.is_global_zero:
            return
        subject = Subject(
            "now",
            task=lambda: pl_module,
            data=lambda: trainer.datamodule,  # type: ignore[attr-defined]
            training=True,
            precision="bf16" if "bf16" in str(trainer.precision) else "32",
        )
        index = spread_evenly(len(subject.data.labels("test")), self.num_images)
        if self._index.tolist() != index.tolist():  # the first look, or other data than the run began with
            self._index, self._rows = torch.from_numpy(index), []
        self._rows.append({"epochs": torch.tensor(done)} | _look(subject, index))
        arrays: Any = {name: torch.stack([row[name] for row in self._rows]).numpy() for name in self._rows[0]}
        Kept(index=index, **arrays).save(Path(trainer.default_root_dir) / SNAPSHOTS)

    def state_dict(self) -> dict[str, Any]:
        """What was kept so far."""
        return {"index": self._index, "rows": self._rows} if self._rows else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """What was kept so far, from the checkpoint."""
        self._index, self._rows = state_dict["index"], list(state_dict["rows"])


def _look(subject: Subject, index: np.ndarray) -> dict[str, torch.Tensor]:
    """Features and answers of images of the test split."""
    data = subject.data
    images, labels = data.images("test", index), data.labels("test")[index]
    features = project(subject.features_of(images).numpy(), _NUM_COMPONENTS, seed=0)
    answers, shares = torch.full((len(index),), -1), torch.zeros(len(index))
    if subject.names_classes:
        found = torch.from_numpy(subject.outputs_of(images, labels).probabilities[: len(index)])
        shares, answers = found.max(dim=1)
    return {"features": torch.from_numpy(features).half(), "answers": answers.short(), "shares": shares.half()}
