"""What a training takes of `growth.py`: a network that costs next to nothing, and a look at the memory."""

import json
import time
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn

from netgaze.models.base import PooledNet

EVERY = 20  # steps between two looks


class Small(PooledNet):
    """One convolution of 8 x 8 pixels, side by side.

    Args:
        in_channels: of the images.
        num_classes: of the logits.
    """

    filter_layers = feature_layers = ("conv",)
    num_features = 8

    def __init__(self, *, in_channels: int, num_classes: int):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, self.num_features, 8, stride=8)
        self.relu = nn.ReLU()
        self.fc = nn.Linear(self.num_features, num_classes)

    def forward_features(self, images: Tensor) -> Tensor:
        """[B,C,H,W] -> [B,8,H/8,W/8]."""
        maps: Tensor = self.relu(self.conv(images))
        return maps


class Watch(Callback):
    """Notes how long an epoch takes, validation included, and the most memory meanwhile.

    Args:
        file: where to; JSON of `epoch_s`, seconds, and `memory_gb`, without pages of mapped files.
    """

    def __init__(self, file: str):
        self.file, self.most, self.started = Path(file), 0.0, 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note when it begins."""
        self.started = time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        """Look at the memory."""
        if trainer.global_step % EVERY == 1:
            self.most = max(self.most, read_memory())

    def on_validation_batch_end(self, *args: Any, **keys: Any) -> None:
        """Look at the memory."""
        self.most = max(self.most, read_memory())

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write it down."""
        seconds = time.perf_counter() - self.started
        self.file.write_text(json.dumps({"epoch_s": seconds, "memory_gb": self.most}), encoding="utf-8")


def read_memory() -> float:
    """GB that this process holds beside mapped files; 0 where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    kilobytes = {line.split()[0]: float(line.split()[1]) for line in lines if line.startswith(("VmRSS", "RssFile"))}
    return (kilobytes["VmRSS:"] - kilobytes["RssFile:"]) * 1024 / 1e9
