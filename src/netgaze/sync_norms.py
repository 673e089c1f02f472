"""BatchNorm over the batches of all processes, as if one process had all of their images."""

from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from netgaze.gathering import sum_over_processes


class SyncNorms(Callback):
    """While several processes train, let each BatchNorm of the task take its statistics from all of them.

    The modules stay the objects that they are, with their weights: whoever holds one, as what is frozen, still does.
    """

    def __init__(self) -> None:
        self._classes: list[tuple[nn.Module, type]] = []

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Before the network is handed to the strategy."""
        if trainer.world_size == 1 or stage != "fit":
            return
        for module in pl_module.modules():
            if isinstance(module, _BatchNorm) and not isinstance(module, nn.SyncBatchNorm):
                own = type(module)
                self._classes.append((module, own))
                # torch's own knows GPUs alone.
                base = nn.SyncBatchNorm if trainer.strategy.root_device.type == "cuda" else _Synced
                module.process_group = None  # type: ignore[assignment]
                module.__class__ = type(own.__name__, (base, own), {})

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Each norm is again what it was."""
        for module, own in self._classes:
            module.__class__ = own
            del module.process_group
        self._classes.clear()


class _Synced(_BatchNorm):
    """As `nn.SyncBatchNorm`, for every device: [B,C,...] -> [B,C,...]."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        with torch.autocast(input.device.type, enabled=False):
            return self._normalize(input.float()).to(input.dtype)

    def _normalize(self, x: Tensor) -> Tensor:
        others = [place for place in range(x.ndim) if place != 1]
        shape = [1, -1] + [1] * (x.ndim - 2)
        num = sum_over_processes(x.new_tensor([x.numel() / x.shape[1]]))
        mean = sum_over_processes(x.sum(dim=others)) / num
        centered = x - mean.view(shape)
        variance = sum_over_processes(centered.square().sum(dim=others)) / num
        self._follow(mean.detach(), (variance * num / (num - 1)).detach())
        normed: Any = centered * (variance + self.eps).rsqrt().view(shape)
        if self.weight is not None:
            normed = normed * self.weight.view(shape)
        return normed if self.bias is None else normed + self.bias.view(shape)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics, as `nn.BatchNorm2d` does."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance, share)
