"""What every network provides: names as in timm.

`forward_features(images) -> maps [B,F,h,w]`, `forward_head(maps, pre_logits=False) -> logits [B,K]` or features [B,D],
`num_features` (F, channels of the maps), `head_hidden_size` (D, features before the last layer; F where the head is a
global average), `reset_classifier(num_classes)`. Beyond timm: `head_layers`, the modules that are no part of the
backbone; `filter_layers` and `feature_layers`, worth a look; `class_filters() -> [K,D]`, what is laid over the features
for each class, and `class_maps(images) -> [B,K,h,w]`, where it finds something, in `map_unit`. Constructors never load
weights. A network that starts from what images are like has `init_images`, how many it asks for, and
`init_from_images(images [N,C,H,W])`, which is called with so many normalized training images before it learns anything.
"""

import torch
from torch import Tensor, nn

from netgaze.models.gradcam import compute_gradient_maps


class LinearNet(nn.Module):
    """A network whose last layer is linear, whatever lies between it and the maps.

    A subclass defines `forward_features`, `forward_head` and the attributes below; all else follows from these. Each
    ReLU is a module of its own, neither shared nor in place, so that figures can hook it.

    Attributes:
        last_layer: the `nn.Linear` that gives the logits, by its `named_modules` name, as the next two.
        filter_layers: the convolutions whose filters the figure `filters` draws, one or more; the first of them should
            read the image, as figures of layers begin with it.
        feature_layers: the stages whose outputs are maps worth a look, shallow to deep; finetuning slows its learning
            rate from one to the stage before (`task.layer_decay`).
        num_features: F, channels of the maps that `forward_features` gives.
        map_unit: of `class_maps`, in a word: the logit of a linear head is a map's mean, and a bias.
    """

    last_layer: str
    filter_layers: tuple[str, ...]
    feature_layers: tuple[str, ...]
    num_features: int
    map_unit = "logits"

    def forward_features(self, images: Tensor) -> Tensor:
        """[B,C,H,W] -> the last feature maps, [B,F,h,w]."""
        raise NotImplementedError

    def forward_head(self, maps: Tensor, pre_logits: bool = False) -> Tensor:
        """[B,F,h,w] -> logits [B,K], or with `pre_logits` the features before the last layer [B,D]."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """[B,C,H,W] -> logits [B,K]."""
        return self.forward_head(self.forward_features(images))

    def class_filters(self) -> Tensor:
        """The last layer's weights, [K,D]."""
        return self.get_classifier().weight

    def class_maps(self, images: Tensor) -> Tensor:
        """[B,C,H,W] -> [B,K,h,w], maps weighted by the logits' gradients: Grad-CAM in CAM's unit, see `gradcam`."""
        return compute_gradient_maps(self.forward_head, self.forward_features(images))

    @property
    def head_layers(self) -> tuple[str, ...]:
        """The modules that are no part of the backbone, by name: the child that the last layer is or lies in."""
        return (self.last_layer.partition(".")[0],)

    @property
    def head_hidden_size(self) -> int:
        """D, the number of features before the last layer."""
        return self.get_classifier().in_features

    def get_classifier(self) -> nn.Linear:
        """The last linear layer, weight [K,D]."""
        layer = self.get_submodule(self.last_layer)
        assert isinstance(layer, nn.Linear)
        return layer

    def reset_classifier(self, num_classes: int) -> None:
        """Put a fresh last layer for `num_classes` classes in place of the old one."""
        old = self.get_classifier()
        fresh = nn.Linear(old.in_features, num_classes, device=old.weight.device, dtype=old.weight.dtype)
        self.set_submodule(self.last_layer, fresh)


class PooledNet(LinearNet):
    """A convolutional network that ends in a global average and one linear layer: its features are F, as its maps.

    A subclass defines `forward_features`, sets `self.fc = nn.Linear(num_features, num_classes)` and the attributes
    `filter_layers`, `feature_layers` and `num_features` of `LinearNet`; `last_layer` is `fc` already.
    """

    last_layer = "fc"

    def forward_head(self, maps: Tensor, pre_logits: bool = False) -> Tensor:
        """[B,F,h,w] -> logits [B,K], or with `pre_logits` the pooled features [B,F]."""
        pooled = maps.mean(dim=(2, 3))
        return pooled if pre_logits else self.get_classifier()(pooled)

    def class_maps(self, images: Tensor) -> Tensor:
        """[B,C,H,W] -> class activation maps [B,K,h,w]: M_c(x,y) = sum_k w_k^c f_k(x,y) (Zhou et al. 2016).

        The bias is left out, as there; a map's mean and the bias are the logit.
        """
        return torch.einsum("bfhw,kf->bkhw", self.forward_features(images), self.class_filters())


def init_convolutions(model: nn.Module) -> None:
    """He initialization of every convolution (He et al. 2015, fan-out); norms and linear layers keep torch's."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
