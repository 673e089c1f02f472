"""The thin residual networks for CIFAR-10 of He et al. 2015, section 4.2: 6n+2 layers, widths 16, 32, 64.

Shortcuts are option A: identity, every second pixel where the map halves, zeros in the new channels; they have no
parameters. Layer names are those of the widely shared PyTorch weights (`linear` for the last layer).
"""

import torch.nn.functional as F
from torch import Tensor, nn

from netgaze.models.base import PooledNet, init_convolutions


class OptionABlock(nn.Module):
    """Two 3x3 convolutions and a shortcut without parameters."""

    def __init__(self, in_channels: int, channels: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu2 = nn.ReLU()
        self.stride, self.new_channels = stride, channels - in_channels

    def shortcut(self, x: Tensor) -> Tensor:
        """Every `stride`-th pixel; the new channels are zeros, half before and half after the old ones."""
        if self.stride == 1 and self.new_channels == 0:
            return x
        before = self.new_channels // 2
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, self.new_channels - before))

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,H,W] -> [B,C',H/stride,W/stride]."""
        residual = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return self.relu2(residual + self.shortcut(x))


class CifarResNet(PooledNet):
    """ResNet-20, 32, 44, 56, 110: `depth` = 6n+2.

    Args:
        depth: layers with weights: 6n+2.
        in_channels: image channels.
        num_classes: outputs.

    Raises:
        ValueError: the depth is not 6n+2.
    """

    last_layer = "linear"
    filter_layers = ("conv1", "layer1.0.conv1")
    feature_layers = ("layer1", "layer2", "layer3")
    num_features = 64

    def __init__(self, *, depth: int, in_channels: int, num_classes: int):
        super().__init__()
        num_blocks, rest = divmod(depth - 2, 6)
        if rest or num_blocks < 1:
            raise ValueError(f"expected a depth of 6n+2 (20, 32, 44, 56, 110), got {depth}")
        self.conv1 = nn.Conv2d(in_channels, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU()
        self.layer1 = self._stage(16, 16, num_blocks, stride=1)
        self.layer2 = self._stage(16, 32, num_blocks, stride=2)
        self.layer3 = self._stage(32, 64, num_blocks, stride=2)
        self.linear = nn.Linear(64, num_classes)
        init_convolutions(self)

    @staticmethod
    def _stage(in_channels: int, channels: int, num_blocks: int, stride: int) -> nn.Sequential:
        first = OptionABlock(in_channels, channels, stride)
        return nn.Sequential(first, *(OptionABlock(channels, channels, 1) for _ in range(num_blocks - 1)))

    def forward_features(self, images: Tensor) -> Tensor:
        """[B,C,H,W] -> [B,64,H/4,W/4]."""
        maps = self.relu(self.bn1(self.conv1(images)))
        return self.layer3(self.layer2(self.layer1(maps)))
