"""GoogLeNet's inception module (Szegedy et al. 2014, arXiv 1409.4842, figure 2), naive and with reductions."""

import torch
from torch import Tensor, nn

from netgaze.models.base import PooledNet, init_convolutions

FORMS = ("naive", "reduced")
# Filters by layer. googlenet_3b is row "inception (3b)" of the paper's table 1; cs231n has the same four outputs, and
# 64 filters in each reduction, as that course's slides draw the module.
FILTERS = {
    "googlenet_3b": {
        "branch1x1": 128,
        "reduce3x3": 128,
        "branch3x3": 192,
        "reduce5x5": 32,
        "branch5x5": 96,
        "project": 64,
    },
    "cs231n": {
        "branch1x1": 128,
        "reduce3x3": 64,
        "branch3x3": 192,
        "reduce5x5": 64,
        "branch5x5": 96,
        "project": 64,
    },
}


class Inception(nn.Module):
    """Four branches over the same maps, side by side: 1x1, 3x3, 5x5 and a 3x3 max-pool, all at stride 1 and padded.

    In the form "naive" each filter reads all input channels, and the pool gives them on as they are. In the form
    "reduced" a 1x1 convolution goes before the 3x3 and the 5x5, and one, `project`, behind the pool.

    Args:
        in_channels: of the maps.
        form: "naive" or "reduced".
        filters: which set of `FILTERS`; both are the same in the naive form.

    Attributes:
        out_channels: the four branches' channels together.

    Raises:
        ValueError: an unknown form or set of filters.
    """

    def __init__(self, in_channels: int, form: str, filters: str):
        super().__init__()
        if form not in FORMS:
            raise ValueError(f"expected form to be one of {', '.join(FORMS)}, got {form}")
        if filters not in FILTERS:
            raise ValueError(f"expected filters to be one of {', '.join(FILTERS)}, got {filters}")
        widths, reduced = FILTERS[filters], form == "reduced"
        self.branch1x1 = nn.Conv2d(in_channels, widths["branch1x1"], 1)
        self.relu1x1 = nn.ReLU()
        self.reduce3x3, self.relu_reduce3x3 = _reduction(in_channels, widths["reduce3x3"], reduced)
        self.branch3x3 = nn.Conv2d(widths["reduce3x3"] if reduced else in_channels, widths["branch3x3"], 3, padding=1)
        self.relu3x3 = nn.ReLU()
        self.reduce5x5, self.relu_reduce5x5 = _reduction(in_channels, widths["reduce5x5"], reduced)
        self.branch5x5 = nn.Conv2d(widths["reduce5x5"] if reduced else in_channels, widths["branch5x5"], 5, padding=2)
        self.relu5x5 = nn.ReLU()
        self.pool = nn.MaxPool2d(3, stride=1, padding=1)
        self.project, self.relu_project = _reduction(in_channels, widths["project"], reduced)
        pooled = widths["project"] if reduced else in_channels
        self.out_channels = widths["branch1x1"] + widths["branch3x3"] + widths["branch5x5"] + pooled

    def forward(self, maps: Tensor) -> Tensor:
        """[B,C,h,w] -> the branches' maps, concatenated in the order of the paper's figure, [B,C',h,w]."""
        ones = self.relu1x1(self.branch1x1(maps))
        threes = self.relu3x3(self.branch3x3(self.relu_reduce3x3(self.reduce3x3(maps))))
        fives = self.relu5x5(self.branch5x5(self.relu_reduce5x5(self.reduce5x5(maps))))
        pooled = self.relu_project(self.project(self.pool(maps)))
        return torch.cat([ones, threes, fives, pooled], dim=1)


def _reduction(in_channels: int, width: int, reduced: bool) -> tuple[nn.Module, nn.Module]:
    """A 1x1 convolution and its ReLU, or nothing."""
    return (nn.Conv2d(in_channels, width, 1), nn.ReLU()) if reduced else (nn.Identity(), nn.Identity())


class InceptionNet(PooledNet):
    """One inception module over the input as it is, a global average and a linear layer: small enough to count by hand.

    It is no GoogLeNet, which has nine such modules behind a stem; convolutions have biases and no norms, as there.
    Initial weights are He's for convolutions.

    Args:
        form: "naive" or "reduced".
        filters: "googlenet_3b" or "cs231n", see `FILTERS`.
        in_channels: channels of the input: 3 of images, 256 of the maps that the module 3b reads in GoogLeNet.
        num_classes: outputs.

    Raises:
        ValueError: an unknown form or set of filters.
    """

    filter_layers = ("inception.branch3x3", "inception.branch5x5")
    feature_layers = ("inception",)

    def __init__(self, *, form: str = "reduced", filters: str = "googlenet_3b", in_channels: int, num_classes: int):
        super().__init__()
        self.inception = Inception(in_channels, form, filters)
        self.num_features = self.inception.out_channels
        self.fc = nn.Linear(self.num_features, num_classes)
        init_convolutions(self)

    def forward_features(self, images: Tensor) -> Tensor:
        """[B,C,H,W] -> the module's maps [B,F,H,W]: 480 with reductions; 416 and the input's own channels without."""
        return self.inception(images)
