"""AlexNet in the one-column form of Krizhevsky 2014 (arXiv 1404.5997), in torchvision's names."""

from torch import nn

from netgaze.models.fully_connected import FullyConnectedNet

IMAGENET = "alexnet-owt-7be5be79.pth"


class AlexNet(FullyConnectedNet):
    """Five convolutions, three max-pools, an average pool to 6x6, three linear layers with dropout.

    Initial weights are torch's, as torchvision's are. Against Krizhevsky et al. 2012: one column in place of two
    groups, fewer filters, no local response normalisation.

    Args:
        hidden_dim: units of each of the two hidden linear layers.
        dropout: share of what the two hidden layers read that is dropped in training, 0..1.
        in_channels: image channels.
        num_classes: outputs.
    """

    num_features = 256
    smallest = 63
    filter_layers = ("features.0", "features.3")
    feature_layers = ("features.2", "features.5", "features.7", "features.9", "features.12")

    def __init__(self, *, hidden_dim: int = 4096, dropout: float = 0.5, in_channels: int, num_classes: int):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 64, 11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
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
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(256 * 6 * 6, hidden_dim),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_dim, hidden_dim),
            nn.ReLU(),
            nn.Linear(hidden_dim, num_classes),
        )
        self.imagenet_file = IMAGENET if in_channels == 3 else None
