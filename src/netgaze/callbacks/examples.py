"""The prediction for each training example in each epoch, from the training pass itself: examples.npz.

From it follow the map of a data set, what was forgotten, and which labels are suspicious: see `measures.dynamics`.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from netgaze.errors import NetgazeError
from netgaze.gathering import gather_rows
from netgaze.measures.dynamics import score_examples
from netgaze.records import RECORD, Record

log = logging.getLogger(__name__)

_KINDS = ("probability", "right", "margin")
_LARGEST = torch.finfo(torch.float16).max


class Examples(Callback):
    """Record of each training example the probability of its label, whether it was right, and by what margin.

    They are of the answers from which the network learned: to augmented images, by weights as they were before the step
    that followed, in training mode. So nothing is computed again, and training is the same to the bit. Of several
    looks at an image in one epoch (rotation's four turns, a sampler that draws it twice) the mean counts, and of the
    answers that to the image as it was handed over.

    The label is the one that was trained on, also where `data.label_noise` or pseudo-labels made it another. Must stand
    before `keep` and `preemption`: what was recorded travels in the checkpoint.

    Args:
        record: whether to do it.

    Raises:
        NetgazeError: images are mixed with each other, so that none has one true class.
    """

    def __init__(self, *, record: bool = False):
        self.record = record
        self._epochs: list[dict[str, Tensor]] = []  # of each finished one
        self._begun: dict[str, Tensor] | None = None  # of one that was cut off, all processes' looks
        self._looks: _Looks | None = None  # of this process, in the epoch so far
        self._is_within = False  # an epoch

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin, or go on with what a checkpoint has of the same examples."""
        if not self.record:
            return
        if not pl_module.classifies:
            name = type(pl_module).__name__
            log.warning("callback.examples records nothing: %s predicts no class for a training example.", name)
            return
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        if data.augment is not None and data.augment.mixes:
            raise NetgazeError(
                "callback.examples.record=true: data.augment.mixup and data.augment.cutmix show two classes in one "
                "image, of which neither is the true one. Set both to 0, or record=false."
            )
        num, known = len(data.labels("train")), [*self._epochs, *([self._begun] if self._begun else [])]
        if any(len(each["answers"]) != num for each in known):
            log.warning("callback.examples starts again: the record so far has a different number of examples.")
            self._epochs, self._begun = [], None
        self._looks, self._is_within = _Looks(num, pl_module.device), self._begun is not None
        if self._begun is not None and trainer.is_global_zero:
            self._looks.restore(self._begun)
        self._begun = None

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Take in a step's answers; nothing waits for the device."""
        if self._looks is None:
            return
        logits = pl_module.choose_logits(outputs["outputs"])  # type: ignore[operator]
        self._looks.add(logits, outputs["targets"], batch.index)
        self._is_within = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the epoch's row, of all processes' examples, and write the file."""
        if self._looks is None:
            return
        names = np.array(pl_module.class_names)
        row = _average(self._looks.gather(), len(names))
        self._looks.forget()
        self._is_within = False
        blank = _average(self._looks.gather(), len(names))
        missed = trainer.current_epoch - len(self._epochs)  # epochs before it was switched on
        self._epochs += [blank] * missed + [row]
        if trainer.is_global_zero:
            arrays = {name: values.numpy() for name, values in _stack(self._epochs).items()}
            Record(**arrays, class_names=names).save(Path(trainer.default_root_dir) / RECORD)

    def state_dict(self) -> dict[str, Any]:
        """The rows so far, and within an epoch the looks of all processes, which are asked together."""
        if self._looks is None:
            return {}
        return {"epochs": _stack(self._epochs), "begun": self._looks.gather() if self._is_within else None}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The rows so far, from the checkpoint."""
        epochs = state_dict["epochs"]
        self._epochs = [dict(zip(epochs, row, strict=True)) for row in zip(*epochs.values(), strict=True)]
        self._begun = state_dict["begun"]


class _Looks:
    """The answers of one epoch so far, summed where the network is.

    Attributes:
        sums: over the looks at each example of probability, right and margin, and the number of looks, float32 [4,N].
        answers: at the last look, int64 [N]; -1 before the first.
    """

    def __init__(self, num: int, device: torch.device):
        self.sums = torch.zeros(len(_KINDS) + 1, num, device=device)
        self.answers = torch.full((num,), -1, device=device)

    def add(self, logits: Tensor, targets: Tensor, index: Tensor) -> None:
        """Add a step's logits [M,K] and targets [M], of images at `index` [B] in turn."""
        found = score_examples(logits, targets).unflatten(1, (-1, len(index))).mean(dim=1)
        self.sums.index_add_(1, index, torch.cat([found, torch.ones_like(found[:1])]))
        self.answers[index] = logits[: len(index)].argmax(dim=1)

    def gather(self) -> dict[str, Tensor]:
        """The looks of all processes, on the CPU."""
        sums, answers = gather_rows(self.sums[None]).sum(dim=0), gather_rows(self.answers[None]).amax(dim=0)
        return {"sums": sums.cpu(), "answers": answers.cpu()}

    def restore(self, gathered: dict[str, Tensor]) -> None:
        """Go on from what `gather` gave."""
        self.sums.copy_(gathered["sums"])
        self.answers.copy_(gathered["answers"])

    def forget(self) -> None:
        """Begin the next epoch."""
        self.sums.zero_()
        self.answers.fill_(-1)


def _average(gathered: dict[str, Tensor], num_classes: int) -> dict[str, Tensor]:
    """An epoch's row: means over looks, float16 [N] by kind, and the answers in as few bytes as they need."""
    *sums, looks = gathered["sums"]
    means = {kind: (each / looks).clamp(-_LARGEST, _LARGEST).half() for kind, each in zip(_KINDS, sums, strict=True)}
    whole = next(kind for kind in (torch.int8, torch.int16, torch.int32) if num_classes <= torch.iinfo(kind).max)
    return means | {"answers": gathered["answers"].to(whole)}


def _stack(epochs: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Rows of epochs as [E,N] by kind; nothing of none."""
    return {kind: torch.stack([row[kind] for row in epochs]) for kind in epochs[0]} if epochs else {}
