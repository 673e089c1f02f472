"""Finetuning: trains all layers of a pretrained network on new classes."""

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.optim import Optimizer

from netgaze.tasks.supervised import Supervised


class Finetune(Supervised):
    """`Supervised`, with a separate learning rate for the head, and rates that fall towards the first layers.

    A stage's rate is `optim.lr` times `layer_decay` to the power of its distance from the head, as in timm: the last
    of the network's `feature_layers` is at distance 1, and what comes before the first of them is furthest.

    Args:
        model, num_classes, optimizer, schedule, label_smoothing: see `Supervised`.
        head_lr: of the head; None for `optim.lr`.
        layer_decay: factor from a stage to the one before, above 0 and at most 1; 1 is one rate for all.

    Raises:
        ValueError: a factor that cannot be.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        num_classes: int,
        optimizer: Callable[..., Optimizer],
        schedule: Callable[[float, float], float],
        label_smoothing: float = 0.0,
        head_lr: float | None = None,
        layer_decay: float = 1.0,
    ):
        super().__init__(
            model=model,
            num_classes=num_classes,
            optimizer=optimizer,
            schedule=schedule,
            label_smoothing=label_smoothing,
        )
        if not 0 < layer_decay <= 1:
            raise ValueError(f"expected layer_decay above 0 and at most 1, got {layer_decay}")
        self.head_lr, self.layer_decay = head_lr, layer_decay

    def param_groups(self) -> list[dict[str, Any]]:
        """A group for each stage and one for the head."""
        base = self.optimizer.keywords["lr"]  # type: ignore[attr-defined]
        if self.head_lr is None and self.layer_decay == 1:
            return super().param_groups()
        depths: dict[int, list[nn.Parameter]] = {}
        for name, parameter in self.model.named_parameters():
            depths.setdefault(self._depth(name), []).append(parameter)
        head = len(self.model.feature_layers) + 1  # type: ignore[arg-type]
        rates = {depth: base * self.layer_decay ** (head - depth) for depth in depths}
        rates[head] = base if self.head_lr is None else self.head_lr
        return [{"params": depths[depth], "lr": rates[depth]} for depth in sorted(depths)]

    def _depth(self, name: str) -> int:
        """How deep a parameter lies: 0 before the first stage, then the number of its stage, and last the head."""
        stages: Any = self.model.feature_layers
        if name.startswith(tuple(f"{layer}." for layer in self.model.head_layers)):  # type: ignore[union-attr]
            return len(stages) + 1
        return next((number for number, stage in enumerate(stages, 1) if f"{name}.".startswith(f"{stage}.")), 0)
