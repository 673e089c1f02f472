"""A residual network for aligned images: its head reads the last maps on a grid, not their mean.

For images that are aligned, such as faces, place tells more than in photos of any view; face networks therefore read
the flattened maps (Deng et al. 2019, ArcFace, "option E" without its norms).
"""

from collections.abc import Sequence

from torch import Tensor, nn

from netgaze.models.base import LinearNet, init_convolutions
from netgaze.models.resnet import ResNetTrunk


class GridResNet(ResNetTrunk, LinearNet):
    """A residual trunk, an average onto grid x grid cells, and one linear layer on all of them.

    Args:
        depths, widths, stem, in_channels, block: see `ResNetTrunk`; a trunk may end after any stage.
        grid: cells across and down.
        num_classes: outputs; 0 leaves the linear layer out (as in timm), so that the cells themselves are the outputs.
    """

    last_layer = "fc"

    def __init__(
        self,
        *,
        depths: Sequence[int],
        widths: Sequence[int],
        stem: str,
        in_channels: int,
        num_classes: int,
        grid: int = 4,
        block: str = "basic",
    ):
        super().__init__(depths=depths, widths=widths, stem=stem, in_channels=in_channels, block=block)
        self.num_cells = self.num_features * grid**2
        self.avgpool = nn.AdaptiveAvgPool2d(grid)
        self.fc = nn.Linear(self.num_cells, num_classes) if num_classes else nn.Identity()
        init_convolutions(self)

    @property
    def head_hidden_size(self) -> int:
        """D = F * grid * grid, the number of features before the last layer."""
        return self.num_cells

    def forward_head(self, maps: Tensor, pre_logits: bool = False) -> Tensor:
        """[B,F,h,w] -> outputs [B,K], or with `pre_logits` the cells [B,D]."""
        cells = self.avgpool(maps).flatten(1)
        return cells if pre_logits else self.fc(cells)
