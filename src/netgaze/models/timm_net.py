"""Any network of timm (pip install netgaze[timm]) that outputs maps, with the interface of this project."""

import difflib
import importlib
import inspect
import math
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from netgaze.errors import NetgazeError
from netgaze.models.base import LinearNet


class TimmNet(LinearNet):
    """Timm's network without its classifier in `network`, and in `fc` one linear layer in its place.

    Vision transformers give maps too: the patches on their grid. Their classifier then reads the mean of the patches
    (timm's global_pool="avg") and not the class token, of which no map could be made.

    Deviations from timm: activations are never in place, so that hooks see what they are shown; the last layer is
    drawn as torch draws it. Weights are timm's initial ones, never pretrained, and their names begin with `network.`.

    Args:
        name: as timm lists it, resnet18 or vit_tiny_patch16_224; what follows a dot there names weights.
        image_size: side of the images in pixels; read by networks that are built for one size, as transformers are.
        in_channels: image channels.
        num_classes: outputs.
        kwargs: what else timm's network is built with, by timm's names: {"patch_size": 4, "depth": 6}; of images of 32
            pixels a transformer with patches of 16 sees four.

    Attributes:
        form: of what timm gives as features: maps, channels_last or tokens.

    Raises:
        NetgazeError: timm is not installed, knows no such network, or one that gives no maps at this size; or `kwargs`
            has what is chosen elsewhere, or what the network refuses.
    """

    last_layer = "fc"

    def __init__(
        self,
        *,
        name: str,
        image_size: int,
        in_channels: int,
        num_classes: int,
        kwargs: Mapping[str, Any] | None = None,
    ):
        super().__init__()
        self.network = _created(name, image_size, in_channels, kwargs or {})
        self.form = _form(self.network, name, torch.zeros(1, in_channels, image_size, image_size))
        for module in self.network.modules():
            if getattr(module, "inplace", False):
                module.inplace = False
        self.num_features = self.network.num_features
        self.fc = nn.Linear(self.network.head_hidden_size, num_classes)
        layers = dict(self.network.named_modules())
        convolutions = [f"network.{key}" for key, layer in layers.items() if isinstance(layer, nn.Conv2d)]
        stages = [stage["module"] for stage in getattr(self.network, "feature_info", [])]
        self.filter_layers = tuple(convolutions[:2])
        self.feature_layers = tuple(f"network.{key}" for key in stages if key in layers)

    def forward_features(self, images: Tensor) -> Tensor:
        """[B,C,H,W] -> the last feature maps, [B,F,h,w]."""
        found = self.network.forward_features(images)
        if self.form == "tokens":
            patches = found[:, _num_prefix(self.network) :]
            side = math.isqrt(patches.shape[1])
            return patches.transpose(1, 2).unflatten(2, (side, side))
        return found.permute(0, 3, 1, 2) if self.form == "channels_last" else found

    def forward_head(self, maps: Tensor, pre_logits: bool = False) -> Tensor:
        """[B,F,h,w] -> logits [B,K], or with `pre_logits` the features before the last layer [B,D]."""
        if self.form == "tokens":
            patches = maps.flatten(2).transpose(1, 2)
            unread = patches.new_zeros(maps.shape[0], _num_prefix(self.network), self.num_features)
            maps = torch.cat([unread, patches], dim=1)
        elif self.form == "channels_last":
            maps = maps.permute(0, 2, 3, 1)
        features = self.network.forward_head(maps, pre_logits=True)
        return features if pre_logits else self.fc(features)


def _created(name: str, image_size: int, in_channels: int, kwargs: Mapping[str, Any]) -> Any:
    """Timm's network without its classifier."""
    try:
        timm = importlib.import_module("timm")
    except ImportError as error:
        raise NetgazeError("model=timm needs timm: pip install netgaze[timm].") from error
    known = timm.list_models()
    if name.partition(".")[0] not in known:
        near = ", ".join(difflib.get_close_matches(name, known, n=3, cutoff=0.0))
        raise NetgazeError(f"model.name={name}: timm has no such network. Nearest names: {near}.")
    settings = timm.get_pretrained_cfg(name)
    chosen = {"num_classes": 0, "in_chans": in_channels}
    chosen |= {"img_size": image_size} if settings is not None and settings.fixed_input_size else {}
    _check_kwargs(kwargs, {"img_size", "global_pool", *chosen, *inspect.signature(timm.create_model).parameters})
    try:
        network = timm.create_model(name, pretrained=False, **chosen, **kwargs)
        if _num_prefix(network):
            network.reset_classifier(0, global_pool="avg")
    except Exception as error:  # timm's networks refuse sizes and channels each in its own way
        raise _refused(name, image_size, str(error) or type(error).__name__) from error
    return network


def _check_kwargs(kwargs: Mapping[str, Any], chosen: Collection[str]) -> None:
    """Say that `kwargs` has a name that is chosen elsewhere: the network's two ends, and whether it loads a file."""
    if taken := sorted(set(chosen) & kwargs.keys()):
        raise NetgazeError(
            f"model.kwargs: {taken[0]} cannot be chosen here. Images and classes come from the data and the task, "
            "weights from init=."
        )


def _form(network: Any, name: str, image: Tensor) -> str:
    """What timm's forward_features gives for an image [1,C,H,W]: maps, channels_last (maps so), or tokens on a grid."""
    try:
        with torch.no_grad():
            found = network.eval().forward_features(image)
    except Exception as error:
        raise _refused(name, image.shape[-1], str(error) or type(error).__name__) from error
    network.train()
    if isinstance(found, Tensor) and found.ndim == 4:
        return "channels_last" if getattr(network, "output_fmt", "NCHW") == "NHWC" else "maps"
    if isinstance(found, Tensor) and found.ndim == 3:
        patches = found.shape[1] - _num_prefix(network)
        # A head that reads the class token sees nothing of the maps.
        if math.isqrt(patches) ** 2 == patches and (not _num_prefix(network) or network.global_pool == "avg"):
            return "tokens"
    raise _refused(name, image.shape[-1], "its last features are no maps that its classifier reads")


def _num_prefix(network: Any) -> int:
    """How many tokens (class, distillation, registers) stand before the patches."""
    return getattr(network, "num_prefix_tokens", 0)


def _refused(name: str, image_size: int, why: str) -> NetgazeError:
    return NetgazeError(
        f"model.name={name} cannot be used with images of {image_size} pixels: {why.splitlines()[0].rstrip('.')}. "
        "Choose another network, data.image_size or model.kwargs."
    )
