"""The base of VGG and AlexNet: a stack of convolutions, a pool to a fixed size, three linear layers."""

from torch import Tensor, nn

from netgaze.errors import NetgazeError
from netgaze.models.base import LinearNet


class FullyConnectedNet(LinearNet):
    """Convolutions in `features`, then `avgpool`, then linear layers in `classifier`, in torchvision's names.

    A subclass sets these three, `num_features`, `filter_layers`, `feature_layers`, and `imagenet_file`.
    Deviation from torchvision: ReLUs are never in place, so that hooks see what they are shown.

    Attributes:
        smallest: side in pixels of the smallest images that leave a map to look at.
        imagenet_file: torchvision's weights for these convolutions, or None where it has none.
    """

    last_layer = "classifier.6"
    features: nn.Sequential
    avgpool: nn.Module
    classifier: nn.Sequential
    smallest: int
    imagenet_file: str | None

    def forward_features(self, images: Tensor) -> Tensor:
        """[B,C,H,W] -> the last pool's maps [B,F,h,w].

        Raises:
            NetgazeError: the images are too small for the pools.
        """
        height, width = images.shape[-2:]
        if min(height, width) < self.smallest:
            raise NetgazeError(
                f"{type(self).__name__} needs images of at least {self.smallest}x{self.smallest} pixels, "
                f"got {height}x{width}. Choose larger images (data.image_size, or input= without a run) or "
                "another model."
            )
        return self.features(images)

    def forward_head(self, maps: Tensor, pre_logits: bool = False) -> Tensor:
        """[B,F,h,w] -> logits [B,K], or with `pre_logits` the features before the last linear layer [B,D]."""
        features = self.classifier[:-1](self.avgpool(maps).flatten(1))
        return features if pre_logits else self.classifier[-1](features)
