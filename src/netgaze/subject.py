"""Subject: a network with its data, as figures get it; and evaluating(task).

Built objects are passed in; nothing here knows how they were made. Letters: N images, C channels, D features,
K classes of the task, M examples that the task makes of N images (rotation: M = 4N).
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from netgaze.batch import Batch
from netgaze.errors import NetgazeError
from netgaze.features import digest_weights, extract, read_source
from netgaze.files import digest
from netgaze.inside.attention import has_attention
from netgaze.measures.pixels import to_floats
from netgaze.passes import Outputs, Passes, collect_outputs
from netgaze.records import Record, Snapshots
from netgaze.verifier import ThresholdChoice, Verifier

# Parts of a Subject that a figure may need: all that there are.
NEEDS = {
    "model": "a network, trained or not",
    "task": "a network with its task",
    "classes": "a task whose outputs are logits of the data's classes",
    "data": "images",
    "reader": "how your pictures become the network's input: the data without its images",
    "history": "numbers per epoch",
    "metrics": "the run's final numbers",
    "config": "the run's settings",
    "features": "a vector per image, of a network or of raw pixels",
    "verifier": "a distance between images: the task's own, or that of the features",
    "training images": "training images to compare with",
    "known classes": "images of classes that training has, too (new people, for example, are not)",
    "examples": "a record of the predictions for each training example, epoch by epoch",
    "attention": "a network whose tokens attend to one another, such as a transformer",
}
# How a run gets a part that most runs lack.
HOW = {
    "examples": "train with callback.examples.record=true",
    "training images": 'in a notebook, pass data={"train": ..., "test": ...}',
}


@dataclass(frozen=True)
class Untrained:
    """The control of a network: the same network before training.

    Attributes:
        key: equal for networks with the same untrained network.
        data_key: equal for networks that see the same images.
        make: makes it as a Subject, from the trained one and a label.
    """

    key: str
    data_key: str
    make: Callable[["Subject", str], "Subject"]


class Subject:
    """A network to look at, lazily: parts are handed in as functions and made when first asked for.

    Args:
        label: the column's title.
        task: makes the task (a `tasks.base.Task`).
        data: makes the data (a `data.base.ImageData`, set up).
        reader: makes the data without loading it: sizes, normalization, how own pictures are read; by default `data`.
        history: reads the rows of `history.csv`.
        examples: reads the `records.Record` of the training examples.
        snapshots: reads what it kept of some images while it learned.
        metrics: the run's final numbers.
        config: the run's resolved config.
        split: the split that is looked at: "test", or "val" while training.
        control: True for what is only there to compare with (an untrained network, raw pixels).
        training: True for a network that may be another one soon, as one still in training: what is computed of it is
            never kept on disk.
        pixels: True makes a subject whose features are its raw pixels [N, H*W*C], and which has no task.
        folder: the run's folder, where its figures lie.
        train_data: makes the data that the network was trained on, where `data` is another.
        model: makes the network, where there is no task around it.
        input_shape: (C, H, W) of the images that the network reads; by default those of the data.
        precision: of passes over whole splits, "32" or "bf16", see `passes.Passes`. A verifier and whatever needs
            gradients or exact maps are asked in fp32 all the same.
        untrained: tells how its untrained network is made; None if it has none, such as a control.
    """

    def __init__(
        self,
        label: str,
        *,
        task: Callable[[], Any] | None = None,
        data: Callable[[], Any] | None = None,
        history: Callable[[], list[dict[str, float]]] | None = None,
        metrics: dict[str, Any] | None = None,
        config: dict[str, Any] | None = None,
        split: str = "test",
        control: bool = False,
        training: bool = False,
        pixels: bool = False,
        folder: Path | None = None,
        train_data: Callable[[], Any] | None = None,
        model: Callable[[], nn.Module] | None = None,
        input_shape: tuple[int, int, int] | None = None,
        reader: Callable[[], Any] | None = None,
        precision: str = "32",
        examples: Callable[[], Record] | None = None,
        snapshots: Callable[[], Snapshots] | None = None,
        untrained: Callable[[], Untrained] | None = None,
    ):
        self.label = label
        self._task, self._data, self._history, self._examples = task, data, history, examples
        self._snapshots, self._untrained = snapshots, untrained
        self.metrics, self.config = metrics, config
        self.split = split
        self.control, self.training, self.pixels, self.folder = control, training, pixels, folder
        self._train_data, self._model, self._input_shape = train_data, model, input_shape
        self._reader = reader or data
        self.precision = precision
        self._foresees_outputs = False
        self._features: dict[str, Tensor] = {}
        self._outputs: dict[str, Outputs] = {}

    def lacks(self, needs: tuple[str, ...]) -> list[str]:
        """The parts in `needs` that this subject does not have."""
        has_vectors = self._data is not None and (self._task is not None or self.pixels)
        has = {
            "model": self._model is not None or self._task is not None,
            "task": self._task is not None,
            "classes": self._task is not None and not ("classes" in needs and self._is_lost()),
            "data": self._data is not None,
            "reader": self._reader is not None,
            "history": self._history is not None,
            "metrics": self.metrics is not None,
            "config": self.config is not None,
            "features": has_vectors,
            "verifier": has_vectors,
            "training images": "training images" not in needs or (self._data is not None and self._has_training()),
            "known classes": "known classes" not in needs or (self._data is not None and self._has_known_classes()),
            "examples": self._examples is not None and self._data is not None,
            "attention": "attention" not in needs or (self._task is not None and self._attends),
        }
        return [need for need in needs if not has[need]]

    def _has_training(self) -> bool:
        return len(self.data.labels("train")) > 0

    def _has_known_classes(self) -> bool:
        """Whether a class of the split is one of the training images'."""
        own, known = (self.data.labels(split) for split in (self.split, "train"))
        return bool(torch.isin(own, known).any())

    @cached_property
    def _attends(self) -> bool:
        """Whether its network has attention: it is shown one image, a black one."""
        with evaluating(self.task):
            return has_attention(self.model, torch.zeros(1, *self.input_shape, device=device_of(self.task)))

    def _is_lost(self) -> bool:
        """Whether the task names no classes, or the data has others than those that it knows."""
        if not self.task.classifies:
            return True
        return self._train_data is not None and self.task.class_names != self.data.class_names

    @cached_property
    def task(self) -> Any:
        """The task, its network inside."""
        assert self._task is not None
        return self._task()

    @cached_property
    def model(self) -> nn.Module:
        """The network: the task's, or one by itself, whose weights may lie on the meta device, without numbers."""
        return self.task.model if self._model is None else self._model()

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images that the network reads; where the config knows them, the data stays unopened."""
        if self._input_shape is not None:
            return self._input_shape
        facts = (self.config or {}).get("data", {})
        if not {"num_channels", "image_size"} <= set(facts):
            facts = vars(self.data)
        return facts["num_channels"], facts["image_size"], facts["image_size"]

    @cached_property
    def data(self) -> Any:
        """The data, set up."""
        assert self._data is not None
        return self._data()

    @cached_property
    def reader(self) -> Any:
        """The data, of which nothing may be asked that needs its images: these may be elsewhere by now."""
        assert self._reader is not None
        return self._reader()

    @property
    def train_data(self) -> Any:
        """The data that the network was trained on, or would have been."""
        return self.data if self._train_data is None else self._train_data()

    @cached_property
    def untrained(self) -> Untrained | None:
        """How its untrained network is made; None if it has none."""
        return None if self._untrained is None else self._untrained()

    @cached_property
    def history(self) -> list[dict[str, float]]:
        """One row an epoch."""
        assert self._history is not None
        return self._history()

    @property
    def setting(self) -> str:
        """A short name for what repetitions by other seeds share: all settings that shape a network, but its seeds.

        Of a network without settings nobody knows what repeats it: its label.
        """
        if self.config is None:
            return digest(self.label)
        config = self.config
        shaping = {name: config.get(name) for name in ("task", "data", "model", "optim", "schedule", "init")}
        return digest(_leave_out_seeds(shaping), config.get("trainer", {}).get("max_epochs"))

    @cached_property
    def examples(self) -> Record:
        """The predictions for each training example during training, in the order of the training split.

        Raises:
            NetgazeError: the record is damaged, or is of another number of examples than the data has now.
        """
        assert self._examples is not None
        record, num = self._examples(), len(self.train_data.labels("train"))
        if record.num_examples != num:
            raise NetgazeError(
                f"The record of {self.label} has {record.num_examples:,} training examples, but its data now has "
                f"{num:,}. Restore the data that it was trained on, or train it again."
            )
        return record

    @cached_property
    def snapshots(self) -> Snapshots | None:
        """Snapshots of some images of its split during training; None if nothing was kept.

        Raises:
            NetgazeError: they are damaged.
        """
        return None if self._snapshots is None else self._snapshots()

    def identity(self, needs: tuple[str, ...]) -> str:
        """A short name for the parts in `needs`: equal weights, data, history and so on have equal names."""
        parts: list[Any] = ["raw pixels" if self.pixels else None]
        if not self.pixels and {"task", "classes", "features", "verifier"} & set(needs):
            parts += [digest_weights(self.task), read_source(self.task), read_source(self.task.model)]
            # How a verifier mirrors, scales and decides.
            parts += [] if self.verifier is None else [(self.config or {}).get("task")]
        parts += [used] if (used := self.name_precision(needs)) else []
        if "model" in needs:
            # Of a network without a run there is no config: its layers, their settings and sizes tell it from others.
            sizes = [tuple(value.shape) for value in self.model.state_dict().values()]
            parts += [(self.config or {}).get("model"), repr(self.model), sizes]
            parts += [self.input_shape, read_source(self.model)]
        if "reader" in needs:
            parts += [(self.config or {}).get("data")]
        elif "classes" in needs:
            parts += [self.data.fingerprint]
        if {"data", "features", "verifier"} & set(needs):
            parts += [self.data.fingerprint]
        if "examples" in needs:
            parts += [self.examples.digest, self.train_data.fingerprint]
        parts += [getattr(self, need) for need in ("history", "metrics", "config") if need in needs]
        return digest(*parts)

    def features(self, split: str) -> Tensor:
        """Penultimate features of all images of `split` under test transforms, [N,D] float32 on the CPU.

        Of a verifier its embeddings; of raw pixels themselves, 0..1: of a large set ask for `bank`.

        Computed once, and in `precision` unless of a verifier; see `passes.Passes`.
        """
        return to_floats(self.bank(split))

    def bank(self, split: str) -> Tensor:
        """The same for `find_nearest` and whoever takes some rows at a time: raw pixels are uint8, see `to_floats`."""
        if split not in self._features:
            self._features[split] = self._compute_features(split)
        return self._features[split]

    def _compute_features(self, split: str) -> Tensor:
        if self.pixels:
            return _flatten(self.data.images(split))
        if self._is_asked_plainly:
            return self._pass(batch.images for batch in self.data.batches(split))
        with evaluating(self.task):
            is_foreseen = self._foresees_outputs and split == self.split
            return self._passes.features(split, with_outputs=is_foreseen and not self.lacks(("classes",)))

    @cached_property
    def _passes(self) -> Passes:
        return Passes(self.task, self.data, device_of(self.task), self.precision, on_disk=not self.training)

    @property
    def _is_asked_plainly(self) -> bool:
        """Whether its passes are made anew, each for itself, in fp32."""
        return self.verifier is not None

    def foresee_outputs(self) -> None:
        """Say that the outputs on its split will be asked for: a pass for features then gives them as well."""
        self._foresees_outputs = True

    def name_precision(self, needs: tuple[str, ...]) -> str:
        """What passes over splits are computed in for a figure of such needs: "32" or "bf16"; empty where none are."""
        is_passed = self._task is not None and not {"classes", "features"}.isdisjoint(needs)
        return self.precision if is_passed and not self._is_asked_plainly else ""

    def features_of(self, images: Tensor) -> Tensor:
        """What `bank` gives, of pictures: uint8 [N,C,H,W] -> [N,D]."""
        if self.pixels:
            return _flatten(images)
        batches = self._make_batches(images, torch.zeros(len(images), dtype=torch.int64))
        if self._is_asked_plainly:
            return self._pass(batch.images for batch in batches)
        with evaluating(self.task):
            return self._passes.see(batches)

    def _pass(self, images: Iterable[Tensor]) -> Tensor:
        """Features, or a verifier's embeddings, of normalized images that come [B,C,H,W] at a time."""
        device = device_of(self.task)
        with evaluating(self.task), torch.no_grad():
            if self.verifier is None:
                return extract(self.task.model, images, device)
            return torch.cat([self.verifier.embed(some.to(device)).float().cpu() for some in images])

    @property
    def verifier(self) -> Verifier | None:
        """The task, where it tells pairs apart; without one features of length one stand for its embeddings."""
        return self.task if self._task is not None and isinstance(self.task, Verifier) else None

    def embeddings(self, split: str, index: Tensor | slice = slice(None)) -> Tensor:
        """What tells images of a split, those at `index`, apart by Euclidean distance, [N,D] float32 on the CPU.

        Embeddings of a verifier; of others features of length one, so that the distance is that of the cosine.
        """
        return self._to_embeddings(self.bank(split)[index])

    def embed(self, images: Tensor) -> Tensor:
        """The same of pictures, uint8 [N,C,H,W] -> [N,D]."""
        return self._to_embeddings(self.features_of(images))

    def _to_embeddings(self, features: Tensor) -> Tensor:
        return nn.functional.normalize(to_floats(features), dim=1) if self.verifier is None else features

    @property
    def threshold_choice(self) -> ThresholdChoice:
        """How the threshold is chosen: as the verifier has it, else by the EER on the validation split."""
        return ThresholdChoice() if self.verifier is None else self.verifier.threshold_choice

    @cached_property
    def threshold(self) -> float | None:
        """The largest distance at which two images count as the same person: as stored, else chosen in the same way.

        Chosen on people that are not tested; None if the data has none.
        """
        if self.verifier is not None and self.verifier.threshold.isfinite():
            return float(self.verifier.threshold)
        split = self.threshold_choice.people
        counts = self.data.labels(split).unique(return_counts=True)[1]
        if len(counts) < 2 or counts.max() < 2:
            return None
        return self.threshold_choice.choose(self.embeddings(split), self.data.labels(split))

    def outputs(self, split: str) -> Outputs:
        """The task's logits [M,K] and targets [M] on all that it makes of `split`, once, as `features`."""
        if split not in self._outputs:
            with evaluating(self.task):
                if self._is_asked_plainly:
                    self._outputs[split] = collect_outputs(self.task, self.data.batches(split), device_of(self.task))
                else:
                    self._outputs[split] = self._passes.outputs(split)
        return self._outputs[split]

    @property
    def names_classes(self) -> bool:
        """Whether its outputs are of the data's own classes: those of rotation, of two views or raw pixels are not."""
        return not self.pixels and not self.lacks(("classes",)) and self.task.class_names == self.data.class_names

    def class_outputs(self, split: str) -> Outputs:
        """The outputs on each image of a split, in order: of several examples that the task makes of it the first."""
        outputs = self.outputs(split)
        first = np.unique(outputs.index, return_index=True)[1]
        return Outputs(outputs.logits[first], outputs.targets[first], outputs.index[first])

    def outputs_of(self, images: Tensor, labels: Tensor) -> Outputs:
        """What `outputs` gives, of pictures: uint8 [N,C,H,W] and their labels [N]. Nothing of it is kept."""
        batches = self._make_batches(images, labels)
        with evaluating(self.task):
            if self._is_asked_plainly:
                return collect_outputs(self.task, batches, device_of(self.task))
            return self._passes.look_at(batches)[1]

    def _make_batches(self, images: Tensor, labels: Tensor) -> Iterator[Batch]:
        """Pictures uint8 [N,C,H,W] as the network reads them, some at a time."""
        index = torch.arange(len(images))
        for some in index.split(self._passes.batch_size):
            yield Batch((self.data.normalize(images[some]),), labels[some], some)


