"""What every way of training shares: the step, the sums, the optimiser. Knows nothing of figures or data sets."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from netgaze.metrics import classification_metrics


class Task(LightningModule):
    """A classification of some kind: a subclass says in `present` what the network is shown and asked.

    Attributes:
        monitor: the number that chooses the best epoch, the largest or the smallest by `monitor_mode`.
        numbers: of the current epoch by name; callbacks may add theirs.
        num_classes, class_names: of what *this task* predicts.
        variants: settings and numbers of each network, where a run trained several at once; set by the test.

    Args:
        model: the network.
        num_classes: outputs of the network.
        optimizer: makes the optimiser from parameter groups (a partial).
        schedule: the factor on every learning rate at a point of training, (epoch, max_epochs) -> factor.
    """

    monitor = "val/acc"
    monitor_mode = "max"
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
        self._sums: Tensor | None = None
        self._answers: list[tuple[Tensor, Tensor]] = []

    def name_classes(self, data_classes: Sequence[str]) -> None:
        """Set `class_names` from the data's: the same, unless the task predicts something of its own."""
        self.class_names = list(data_classes)

    def present(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """What the network is shown and asked: (images [B,C,H,W], labels [B]) -> (examples [M,...], targets [M]).

        M is a multiple of B: the first B examples are of the images in order, so are the next B, and so on.
        """
        return images, labels

    def criterion(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of logits [M,K] against targets [M], a scalar."""
        return nn.functional.cross_entropy(logits, targets)

    def loss_and_logits(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """A batch -> (loss, a scalar; logits [M,K]; targets [M])."""
        examples, targets = self.present(*batch)
        logits = self(examples)
        return self.criterion(logits, targets), logits, targets

    def evidence(self, images: Tensor) -> Tensor:
        """Where the head finds what it looks for, a map for each class, [B,K,h,w]: the network's `class_maps`."""
        return self.model.class_maps(self.model.forward_features(images))  # type: ignore[operator]

    def freeze_backbone(self) -> None:
        """Let nothing but the head learn."""
        head = self.model.head_layers
        self.hold([child for name, child in self.model.named_children() if name not in head])  # type: ignore[operator]

    def hold(self, modules: Sequence[nn.Module]) -> None:
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

    def material(self, data: Any, device: torch.device) -> Any:
        """What training, validation and test read: the data, unless a task makes something of them first.

        Args:
            data: a `data.base.ImageData`, set up.
            device: where the network may work.
        """
        return data

    def parts(self) -> list[dict[str, Any]]:
        """What may learn, in optimiser groups: `params`, and where it is not the optimiser's own, `lr`."""
        return [{"params": list(self.parameters())}]

    def forward(self, images: Tensor) -> Tensor:
        """[B,C,H,W] -> logits [B,K]."""
        return self.model(images)

    def on_train_epoch_start(self) -> None:
        """Begin the sums of an epoch (loss, right answers, examples) and its numbers."""
        self.numbers = {}
        self._sums = torch.zeros(3, device=self.device)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """One step; sums stay on the device until the epoch's end."""
        loss, logits, targets = self.loss_and_logits(batch)
        assert self._sums is not None
        with torch.no_grad():
            num = len(targets)
            right = (logits.argmax(dim=1) == targets).sum()
            self._sums += torch.stack([loss.detach().float() * num, right.float(), loss.new_tensor(num).float()])
        return loss

    def epoch_numbers(self) -> dict[str, float]:
        """This epoch's numbers so far: training sums over all devices, validation, and what callbacks added."""
        assert self._sums is not None
        sums: Any = self.trainer.strategy.reduce(self._sums.clone(), reduce_op="sum")
        loss, right, num = sums.tolist()
        return {"train/loss": loss / num, "train/acc": right / num} | self.numbers

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Keep the answers for the epoch's end."""
        _, logits, targets = self.loss_and_logits(batch)
        self._answers.append((logits.float(), targets))

    test_step = validation_step

    def on_validation_epoch_end(self) -> None:
        """Log the numbers of the validation split."""
        self._log_answers("val")

    def on_test_epoch_end(self) -> None:
        """Log the numbers of the test split."""
        self._log_answers("test")

    def _log_answers(self, split: str) -> None:
        logits, targets = (torch.cat(part) for part in zip(*self._answers, strict=True))
        self._answers.clear()
        numbers = {"loss": float(self.criterion(logits, targets))} | classification_metrics(logits, targets)
        named = {f"{split}/{name}": value for name, value in numbers.items()}
        self.numbers |= named
        self.log_dict(named, sync_dist=True)

    def configure_optimizers(self) -> Any:
        """Weight decay on weights alone, not on biases and norms; the schedule moves each step."""
        groups: list[dict[str, Any]] = []
        for part in self.parts():
            trained = [parameter for parameter in part["params"] if parameter.requires_grad]
            groups.append(part | {"params": [p for p in trained if p.ndim > 1]})
            groups.append(part | {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0})
        optimizer = self.optimizer([group for group in groups if group["params"]])
        max_epochs = self.trainer.max_epochs or 0
        steps = max(1, int(self.trainer.estimated_stepping_batches) // max(1, max_epochs)) if max_epochs > 0 else 1
        schedule = self.schedule
        scheduler = LambdaLR(optimizer, lambda step: schedule(step / steps, max_epochs))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
