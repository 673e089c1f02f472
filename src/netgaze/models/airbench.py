"""The network of the CIFAR-10 speed record (Jordan 2024, arXiv 2404.00498): whitening, three groups, a linear layer.

Its first convolution is no learned one: it whitens 2x2 patches of training images, see `init_from_images`. Scales of
BatchNorms stay 1, their biases learn. Deviations from the record's code: the last pooling takes what is left of the
image, which for 32 pixels are the record's 3x3, and weights are fp32, autocast where the run's precision says so.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from netgaze.errors import NetgazeError
from netgaze.models.base import LinearNet

_KERNEL = 2  # of the whitening convolution
_EPS = 5e-4  # added to the variance of each direction of patches


class Group(nn.Module):
    """Convolution, pooling, and `depth` - 1 more convolutions, each with BatchNorm and GELU.

    Args:
        in_channels, channels: maps that come in, and that go out.
        depth: convolutions; with three or more, those after the first are a residual.
        norm_momentum: how much of the running statistics a batch replaces.
        norm_eps: of the BatchNorms.
    """

    def __init__(self, in_channels: int, channels: int, depth: int, norm_momentum: float, norm_eps: float):
        super().__init__()
        self.conv1 = _make_convolution(in_channels, channels)
        self.pool = nn.MaxPool2d(2)
        self.norm1 = _make_norm(channels, norm_momentum, norm_eps)
        self.act1 = nn.GELU()
        rest: list[nn.Module] = []
        for _ in range(depth - 1):
            rest += [_make_convolution(channels, channels), _make_norm(channels, norm_momentum, norm_eps), nn.GELU()]
        self.rest = nn.Sequential(*rest[:-1])
        self.act2 = nn.GELU()
        self.is_residual = depth > 2

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,H,W] -> [B,C',H/2,W/2]."""
        first = self.act1(self.norm1(self.pool(self.conv1(x))))
        rest = self.rest(first)
        return self.act2(rest + first if self.is_residual else rest)


class AirbenchNet(LinearNet):
    """Whitening, one `Group` for each width, a max-pool of what is left, and a linear layer without a bias.

    Args:
        widths: channels of each group; the record of 94 % has [64, 256, 256].
        depth: convolutions in each group, 2 or more; the record of 96 % has 3.
        head_scale: factor on the features before the linear layer, and so on its logits and gradients.
        norm_momentum, norm_eps: of the BatchNorms, as torch counts them.
        in_channels: image channels.
        num_classes: outputs.
    """

    last_layer = "head"
    filter_layers = ("whiten", "groups.0.conv1")
    init_images = 5000

    def __init__(
        self,
        *,
        widths: Sequence[int],
        depth: int = 2,
        head_scale: float = 1 / 9,
        norm_momentum: float = 0.4,
        norm_eps: float = 1e-12,
        in_channels: int,
        num_classes: int,
    ):
        super().__init__()
        if not widths or depth < 2:
            raise ValueError(f"expected one width or more and a depth of 2 or more, got {list(widths)} and {depth}")
        patch = in_channels * _KERNEL**2
        self.whiten = nn.Conv2d(in_channels, 2 * patch, _KERNEL)
        self.whiten.weight.requires_grad = False
        assert self.whiten.bias is not None
        nn.init.zeros_(self.whiten.bias)
        self.act = nn.GELU()
        ins = [2 * patch, *widths[:-1]]
        pairs = zip(ins, widths, strict=True)
        self.groups = nn.Sequential(*(Group(*pair, depth, norm_momentum, norm_eps) for pair in pairs))
        self.pool = nn.AdaptiveMaxPool2d(1)
        self.head = nn.Linear(widths[-1], num_classes, bias=False)
        self.head_scale, self.num_features = head_scale, widths[-1]
        self.smallest = 2 ** len(widths) + _KERNEL - 1
        self.feature_layers = tuple(f"groups.{number}" for number in range(len(widths)))

    @torch.no_grad()
    def init_from_images(self, images: Tensor) -> None:
        """Let the first convolution whiten 2x2 patches of `images` [N,C,H,W], normalized.

        Its filters are the eigenvectors of the patches' second moments, the largest first, each divided by the root of
        its eigenvalue and a little; then all of them once more with the opposite sign.
        """
        patches = nn.functional.unfold(images.double(), _KERNEL).transpose(1, 2).flatten(0, 1)
        moments, directions = torch.linalg.eigh(patches.T @ patches / len(patches))
        filters = (directions / (moments + _EPS).sqrt()).T.flip(0)
        both = torch.cat([filters, -filters]).view_as(self.whiten.weight)
        self.whiten.weight.copy_(both)

    def forward_features(self, images: Tensor) -> Tensor:
        """[B,C,H,W] -> the last group's maps [B,F,h,w].

        Raises:
            NetgazeError: the images are too small to leave a map.
        """
        if min(images.shape[-2:]) < self.smallest:
            raise NetgazeError(
                f"AirbenchNet of {len(self.groups)} groups needs images of {self.smallest} pixels a side or more, got "
                f"{images.shape[-2]}x{images.shape[-1]}. Set data.image_size or fewer model.widths."
            )
        return self.groups(self.act(self.whiten(images)))

    def forward_head(self, maps: Tensor, pre_logits: bool = False) -> Tensor:
        """[B,F,h,w] -> logits [B,K], or with `pre_logits` the pooled and scaled features [B,F]."""
        pooled = self.pool(maps).flatten(1) * self.head_scale
        return pooled if pre_logits else self.get_classifier()(pooled)


def _make_convolution(in_channels: int, channels: int) -> nn.Conv2d:
    """3x3 without a bias, torch's weights, in which the first filters hand the maps on as they come."""
    layer = nn.Conv2d(in_channels, channels, 3, padding="same", bias=False)
    with torch.no_grad():
        nn.init.dirac_(layer.weight[:in_channels])
    return layer


def _make_norm(channels: int, momentum: float, eps: float) -> nn.BatchNorm2d:
    """A BatchNorm whose scale stays 1."""
    norm = nn.BatchNorm2d(channels, eps=eps, momentum=momentum)
    norm.weight.requires_grad = False
    return norm
