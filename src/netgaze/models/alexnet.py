"""AlexNet in the one-column form of Krizhevsky 2014 (arXiv 1404.5997), in torchvision's names."""

from torch import nn

from netgaze.models.fully_connected import FullyConnectedNet

IMAGENET = "alexnet-owt-7be5be79.pth"
# Whether the first convolution is pooled, and the side of the maps that the linear layers read.
FORMS = {"torchvision": (True, 6), "nopool": (False, 7)}


class AlexNet(FullyConnectedNet):
    """Five convolutions, max-pools, an average pool to 6x6, three linear layers with dropout.

    Initial weights are torch's, as torchvision's are. Against Krizhevsky et al. 2012: one column in place of two
    groups, fewer filters, no local response normalisation.

    Args:
        form: "torchvision", for images of 224 pixels; or "nopool", as courses change it for 128: no pool after the
            first convolution, and linear layers over 7x7, which is just what 128 pixels leave.
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
        pooled, side = FORMS[form]
        self.smallest = 63 if pooled else 31
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 64, 11, stride=4, padding=2),
            nn.ReLU(),
            *([nn.MaxPool2d(3, stride=2)] if pooled else []),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
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
            nn.Linear(256 * side * side, hidden_dim),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_dim, hidden_dim),
            nn.ReLU(),
            nn.Linear(hidden_dim, num_classes),
        )
        self.imagenet_file = IMAGENET if in_channels == 3 and form == "torchvision" else None
