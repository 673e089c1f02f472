"""Linear probes: trains linear heads on a frozen network's features."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from netgaze.batch import Batch
from netgaze.features import extract_cached
from netgaze.tasks.step import Step
from netgaze.tasks.supervised import Supervised


class LinearProbe(Supervised):
    """Trains only new last layers, one per learning rate, side by side.

    The heads start from the same draw, see the same batches, and share nothing: each ends in the bits of a run with
    its rate alone. Each keeps the weights of its own best epoch. The head that is best on validation stands in the
    network as its last layer, and its numbers are the run's; `variants` tells those of all heads.

    Features are computed once, in fp32, and kept on disk; training then takes seconds. The heads work in fp32 too.

    Args:
        model: ends in a linear layer.
        num_classes, optimizer, schedule, label_smoothing: see `Supervised`.
        lrs: learning rates, one head each; None for one head with `optim.lr`.
        cache_features: False computes the features again in each step, with new augmentation.
        cached_views: augmented views of each training image whose features are kept; 0 for the image as it is.

    Raises:
        ValueError: the network does not end in a linear layer, or no rate is given.
    """

    monitor = "val/best_acc"

    takes_mixed = False

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

    def loss(self, batch: Batch) -> Step:
        """The sum of all heads' losses, so that each gets the gradient of its own; the numbers are the best head's."""
        return self._ask(self.heads, batch)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Test every head as it was at its best epoch."""
        self.keep("test", batch, self._ask(self.best_heads, batch))

    def compute_metrics(self, split: str, outputs: Tensor, targets: Tensor) -> dict[str, float]:
        """The best head's numbers, from all heads' logits [N,H,K]; validation chooses it, the test notes `variants`.

        A head that is better on validation than ever before is kept.
        """
        measure = super().compute_metrics
        found = [measure(split, logits, targets) for logits in outputs.unbind(dim=1)]
        if split == "test":
            self.variants = [
                {"lr": lr, "val/acc": float(self.best_acc[place]), "best/epoch": int(self.best_epoch[place])}
                | {f"test/{name}": value for name, value in found[place].items()}
                for place, lr in enumerate(self.lrs)
            ]
            return found[self._leader]
        self._keep_best([numbers["acc"] for numbers in found])
        numbers = found[self._leader]
        numbers["best_acc"] = float(self.best_acc.mean())  # rises whenever a head gets better: then all are kept
        if len(self.lrs) > 1:
            numbers |= {f"acc lr={lr:g}": head["acc"] for lr, head in zip(self.lrs, found, strict=True)}
        return numbers

    def choose_logits(self, outputs: Tensor) -> Tensor:
        """The best head's, of all heads' logits [N,H,K]."""
        return outputs[:, self._leader]

    def _keep_best(self, accuracies: Sequence[float]) -> None:
        """Keep the heads that are better than ever before; the best of all becomes the network's last layer."""
        for place, accuracy in enumerate(accuracies):
            if accuracy > self.best_acc[place]:
                self.best_acc[place], self.best_epoch[place] = accuracy, self.current_epoch + 1
                self.best_heads[place].load_state_dict(self.heads[place].state_dict())
        best = self.best_heads[self._leader]
        self.model.get_classifier().load_state_dict(best.state_dict())  # type: ignore[operator]

    @property
    def _leader(self) -> int:
        """The place of the head that is best on validation so far."""
        return int(self.best_acc.argmax())

    def _ask(self, heads: nn.ModuleList, batch: Batch) -> Step:
        """The heads' answers to features [B,D], or to images [B,C,H,W]: outputs [B,H,K], in fp32."""
        inputs, labels = batch.images, batch.labels
        with torch.autocast(inputs.device.type, enabled=False):
            if inputs.ndim == 4:
                with torch.no_grad():
                    maps = self.model.forward_features(inputs)  # type: ignore[operator]
                    inputs = self.model.forward_head(maps, pre_logits=True)  # type: ignore[operator]
            logits = torch.stack([head(inputs.float()) for head in heads])
        losses = torch.stack([self.criterion(some, labels) for some in logits])
        leader = self._leader
        numbers = {"loss": losses[leader]} | self.train_metrics(logits[leader].detach(), labels)
        return Step(losses.sum(), logits.transpose(0, 1), labels, numbers)
