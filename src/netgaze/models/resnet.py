"""Residual networks (He et al. 2015) of basic or bottleneck blocks, in torchvision's names: its files load by name.

Three stems: `imagenet` (7x7 stride 2, then max-pool: 32x32 -> 8x8), `imagenet_nopool` (7x7 stride 2 alone: 32x32 ->
16x16; courses use it for images of 128 pixels) and `cifar` (3x3 stride 1, no pool).
Deviation from torchvision: ReLUs are never in place and never shared, so that hooks see each one.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from netgaze.models.base import PooledNet, init_convolutions

# torchvision's files, by the blocks and the depths of the four stages. For ResNet-50 there is also IMAGENET1K_V2, 4.7
# points better by a longer recipe with mixing of images and labels; V1 was trained by the plain recipe that the only
# files of ResNet-18 and -34 are from, so that networks laid side by side differ in their architecture alone.
IMAGENET = {
    "basic": {(2, 2, 2, 2): "resnet18-f37072fd.pth", (3, 4, 6, 3): "resnet34-b627a593.pth"},
    "bottleneck": {(3, 4, 6, 3): "resnet50-0676ba61.pth"},
}

STEMS = {"cifar": 1, "imagenet": 4, "imagenet_nopool": 2}  # how many pixels, across, are one of its maps


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut; a 1x1 projection where the shape changes (option B)."""

    expansion = 1
    first_look = "conv1"

    def __init__(self, in_channels: int, channels: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or in_channels != channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,H,W] -> [B,C',H/stride,W/stride]."""
        residual = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return self.relu2(residual + self.downsample(x))


class Bottleneck(nn.Module):
    """1x1 to fewer channels, 3x3, 1x1 to four times as many, and a shortcut as the basic block's.

    As in torchvision the 3x3 takes the stride ("v1.5"), where the paper gives it to the first 1x1.
    """

    expansion = 4
    first_look = "conv2"  # a 1x1 has no shape to look at

    def __init__(self, in_channels: int, channels: int, stride: int):
        super().__init__()
        out_channels = channels * self.expansion
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu2 = nn.ReLU()
        self.conv3 = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )
        self.relu3 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,H,W] -> [B,4C',H/stride,W/stride]."""
        residual = self.relu2(self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x))))))
        return self.relu3(self.bn3(self.conv3(residual)) + self.downsample(x))


BLOCKS: dict[str, type[BasicBlock] | type[Bottleneck]] = {"basic": BasicBlock, "bottleneck": Bottleneck}


class ResNetTrunk(nn.Module):
    """Stem and stages of a residual network, without a head. A subclass adds one, then calls `init_convolutions`.

    Args:
        depths: blocks in each stage; ResNet-18 is [2, 2, 2, 2], ResNet-50 [3, 4, 6, 3].
        widths: channels of each stage's 3x3 convolutions; ResNet-18 and -50 are [64, 128, 256, 512]. A stage of
            bottlenecks gives four times as many maps. Each stage after the first halves the map.
        stem: "cifar", "imagenet" or "imagenet_nopool".
        in_channels: image channels.
        block: "basic" or "bottleneck".

    Attributes:
        reduction: how many pixels of the image, across, are one of the last maps, rounded up.
        imagenet_file: torchvision's weights for a network of these stages or more, or None where it has none.
    """

    filter_layers: tuple[str, ...]
    feature_layers: tuple[str, ...]
    num_features: int

    def __init__(
        self, *, depths: Sequence[int], widths: Sequence[int], stem: str, in_channels: int, block: str = "basic"
    ):
        super().__init__()
        if block not in BLOCKS:
            raise ValueError(f"expected block to be one of {', '.join(BLOCKS)}, got {block}")
        if len(depths) != len(widths) or not depths:
            raise ValueError(f"expected as many depths as widths, got {list(depths)} and {list(widths)}")
        if stem not in STEMS:
            raise ValueError(f"expected stem to be one of {', '.join(STEMS)}, got {stem}")
        if stem == "cifar":
            self.conv1 = nn.Conv2d(in_channels, widths[0], 3, padding=1, bias=False)
        else:
            self.conv1 = nn.Conv2d(in_channels, widths[0], 7, stride=2, padding=3, bias=False)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if stem == "imagenet" else nn.Identity()
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU()
        kind, channels = BLOCKS[block], widths[0]
        for number, (depth, width) in enumerate(zip(depths, widths, strict=True), start=1):
            blocks = []
            for position in range(depth):
                blocks.append(kind(channels, width, stride=2 if position == 0 and number > 1 else 1))
                channels = width * kind.expansion
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
        self.num_features = channels
        self.imagenet_file = _imagenet_file(block, list(depths), list(widths), in_channels)
        self.reduction = STEMS[stem] * 2 ** (len(depths) - 1)
        self.filter_layers = ("conv1", f"layer1.0.{kind.first_look}")
        self.feature_layers = tuple(f"layer{number}" for number in range(1, len(depths) + 1))

    def forward_features(self, images: Tensor) -> Tensor:
        """[B,C,H,W] -> the last stage's maps [B,F,h,w]."""
        maps = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        for name in self.feature_layers:
            maps = self.get_submodule(name)(maps)
        return maps


def _imagenet_file(block: str, depths: list[int], widths: list[int], in_channels: int) -> str | None:
    if in_channels != 3 or widths != [64, 128, 256, 512][: len(widths)]:
        return None
    return next((name for full, name in IMAGENET[block].items() if depths == list(full[: len(depths)])), None)


class ResNet(ResNetTrunk, PooledNet):
    """A residual network of any depth and width.

    Args:
        depths, widths, stem, in_channels, block: see `ResNetTrunk`.
        num_classes: outputs.
    """

    def __init__(
        self,
        *,
        depths: Sequence[int],
        widths: Sequence[int],
        stem: str,
        in_channels: int,
        num_classes: int,
        block: str = "basic",
    ):
        super().__init__(depths=depths, widths=widths, stem=stem, in_channels=in_channels, block=block)
        self.fc = nn.Linear(self.num_features, num_classes)
        init_convolutions(self)
