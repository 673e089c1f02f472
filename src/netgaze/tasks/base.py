"""The base of all tasks: the step, the means, the optimizer. Independent of figures and data sets."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from netgaze.batch import Batch
from netgaze.measures.metrics import classification_metrics
from netgaze.predictions import Predictions
from netgaze.tasks.step import Means, Rows, Step


class Task(LightningModule):
    """A training task: the examples that a network gets, and their loss.

    As it stands it is a classification, of which a subclass says in `make_examples` what the network is shown and
    asked. One of another kind says in `loss` what it does with a batch, and sets `classifies = False`.

    What is only there to train (a projector, a momentum copy) is a module of the task: it is saved with the weights,
    and no figure sees it, as figures look at `model` alone. A task that tells pairs of images apart is also a
    `verifier.Verifier`, which figures ask for embeddings and a threshold.

    Attributes:
        num_views: views of each image in a batch; with several, those of validation and test are augmented too.
        max_epochs: over which the schedule is laid, where the last one is not whole; None for those of the trainer.
        classifies: its outputs are logits of `class_names`.
        takes_mixed: whether it can learn from images that are mixed with each other.
        trainable: False for a task that trains nothing: its run tests the network as it is, whatever the epochs.
        needs_init: whether it makes no sense without a trained network.
        monitor: the number that chooses the best epoch, as `val/loss`.
        monitor_mode: whether the largest ("max") or the smallest ("min") is best.
        numbers: of the current epoch by name; callbacks may add theirs.
        pictures: of the current epoch by name, uint8 [H,W,3]; callbacks draw them.
        num_classes, class_names: of what *this task* predicts.
        variants: settings and numbers of each network, where a run trained several at once; set by the test.
        predictions: what a classification answered to each test example; set by the test.

    Args:
        model: the network.
        num_classes: outputs of the network.
        optimizer: makes the optimizer from parameter groups (a partial).
        schedule: the factor on every learning rate at a point of training, (epoch, max_epochs) -> factor.
    """

    num_views = 1
    max_epochs: float | None = None
    monitor = "val/acc"
    monitor_mode = "max"
    takes_mixed = True
    trainable = True
    needs_init = False
    classifies = True
    class_names: list[str]

    def __init__(
        self,
        *,
        model: nn.Module,
        num_classes: int,
        optimizer: Callable[..., Optimizer],
        schedule: Callable[[float, float], float],
    ):
        super().__init__()
        self.model = model
        self.num_classes = num_classes
        self.optimizer, self.schedule = optimizer, schedule
        self.numbers: dict[str, float] = {}
        self.pictures: dict[str, np.ndarray] = {}
        self.variants: list[dict[str, float]] = []
        self.predictions: Predictions | None = None
        self._frozen: list[nn.Module] = []
        self._means: dict[str, Means] = defaultdict(Means)
        self._outputs = [Rows() for _ in range(3)]

    def __setattr__(self, name: str, value: Any) -> None:
        """As of every module, but quick for the one attribute that Lightning sets over forty times a step."""
        if name == "_current_fx_name":  # a text: torch need not look whether it is a weight, a module or a buffer
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def name_classes(self, data_classes: Sequence[str]) -> None:
        """Set `class_names` from the data's: the same, unless the task predicts something of its own."""
        self.class_names = list(data_classes)

    def make_examples(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """What the network is shown and asked: (images [B,C,H,W], labels [B]) -> (examples [M,...], targets [M]).

        Figures rely on this: it draws nothing at random; M is a multiple of B; the first B examples are the images
        themselves, untouched and in order, and examples B..2B-1 are of the same images in the same order, and so on.
        """
        return images, labels

    def criterion(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of logits [M,K] against targets [M], a scalar."""
        return nn.functional.cross_entropy(logits, targets)

    def loss(self, batch: Batch) -> Step:
        """What is learned from a batch, and measured on one, of `num_views` views."""
        examples, targets = self.make_examples(batch.images, batch.labels)
        outputs = self(examples)
        loss, numbers = self.criterion(outputs, targets), self.train_metrics(outputs.detach(), targets)
        if batch.mixed is not None:
            others, share = self.make_examples(batch.images, batch.mixed.labels)[1], batch.mixed.share
            loss = share * loss + (1 - share) * self.criterion(outputs, others)
            of_others = self.train_metrics(outputs.detach(), others)
            numbers = {name: share * number + (1 - share) * of_others[name] for name, number in numbers.items()}
        return Step(loss, outputs, targets, numbers)

    def train_metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Means over a batch by name, scalars: `acc`, the share of outputs [M,K] that are right, 0..1."""
        return {"acc": (outputs.argmax(dim=1) == targets).float().mean()}

    def compute_metrics(self, split: str, outputs: Tensor, targets: Tensor) -> dict[str, float]:
        """Numbers of a whole split by name, from outputs [M,K] and targets [M]: besides its means, or in their place.

        Asked only where steps have outputs. `split` is "val" or "test".
        """
        return {"loss": float(self.criterion(outputs, targets))} | classification_metrics(outputs, targets)

    def choose_logits(self, outputs: Tensor) -> Tensor:
        """The logits [M,K] that are the network's answer, of what a step put out: all, unless it has several heads."""
        return outputs

    def class_maps(self, images: Tensor) -> Tensor:
        """Where the head finds what it looks for, a map for each class, [B,K,h,w]: the network's `class_maps`."""
        return self.model.class_maps(images)  # type: ignore[operator]

    def freeze_backbone(self) -> None:
        """Let nothing but the head learn."""
        modules, parameters = split_off(self.model, self.model.head_layers)  # type: ignore[arg-type]
        self.freeze_modules(modules)
        for parameter in parameters:
            parameter.requires_grad_(False)

    def freeze_modules(self, modules: Sequence[nn.Module]) -> None:
        """Let `modules` learn nothing: they get no gradients, and their BatchNorm statistics stand still."""
        self._frozen += modules
        for module in modules:
            module.requires_grad_(False)
        self.train(self.training)

    @property
    def has_frozen(self) -> bool:
        """Whether a part of the network was frozen by the task, not made so."""
        return bool(self._frozen)

    def train(self, mode: bool = True) -> "Task":
        """Training or evaluation mode; what is frozen stays in evaluation mode."""
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self

    def training_data(self, data: Any, device: torch.device) -> Any:
        """What training, validation and test read: the data, unless a task makes something of them first.

        Args:
            data: a `data.base.ImageData`, set up.
            device: where the network may work.
        """
        return data

    def save_artifacts(self, data: Any, folder: Path) -> dict[str, float]:
        """Write what a run leaves beside its network into its folder; numbers of it by name. Nothing, for most tasks.

        Args:
            data: a `data.base.ImageData`, set up.
            folder: the run's.
        """
        return {}

    def param_groups(self) -> list[dict[str, Any]]:
        """What may learn, in optimizer groups: `params`, and where it is not the optimizer's own, `lr`."""
        return [{"params": list(self.parameters())}]

    def forward(self, images: Tensor) -> Tensor:
        """[B,C,H,W] -> logits [B,K]."""
        return self.model(images)

    def on_train_epoch_start(self) -> None:
        """Begin the means of an epoch and its numbers."""
        self.numbers, self.pictures = {}, {}
        self._means["train"] = Means()

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """One step; sums stay on the device until the epoch's end.

        Returns:
            What callbacks are handed at the step's end: `loss`, and where the task has them its `outputs` [M,...] and
            their `targets` [M].
        """
        step = self.loss(batch)
        self._means["train"].add(len(batch), step)
        if step.outputs is None or step.targets is None:
            return {"loss": step.loss}
        return {"loss": step.loss, "outputs": step.outputs.detach(), "targets": step.targets}

    def optimizer_step(
        self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Callable[[], Any] | None = None
    ) -> None:
        """The optimizer's step, which Lightning makes once for all batches of an accumulated gradient."""
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        with torch.no_grad():
            self.after_step()

    def after_step(self) -> None:
        """What follows each step of the optimizer, without gradients: a momentum copy, an average of weights."""

    def epoch_numbers(self) -> dict[str, float]:
        """This epoch's numbers so far: training means over all devices, validation, and what callbacks added."""
        means = self._means["train"].read(self.trainer.strategy)
        return {f"train/{name}": value for name, value in means.items()} | self.numbers

    def read_sums(self, split: str) -> tuple[dict[str, Tensor], int]:
        """The sums of this epoch so far, see `Means.read_sums`."""
        return self._means[split].read_sums()

    def add_sums(self, split: str, sums: Mapping[str, Tensor], num: int) -> None:
        """Add the sums of an epoch that was cut off, see `Means.add_sums`."""
        self._means[split].add_sums(sums, num, self.device)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Keep what validation is measured by for the epoch's end."""
        self.keep("val", batch, self.loss(batch))

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Keep what the test is measured by for the epoch's end."""
        self.keep("test", batch, self.loss(batch))

    def keep(self, split: str, batch: Batch, step: Step) -> None:
        """Count a step of validation or test among the split's means, and hold its outputs, where it has some."""
        self._means[split].add(len(batch), step)
        if step.outputs is not None and step.targets is not None:
            index = batch.index.repeat(len(step.targets) // len(batch))
            for rows, part in zip(self._outputs, (step.outputs.float(), step.targets, index), strict=True):
                rows.add(part)

    def on_validation_epoch_end(self) -> None:
        """Log the numbers of the validation split."""
        self._log_numbers("val")

    def on_test_epoch_end(self) -> None:
        """Log the numbers of the test split."""
        self._log_numbers("test")

    def _log_numbers(self, split: str) -> None:
        numbers = self._means.pop(split).read(self.trainer.strategy)
        if kept := self._gather_outputs():
            outputs, targets, index = kept
            numbers |= self.compute_metrics(split, outputs, targets)
            if split == "test" and self.classifies and len(index) == len(targets):
                self.predictions = Predictions.of(self.choose_logits(outputs), targets, index)
        named = {f"{split}/{name}": value for name, value in numbers.items()}
        self.numbers |= named
        self.log_dict(named, sync_dist=True)

    def _gather_outputs(self) -> list[Tensor]:
        """The outputs, targets and places that were kept, of all processes, by their places; forgets them."""
        mine = [rows.take() for rows in self._outputs]
        if self.trainer.world_size == 1:
            return [part for part in mine if part is not None]
        kept: list[Any] = [None] * self.trainer.world_size
        torch.distributed.all_gather_object(kept, mine)
        parts = [torch.cat(part) for part in zip(*(some for some in kept if some[0] is not None), strict=True)]
        return [part[parts[-1].argsort(stable=True)] for part in parts]

    def configure_optimizers(self) -> Any:
        """Weight decay on weights alone, not on biases and norms; the schedule moves each step."""
        groups: list[dict[str, Any]] = []
        for part in self.param_groups():
            trained = [parameter for parameter in part["params"] if parameter.requires_grad]
            groups.append(part | {"params": [p for p in trained if p.ndim > 1]})
            groups.append(part | {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0})
        optimizer = self.optimizer([group for group in groups if group["params"]])
        epochs = self.trainer.max_epochs or 0
        steps = max(1, int(self.trainer.estimated_stepping_batches) // max(1, epochs)) if epochs > 0 else 1
        schedule, max_epochs = self.schedule, epochs if self.max_epochs is None else self.max_epochs
        scheduler = LambdaLR(optimizer, lambda step: schedule(step / steps, max_epochs))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def split_off(module: nn.Module, layers: Sequence[str], above: str = "") -> tuple[list[nn.Module], list[nn.Parameter]]:
    """What of a module does not lie in some layers: the largest modules without any, and parameters between these.

    Args:
        module: a network.
        layers: `named_modules` names.
        above: what stands before the names of its children.
    """
    modules, parameters = list[nn.Module](), list(module.parameters(recurse=False))
    for name, child in module.named_children():
        path = f"{above}{name}"
        if any(layer.startswith(f"{path}.") for layer in layers):
            inner = split_off(child, layers, f"{path}.")
            modules, parameters = modules + inner[0], parameters + inner[1]
        elif path not in layers:
            modules.append(child)
    return modules, parameters
