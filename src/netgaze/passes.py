"""One pass of a network over a split: features [N,D] and outputs [M,K], cached on disk."""

import inspect
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from netgaze.batch import Batch
from netgaze.features import digest_body, digest_weights, read_source
from netgaze.files import digest, read_cached, write_cached
from netgaze.inside import fusing

PRECISIONS = ("32", "bf16")
_ON_GPU = 8  # times as many images at once: a step must be longer than it takes to start one
_PROBE = 4  # images that the network is prepared with


@dataclass(frozen=True)
class Outputs:
    """What a task answered on a split: logits [M,K], targets [M], and the image each example came from, [M]."""

    logits: np.ndarray
    targets: np.ndarray
    index: np.ndarray

    @cached_property
    def probabilities(self) -> np.ndarray:
        """Softmax of the logits, [M,K]."""
        shares = self.logits - self.logits.max(axis=1, keepdims=True)
        np.exp(shares, out=shares)  # in place: of thousands of classes each copy counts
        shares /= shares.sum(axis=1, keepdims=True)
        return shares

    @cached_property
    def losses(self) -> np.ndarray:
        """Cross-entropy of each example, [M], in nats."""
        shifted = self.logits - self.logits.max(axis=1, keepdims=True)
        own = shifted[np.arange(len(self.targets)), self.targets]
        return np.log(np.exp(shifted, out=shifted).sum(axis=1)) - own


