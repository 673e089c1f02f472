"""What every way of training shares: the step, the sums, the optimizer. Knows nothing of figures or data sets."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from netgaze.measures.metrics import classification_metrics


class Task(LightningModule):
    """A classification of some kind: a subclass says in `make_examples` what the network is shown and asked.

    A task that is none says in `loss_and_outputs`, `train_metrics` and `compute_metrics` what it does instead.

    Attributes:
        embeds: its outputs are no logits but embeddings [M,D], which tell images apart by their distance, of classes
            never seen in training too.
        trainable: False for a task that trains nothing: its run tests the network as it is, whatever the epochs.
        monitor: the number that chooses the best epoch, the largest or the smallest by `monitor_mode`.
        numbers: of the current epoch by name; callbacks may add theirs.
        num_classes, class_names: of what *this task* predicts.
        variants: settings and numbers of each network, where a run trained several at once; set by the test.

    Args:
        model: the network.
        num_classes: outputs of the network.
        optimizer: makes the optimizer from parameter groups (a partial).
        schedule: the factor on every learning rate at a point of training, (epoch, max_epochs) -> factor.
    """

    monitor = "val/acc"
    monitor_mode = "max"
    embeds = False
    trainable = True
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
        self.variants: list[dict[str, float]] = []
        self._still: list[nn.Module] = []
        self._sums: dict[str, Tensor] = {}
        self._answers: list[tuple[Tensor, Tensor]] = []

    def name_classes(self, data_classes: Sequence[str]) -> None:
        """Set `class_names` from the data's: the same, unless the task predicts something of its own."""
        self.class_names = list(data_classes)

    def make_examples(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """What the network is shown and asked: (images [B,C,H,W], labels [B]) -> (examples [M,...], targets [M]).

        M is a multiple of B: the first B examples are of the images in order, so are the next B, and so on.
        """
        return images, labels

    def criterion(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of logits [M,K] against targets [M], a scalar."""
        return nn.functional.cross_entropy(logits, targets)

    def loss_and_outputs(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """A batch -> (loss, a scalar; outputs [M,K]; targets [M])."""
        examples, targets = self.make_examples(*batch)
        outputs = self(examples)
        return self.criterion(outputs, targets), outputs, targets

    def train_metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Means over a training batch by name, scalars: `acc`, the share of outputs [M,K] that are right, 0..1."""
        return {"acc": (outputs.argmax(dim=1) == targets).float().mean()}

    def compute_metrics(self, split: str, outputs: Tensor, targets: Tensor) -> dict[str, float]:
        """Numbers of a whole split by name, from outputs [M,K] and targets [M]."""
        return {"loss": float(self.criterion(outputs, targets))} | classification_metrics(outputs, targets)

    def class_maps(self, images: Tensor) -> Tensor:
        """Where the head finds what it looks for, a map for each class, [B,K,h,w]: the network's `class_maps`."""
        return self.model.class_maps(self.model.forward_features(images))  # type: ignore[operator]

    def freeze_backbone(self) -> None:
        """Let nothing but the head learn."""
        head = self.model.head_layers
        self.freeze_modules([child for name, child in self.model.named_children() if name not in head])  # type: ignore[operator]

    def freeze_modules(self, modules: Sequence[nn.Module]) -> None:
        """Let `modules` learn nothing: they get no gradients, and their BatchNorm statistics stand still."""
        self._still = list(modules)
        for module in modules:
            module.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> "Task":
        """Training or evaluation mode; what is frozen stays in evaluation mode."""
        super().train(mode)
        for module in self._still:
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
        """Begin the sums of an epoch and its numbers."""
        self.numbers = {}
        self._sums = {}

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """One step; sums stay on the device until the epoch's end."""
        loss, outputs, targets = self.loss_and_outputs(batch)
        self._count(len(targets), {"loss": loss.detach()} | self.train_metrics(outputs.detach(), targets))
        return loss

    def _count(self, num: int, means: dict[str, Tensor]) -> None:
        """Add means over `num` examples, scalars, to the sums of the epoch."""
        sums = {name: mean.float() * num for name, mean in means.items()}
        sums[""] = torch.tensor(float(num), device=self.device)
        self._sums = {name: value + self._sums.get(name, 0) for name, value in sums.items()}

    def epoch_numbers(self) -> dict[str, float]:
        """This epoch's numbers so far: training sums over all devices, validation, and what callbacks added."""
        sums: Any = self.trainer.strategy.reduce(torch.stack(list(self._sums.values())), reduce_op="sum")
        values = dict(zip(self._sums, sums.tolist(), strict=True))
        num = values.pop("")
        return {f"train/{name}": value / num for name, value in values.items()} | self.numbers

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Keep the answers for the epoch's end."""
        _, outputs, targets = self.loss_and_outputs(batch)
        self._answers.append((outputs.float(), targets))

    test_step = validation_step

    def on_validation_epoch_end(self) -> None:
        """Log the numbers of the validation split."""
        self._log_answers("val")

    def on_test_epoch_end(self) -> None:
        """Log the numbers of the test split."""
        self._log_answers("test")

    def _all_answers(self) -> tuple[Tensor, Tensor]:
        """The outputs and targets of the whole split that were kept, of all processes; forgets them."""
        kept: list[Any] = [[(outputs.cpu(), targets.cpu()) for outputs, targets in self._answers]]
        self._answers.clear()
        if self.trainer.world_size > 1:
            mine, kept = kept[0], [None] * self.trainer.world_size
            torch.distributed.all_gather_object(kept, mine)
        parts = [part for some in kept for part in some]
        return torch.cat([outputs for outputs, _ in parts]), torch.cat([targets for _, targets in parts])

    def _log_answers(self, split: str) -> None:
        outputs, targets = self._all_answers()
        named = {f"{split}/{name}": value for name, value in self.compute_metrics(split, outputs, targets).items()}
        self.numbers |= named
        self.log_dict(named, sync_dist=True)

    def configure_optimizers(self) -> Any:
        """Weight decay on weights alone, not on biases and norms; the schedule moves each step."""
        groups: list[dict[str, Any]] = []
        for part in self.param_groups():
            trained = [parameter for parameter in part["params"] if parameter.requires_grad]
            groups.append(part | {"params": [p for p in trained if p.ndim > 1]})
            groups.append(part | {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0})
        optimizer = self.optimizer([group for group in groups if group["params"]])
        max_epochs = self.trainer.max_epochs or 0
        steps = max(1, int(self.trainer.estimated_stepping_batches) // max(1, max_epochs)) if max_epochs > 0 else 1
        schedule = self.schedule
        scheduler = LambdaLR(optimizer, lambda step: schedule(step / steps, max_epochs))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