def _leave_out_seeds(settings: Any) -> Any:
    if not isinstance(settings, dict):
        return settings
    return {name: _leave_out_seeds(each) for name, each in settings.items() if name not in ("seed", "split_seed")}


def _flatten(images: Tensor) -> Tensor:
    """Raw pixels as features: uint8 [N,C,H,W] -> uint8 [N, H*W*C], which is how sets lie in memory: no copy of them."""
    return images.permute(0, 2, 3, 1).flatten(1)


@contextmanager
def evaluating(task: nn.Module) -> Iterator[nn.Module]:
    """Eval mode and gradients for a while; every module's mode, gradients, `requires_grad` and the RNG come back.

    Each module's mode is restored by itself: `train()` on the whole would wake frozen BatchNorm layers. Gradients
    work inside even where Lightning validates in inference mode.
    """
    modes = {module: module.training for module in task.modules()}
    grads = {parameter: (parameter.grad, parameter.requires_grad) for parameter in task.parameters()}
    device = device_of(task)
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), torch.inference_mode(False), torch.enable_grad():
        try:
            for parameter in grads:
                parameter.grad = None
            yield task.eval()
        finally:
            for module, mode in modes.items():
                module.training = mode
            for parameter, (grad, requires_grad) in grads.items():
                parameter.grad, parameter.requires_grad = grad, requires_grad


def device_of(task: nn.Module) -> torch.device:
    """Where a task's weights lie."""
    return next(task.parameters()).device
