"""The face network of a widely copied notebook, after AlexNet's first three convolutions."""

from torch import Tensor, nn

from netgaze.errors import NetgazeError
from netgaze.models.fully_connected import FullyConnectedNet


class SiameseCNN(FullyConnectedNet):
    """Three convolutions without padding, two max-pools, three linear layers; no dropout.

    Layer for layer that of datahacker.rs #019, "Siamese network in PyTorch with application to face similarity", made
    for images of 100x100, of which one pixel of 384 maps is left. Initial weights are torch's. Deviation: ReLUs are not
    in place.

    Args:
        in_channels: image channels; 1 in the notebook.
        num_classes: outputs, there the embedding; 2 in the notebook.

    Attributes:
        largest: side in pixels of the largest images that leave one pixel.
    """

    num_features = 384
    smallest = 91
    largest = 106
    imagenet_file = None
    last_layer = "classifier.4"
    filter_layers = ("features.0", "features.3")
    feature_layers = ("features.2", "features.5", "features.7")

    def __init__(self, *, in_channels: int, num_classes: int):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 96, 11, stride=4),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(96, 256, 5),
            nn.ReLU(),
            nn.MaxPool2d(2, stride=2),
            nn.Conv2d(256, 384, 3),
            nn.ReLU(),
        )
        self.avgpool = nn.Identity()
        self.classifier = nn.Sequential(
            nn.Linear(384, 1024),
            nn.ReLU(),
            nn.Linear(1024, 256),
            nn.ReLU(),
            nn.Linear(256, num_classes),
        )

    def forward_features(self, images: Tensor) -> Tensor:
        """[B,C,H,W] -> the last maps [B,384,1,1].

        Raises:
            NetgazeError: the images leave no map, or a larger one than the linear layers read.
        """
        height, width = images.shape[-2:]
        if min(height, width) < self.smallest or max(height, width) > self.largest:
            raise NetgazeError(
                f"{type(self).__name__} needs images of {self.smallest} to {self.largest} pixels a side, "
                f"got {height}x{width}. Set data.image_size=100 (without a run input=[1,100,100]) or choose "
                "another model."
            )
        return self.features(images)
