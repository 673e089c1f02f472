"""AlexNet in its three published forms, and one for small images, in torchvision's names."""

from dataclasses import dataclass

from torch import nn

from netgaze.models.fully_connected import FullyConnectedNet

IMAGENET = "alexnet-owt-7be5be79.pth"


@dataclass(frozen=True)
class Form:
    """What tells the forms apart.

    Attributes:
        widths: filters of the five convolutions.
        groups: of the second, the fourth and the fifth convolution: each half of the filters sees half of the maps.
        pooled: whether the first convolution is pooled.
        side: of the maps that the linear layers read.
    """

    widths: tuple[int, int, int, int, int]
    groups: int = 1
    pooled: bool = True
    side: int = 6


_KRIZHEVSKY_2012 = (96, 256, 384, 384, 256)
_KRIZHEVSKY_2014 = (64, 192, 384, 256, 256)
FORMS = {
    "two_group": Form(_KRIZHEVSKY_2012, groups=2),
    "one_group": Form(_KRIZHEVSKY_2012),
    "torchvision": Form(_KRIZHEVSKY_2014),
    "nopool": Form(_KRIZHEVSKY_2014, pooled=False, side=7),
}


class AlexNet(FullyConnectedNet):
    """Five convolutions, max-pools, an average pool to 6x6, three linear layers with dropout.

    Initial weights are torch's, as torchvision's are. Of Krizhevsky et al. 2012 all forms leave out the local response
    normalization, which has no parameters, and the two large forms keep the rest. The paper says 224 pixels, which its
    first convolution (11x11, stride 4, no padding) does not divide; a padding of 2 gives its 55x55 maps, as 227 do.

    Args:
        form: for images of 224 pixels: "two_group" (Krizhevsky et al. 2012: the network is split over two devices,
            which meet in the third convolution alone), "one_group" (the same widths, every filter sees every map), or
            "torchvision" (Krizhevsky 2014, arXiv 1404.5997: one column, fewer filters). For 128: "nopool", as courses
            change the last of these: no pool after the first convolution, and linear layers over 7x7, which is just
            what 128 pixels leave.
        hidden_dim: units of each of the two hidden linear layers.
        dropout: share of what the two hidden layers read that is dropped in training, 0..1.
        in_channels: image channels.
        num_classes: outputs.
    """

    num_features = 256

    def __init__(
        self,
        *,
        form: str = "torchvision",
        hidden_dim: int = 4096,
        dropout: float = 0.5,
        in_channels: int,
        num_classes: int,
    ):
        super().__init__()
        if form not in FORMS:
            raise ValueError(f"expected form to be one of {', '.join(FORMS)}, got {form}")
        shape = FORMS[form]
        first, second, third, fourth, fifth = shape.widths
        side, groups = shape.side, shape.groups
        self.smallest = 63 if shape.pooled else 31
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, first, 11, stride=4, padding=2),
            nn.ReLU(),
            *([nn.MaxPool2d(3, stride=2)] if shape.pooled else []),
            nn.Conv2d(first, second, 5, padding=2, groups=groups),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(second, third, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(third, fourth, 3, padding=1, groups=groups),
            nn.ReLU(),
            nn.Conv2d(fourth, fifth, 3, padding=1, groups=groups),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
        )
        names = [name for name, layer in self.features.named_children() if isinstance(layer, nn.Conv2d)]
        self.filter_layers = (f"features.{names[0]}", f"features.{names[1]}")
        ends = [int(name) - 1 for name in names[1:]] + [len(self.features) - 1]
        self.feature_layers = tuple(f"features.{end}" for end in ends)
        self.avgpool = nn.AdaptiveAvgPool2d(side)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(fifth * side * side, hidden_dim),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_dim, hidden_dim),
            nn.ReLU(),
            nn.Linear(hidden_dim, num_classes),
        )
        self.imagenet_file = IMAGENET if in_channels == 3 and form == "torchvision" else None
