"""What every network of the project answers to, in timm's words.

`forward_features(images) -> maps [B,F,h,w]`, `forward_head(maps, pre_logits=False) -> logits [B,K]` or features [B,F],
`num_features` (F), `reset_classifier(num_classes)`. Beyond timm: `head_layers`, the children that are no part of the
backbone; `filter_layers` and `feature_layers`, worth a look; `class_filters() -> [K,D]`, what is laid over the maps for
each class, and `class_maps(maps) -> [B,K,h,w]`, what it finds there. Constructors never load weights.
"""

import torch
from torch import Tensor, nn


class PooledNet(nn.Module):
    """A convolutional network that ends in a global average and one linear layer.

    A subclass defines `forward_features`, and the layers named by `classifier` (its last layer), `filter_layers`
    (two convolutions whose filters are worth a look) and `feature_layers` (stages, shallow to deep), all by their
    `named_modules` name.
    """

    classifier: str = "fc"
    filter_layers: tuple[str, ...]
    feature_layers: tuple[str, ...]
    num_features: int

    def forward_features(self, images: Tensor) -> Tensor:
        """[B,C,H,W] -> the last feature maps, [B,F,h,w]."""
        raise NotImplementedError

    def forward_head(self, maps: Tensor, pre_logits: bool = False) -> Tensor:
        """[B,F,h,w] -> logits [B,K], or with `pre_logits` the pooled features [B,F]."""
        pooled = maps.mean(dim=(2, 3))
        return pooled if pre_logits else self.get_classifier()(pooled)

    def forward(self, images: Tensor) -> Tensor:
        """[B,C,H,W] -> logits [B,K]."""
        return self.forward_head(self.forward_features(images))

    def class_filters(self) -> Tensor:
        """The last layer's weights, [K,F]."""
        return self.get_classifier().weight

    def class_maps(self, maps: Tensor) -> Tensor:
        """[B,F,h,w] -> class activation maps [B,K,h,w]: M_c(x,y) = sum_k w_k^c f_k(x,y) (Zhou et al. 2016).

        The bias is left out, as there; a map's mean and the bias are the logit.
        """
        return torch.einsum("bfhw,kf->bkhw", maps, self.class_filters())

    @property
    def head_layers(self) -> tuple[str, ...]:
        """The last layer alone."""
        return (self.classifier,)

    def get_classifier(self) -> nn.Linear:
        """The last linear layer, weight [K,F]."""
        return getattr(self, self.classifier)

    def reset_classifier(self, num_classes: int) -> None:
        """Put a fresh last layer for `num_classes` classes in place of the old one."""
        old = self.get_classifier().weight
        setattr(self, self.classifier, nn.Linear(self.num_features, num_classes, device=old.device, dtype=old.dtype))


def init_convolutions(model: nn.Module) -> None:
    """He initialisation of every convolution (He et al. 2015, fan-out); norms and linear layers keep torch's."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
