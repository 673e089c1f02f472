"""VGG without batch normalization (Simonyan and Zisserman 2014), in torchvision's names: its files load by name."""

from collections.abc import Sequence

from torch import nn

from netgaze.models.base import init_convolutions
from netgaze.models.fully_connected import FullyConnectedNet

# torchvision's files, by the depths of the five stages: VGG-11, 13, 16, 19 (configurations A, B, D, E).
IMAGENET: dict[tuple[int, ...], str] = {
    (1, 1, 2, 2, 2): "vgg11-8a719046.pth",
    (2, 2, 2, 2, 2): "vgg13-19584684.pth",
    (2, 2, 3, 3, 3): "vgg16-397923af.pth",
    (2, 2, 4, 4, 4): "vgg19-dcbb9e9d.pth",
}
WIDTHS = [64, 128, 256, 512, 512]


class VGG(FullyConnectedNet):
    """Stages of 3x3 convolutions, each ended by a max-pool; an average pool to 7x7; three linear layers with dropout.

    Initial weights are torchvision's: He's for convolutions, a deviation of 0.01 for linear layers, biases zero.

    Args:
        depths: convolutions in each stage; VGG-19 is [2, 2, 4, 4, 4].
        widths: channels of each stage; VGG-19 is [64, 128, 256, 512, 512].
        hidden_dim: units of each of the two hidden linear layers.
        dropout: share of them that is dropped in training, 0..1.
        in_channels: image channels.
        num_classes: outputs.

    Raises:
        ValueError: not as many depths as widths.
    """

    def __init__(
        self,
        *,
        depths: Sequence[int],
        widths: Sequence[int],
        hidden_dim: int = 4096,
        dropout: float = 0.5,
        in_channels: int,
        num_classes: int,
    ):
        super().__init__()
        if len(depths) != len(widths) or not depths:
            raise ValueError(f"expected as many depths as widths, got {list(depths)} and {list(widths)}")
        layers: list[nn.Module] = []
        convolutions, pools, channels = [], [], in_channels
        for depth, width in zip(depths, widths, strict=True):
            for _ in range(depth):
                convolutions.append(f"features.{len(layers)}")
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
            pools.append(f"features.{len(layers)}")
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = _head(channels * 7 * 7, hidden_dim, dropout, num_classes)
        self.num_features, self.smallest = channels, 2 ** len(depths)
        self.filter_layers, self.feature_layers = tuple(convolutions[:2]), tuple(pools)
        standard = in_channels == 3 and list(widths) == WIDTHS
        self.imagenet_file = IMAGENET.get(tuple(depths)) if standard else None
        _initialize(self)


def _head(num_inputs: int, hidden_dim: int, dropout: float, num_classes: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(num_inputs, hidden_dim),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden_dim, hidden_dim),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden_dim, num_classes),
    )


def _initialize(model: nn.Module) -> None:
    init_convolutions(model)
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
        if isinstance(module, nn.Linear | nn.Conv2d):
            assert module.bias is not None
            nn.init.zeros_(module.bias)