@torch.no_grad()
def collect_outputs(task: Any, batches: Iterable[Batch], device: torch.device | str) -> Outputs:
    """The logits and targets of all examples that a task makes of images, in fp32; the task is in evaluation mode.

    Args:
        task: a `tasks.base.Task`.
        batches: of images as the network reads them.
        device: where the task is.
    """
    logits, targets, index = [], [], []
    for batch in batches:
        examples, answers = task.make_examples(batch.images.to(device), batch.labels.to(device))
        logits.append(task(examples).float().cpu())
        targets.append(answers.cpu())
        index.append(batch.index.repeat(len(answers) // len(batch)))
    return Outputs(*(torch.cat(part).numpy() for part in (logits, targets, index)))


class Passes:
    """Passes of a task's network over splits of data, each made once, at the latest when it is asked for.

    The trunk, where nearly all time goes, runs in `precision`, with its norms fused into its convolutions. The head
    runs in fp32 whatever the trunk does: it costs next to nothing, and logits rounded to bf16 would tie classes and
    blur losses that the rounding of maps, which averages out, leaves as they are. Features and outputs come from the
    same maps, so that the figures of a report agree with one another.

    What was found lies on disk under the digests of weights, code and data, and the precision: features in
    `features/`, under that of the network without its last layer, outputs in `outputs/`.

    Args:
        task: a `tasks.base.Task` in evaluation mode whenever a pass is made.
        data: a `data.base.ImageData`.
        device: where the task is.
        precision: "32" or "bf16".
        on_disk: False for a network in training, which will be another one soon.
    """

    def __init__(self, task: Any, data: Any, device: torch.device, precision: str, on_disk: bool = True):
        self.task, self.data, self.device, self.precision = task, data, device, precision
        self.on_disk = on_disk
        self._features: dict[str, Tensor] = {}
        self._outputs: dict[str, Outputs] = {}
        self._network: nn.Module | None = None
        self._reads_maps: bool | None = None

    @property
    def batch_size(self) -> int:
        """Images at a time."""
        return self.data.test_batch_size * (_ON_GPU if self.device.type == "cuda" else 1)

    def features(self, split: str, with_outputs: bool = False) -> Tensor:
        """Features of all images of a split, [N,D] float32 on the CPU.

        Args:
            split: "train", "val" or "test".
            with_outputs: the outputs will be asked for as well: a pass that must be made then gives both.
        """
        if split not in self._features:
            stored = read_cached("features", self._name_features(split)) if self.on_disk else None
            if stored is not None:
                self._features[split] = torch.from_numpy(stored["features"])
            else:
                self._go(split, with_outputs)
        return self._features[split]

    def outputs(self, split: str) -> Outputs:
        """Logits [M,K], targets [M] and images [M] of all examples that the task makes of a split."""
        if split not in self._outputs:
            stored = read_cached("outputs", self._name_outputs(split)) if self.on_disk else None
            if stored is not None:
                self._outputs[split] = Outputs(stored["logits"], stored["targets"], stored["index"])
            else:
                self._go(split, True)
        return self._outputs[split]

    def _name_features(self, split: str) -> str:
        model = self.task.model
        return digest(digest_body(model), read_source(model), *self._name_pass(split))

    def _name_outputs(self, split: str) -> str:
        task = self.task
        return digest(digest_weights(task), read_source(task), read_source(task.model), *self._name_pass(split))

    def _name_pass(self, split: str) -> list[str]:
        code = [inspect.getsource(module) for module in (sys.modules[__name__], fusing)]
        return [*code, self.data.fingerprint, split, self.precision]

    def _go(self, split: str, with_outputs: bool) -> None:
        """Pass over a split: its features, and its outputs where they are wanted, in memory and on disk."""
        batches = self.data.batches(split, self.batch_size)
        if with_outputs:
            self._features[split], self._outputs[split] = self.look_at(batches)
        else:
            self._features[split] = self.see(batches)
        if self.on_disk:
            self._write(split, with_outputs)

    @torch.no_grad()
    def see(self, batches: Iterable[Batch]) -> Tensor:
        """Features of images as the network reads them, [N,D] float32 on the CPU; nothing of it is kept."""
        return torch.cat([self._see(self._look(batch.images.to(self.device))) for batch in batches])

    @torch.no_grad()
    def look_at(self, batches: Iterable[Batch]) -> tuple[Tensor, Outputs]:
        """The same, and the outputs on all examples that the task makes of these images."""
        rows, logits, targets, index = [], [], [], []
        for batch in batches:
            examples, answers = self.task.make_examples(batch.images.to(self.device), batch.labels.to(self.device))
            if self._reads_maps is None:
                self._reads_maps = self._does_read_maps(examples[:_PROBE])
            for number, some in enumerate(examples.split(len(batch))):  # the first are the images themselves
                maps = self._look(some)
                rows += [self._see(maps)] if number == 0 else []
                logits.append(self._answer(maps, some))
            targets.append(answers.cpu())
            index.append(batch.index.repeat(len(answers) // len(batch)))
        return torch.cat(rows), Outputs(*(torch.cat(part).numpy() for part in (logits, targets, index)))

    def _write(self, split: str, with_outputs: bool) -> None:
        write_cached("features", self._name_features(split), {"features": self._features[split].numpy()})
        if with_outputs:
            write_cached("outputs", self._name_outputs(split), vars(self._outputs[split]))

    def _look(self, images: Tensor) -> Tensor:
        """The last maps [B,F,h,w] of images, in fp32, whatever they were computed in."""
        if self._network is None:
            self._network = fusing.fuse(self.task.model, images[:_PROBE])
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            return self._network.forward_features(images).float()  # type: ignore[operator]

    def _see(self, maps: Tensor) -> Tensor:
        return self._network.forward_head(maps, pre_logits=True).float().cpu()  # type: ignore[operator, union-attr]

    def _answer(self, maps: Tensor, examples: Tensor) -> Tensor:
        found = self._network.forward_head(maps) if self._reads_maps else self.task(examples)  # type: ignore[operator, union-attr]
        return found.float().cpu()

    def _does_read_maps(self, examples: Tensor) -> bool:
        """Whether the task's outputs are its network's head on the last maps: one of one's own may answer otherwise."""
        model = self.task.model
        expected, found = self.task(examples), model.forward_head(model.forward_features(examples))
        return expected.shape == found.shape and torch.allclose(expected, found, rtol=1e-3, atol=1e-4)
