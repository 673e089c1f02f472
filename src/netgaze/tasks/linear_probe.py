"""Linear probes: linear heads trained on a frozen network's features."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from netgaze.features import extract_cached
from netgaze.tasks.supervised import Supervised


class LinearProbe(Supervised):
    """Everything stays as it is but new last layers, one for each learning rate, trained side by side.

    The heads start from the same draw, see the same batches, and share nothing: each ends in the bits of a run with
    its rate alone. Each keeps the weights of its own best epoch. The head that is best on validation stands in the
    network as its last layer, and its numbers are the run's; `variants` tells those of all heads.

    Features are computed once, in fp32, and kept on disk; training then takes seconds. The heads work in fp32 too.

    Args:
        model: ends in a linear layer.
        num_classes, optimizer, schedule, label_smoothing: see `Supervised`.
        lrs: learning rates, a head each; None for one head with `optim.lr`.
        cache_features: False computes the features anew in each step, with new augmentation.
        cached_views: augmented views of each training image whose features are kept; 0 for the image as it is.

    Raises:
        ValueError: the network does not end in a linear layer, or no rate is given.
    """

    monitor = "val/best_acc"

    def __init__(
        self,
        *,
        model: nn.Module,
        num_classes: int,
        optimizer: Callable[..., Optimizer],
        schedule: Callable[[float, float], float],
        label_smoothing: float = 0.0,
        lrs: Sequence[float] | None = None,
        cache_features: bool = True,
        cached_views: int = 0,
    ):
        super().__init__(
            model=model,
            num_classes=num_classes,
            optimizer=optimizer,
            schedule=schedule,
            label_smoothing=label_smoothing,
        )
        if not hasattr(model, "last_layer"):
            raise ValueError(f"expected a network that ends in a linear layer, got {type(model).__name__}")
        if lrs is not None and (not lrs or len(set(lrs)) < len(lrs)):
            raise ValueError(f"expected different learning rates in lrs, got {list(lrs)}")
        self.lrs = list(lrs) if lrs is not None else [optimizer.keywords["lr"]]  # type: ignore[attr-defined]
        self.cache_features, self.cached_views = cache_features, cached_views
        self.freeze_modules([model])
        first = nn.Linear(model.get_classifier().in_features, num_classes)  # type: ignore[operator]
        self.heads = nn.ModuleList(copy.deepcopy(first) for _ in self.lrs)
        self.best_heads = copy.deepcopy(self.heads).requires_grad_(False)
        self.best_acc: Tensor
        self.best_epoch: Tensor
        self.register_buffer("best_acc", torch.full((len(self.lrs),), -1.0, dtype=torch.float64))
        self.register_buffer("best_epoch", torch.zeros(len(self.lrs), dtype=torch.int64))

    def training_data(self, data: Any, device: torch.device) -> Any:
        """The data with features in the place of images: [V,N,D] of the training images, [1,N,D] of the others."""
        if not self.cache_features:
            return data
        self.model.to(device)
        views = range(1, self.cached_views + 1) or [0]
        features = {"train": torch.stack([extract_cached(self.model, data, "train", device, view) for view in views])}
        features |= {split: extract_cached(self.model, data, split, device)[None] for split in ("val", "test")}
        return data.with_features(features)

    def param_groups(self) -> list[dict[str, Any]]:
        """A group for each head, with its rate."""
        return [{"params": list(head.parameters()), "lr": lr} for head, lr in zip(self.heads, self.lrs, strict=True)]

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """One step of every head; the loss is their sum, so that each gets the gradient of its own."""
        logits, labels = self._answers_of(self.heads, batch[0]), batch[1]
        losses = torch.stack([self.criterion(some, labels) for some in logits])
        leader = self._leader
        self._count(
            len(labels), {"loss": losses[leader].detach()} | self.train_metrics(logits[leader].detach(), labels)
        )
        return losses.sum()

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Keep every head's answers for the epoch's end."""
        logits = self._answers_of(self.heads, batch[0])
        self._answers.append((logits.transpose(0, 1), batch[1]))

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Keep the answers of every head's best epoch."""
        logits = self._answers_of(self.best_heads, batch[0])
        self._answers.append((logits.transpose(0, 1), batch[1]))

    def on_validation_epoch_end(self) -> None:
        """Log the best head's numbers; a head that is better than ever before is kept."""
        numbers = self._numbers_of_heads()
        for place, found in enumerate(numbers):
            if found["acc"] > self.best_acc[place]:
                self.best_acc[place], self.best_epoch[place] = found["acc"], self.current_epoch + 1
                self.best_heads[place].load_state_dict(self.heads[place].state_dict())
        leader = self._leader
        self.model.get_classifier().load_state_dict(self.best_heads[leader].state_dict())  # type: ignore[operator]
        named = {f"val/{name}": value for name, value in numbers[leader].items()}
        named[self.monitor] = float(self.best_acc.mean())  # rises whenever a head gets better: then all are kept
        if len(self.lrs) > 1:
            named |= {f"val/acc lr={lr:g}": found["acc"] for lr, found in zip(self.lrs, numbers, strict=True)}
        self.numbers |= named
        self.log_dict(named, sync_dist=True)

    def on_test_epoch_end(self) -> None:
        """Log the best head's numbers and note all heads' in `variants`."""
        numbers = self._numbers_of_heads()
        self.log_dict({f"test/{name}": value for name, value in numbers[self._leader].items()}, sync_dist=True)
        self.variants = [
            {"lr": lr, "val/acc": float(self.best_acc[place]), "best/epoch": int(self.best_epoch[place])}
            | {f"test/{name}": value for name, value in numbers[place].items()}
            for place, lr in enumerate(self.lrs)
        ]

    @property
    def _leader(self) -> int:
        """The place of the head that is best on validation so far."""
        return int(self.best_acc.argmax())

    def _answers_of(self, heads: nn.ModuleList, inputs: Tensor) -> Tensor:
        """Features [B,D], or images [B,C,H,W] -> logits of all heads, fp32 [H,B,K]."""
        with torch.autocast(inputs.device.type, enabled=False):
            if inputs.ndim == 4:
                with torch.no_grad():
                    maps = self.model.forward_features(inputs)  # type: ignore[operator]
                    inputs = self.model.forward_head(maps, pre_logits=True)  # type: ignore[operator]
            return torch.stack([head(inputs.float()) for head in heads])

    def _numbers_of_heads(self) -> list[dict[str, float]]:
        """Loss and accuracies of each head from the answers that were kept."""
        logits, targets = self._all_answers()
        return [self.compute_metrics("val", some, targets) for some in logits.unbind(dim=1)]
