"""Any PyTorch classifier, unchanged, with the interface of this project."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from netgaze.errors import NetgazeError
from netgaze.models import discover
from netgaze.models.base import LinearNet
from netgaze.models.discover import Layout
from netgaze.models.gradcam import compute_gradient_maps

_NUM_IMAGES = 2  # that a network is run with: some squeeze a batch of one away


class OwnNet(LinearNet):
    """A network as `network`, unchanged; its names begin with that.

    It is run once, in evaluation mode, to find what the contract asks for: the linear layer that gives the logits, the
    last maps that the head reads, stages and filters worth a look. Whatever was found wrong can be typed. Layers that
    work in place no longer do, so that hooks see what they are shown; the answers are the same.

    Where the features are the maps' means, class maps are those of Zhou et al. (2016), exactly; otherwise they are
    weighted by gradients, see `gradcam`. A network without maps, as one of linear layers alone, has maps of one place.

    The head alone is known only where features are the maps' means: elsewhere `forward_head` takes the maps of the
    latest `forward_features`, and no others.

    Args:
        network: reads images [B,C,H,W] and gives logits [B,K], or what holds these, see `discover.choose_logits`. A
            softmax at its end is left out: a task asks for logits.
        input_shape: (C, H, W) of the images.
        num_classes: outputs; where the network has others, its last layer gives way to a fresh one. None to keep it.
        output: which of several tensors that the network gives holds the logits.
        last_layer, map_layer, feature_layers, filter_layers: layers by their `named_modules` names, as in `LinearNet`
            (`map_layer` gives the last maps); None to find them.

    Attributes:
        remarks: what was found, in sentences.
        takes_channels_last: whether it can be run with channels last in memory, which is faster: a `view` in it fails.

    Raises:
        NetgazeError: the network cannot read such images, or is no classifier that ends in a linear layer.
    """

    def __init__(
        self,
        network: nn.Module,
        input_shape: Sequence[int],
        *,
        num_classes: int | None = None,
        output: str | int | None = None,
        last_layer: str | None = None,
        map_layer: str | None = None,
        feature_layers: Sequence[str] | None = None,
        filter_layers: Sequence[str] | None = None,
    ):
        super().__init__()
        self.network, self.output = network, output
        self._latest: tuple[Tensor, Tensor] | None = None
        self.takes_channels_last = True
        for module in network.modules():
            if getattr(module, "inplace", False):
                module.inplace = False  # type: ignore[assignment]
        with _looking_at(network):
            images = _draw_images(network, input_shape)
            self._discover(images, last_layer, map_layer)
            self.takes_channels_last = _takes_channels_last(network, images)
            self._check_named([*(feature_layers or ()), *(filter_layers or ())])
        if feature_layers is not None:
            self.feature_layers = _prefix(feature_layers)
        if filter_layers is not None:
            self.filter_layers = _prefix(filter_layers)
        self.remarks = [self._describe()]
        num_outputs = self.get_classifier().out_features
        if num_classes not in (None, num_outputs):
            assert num_classes is not None
            self.reset_classifier(num_classes)
            self.remarks.append(f"Its last layer has {num_outputs} outputs: a fresh one of {num_classes} stands there.")

    def _discover(self, images: Tensor, last_layer: str | None, map_layer: str | None) -> None:
        result, rows = _run_once(self.network, images)
        logits = discover.choose_logits(result, self.output)
        last, self._ends_in_softmax = discover.find_last_layer(rows, logits, last_layer)
        self.last_layer = f"network.{last.name}"
        self._map_layer: str | None = None
        self._map_call, self._layout, self._is_overwritten = 1, Layout("maps"), False
        maps = discover.list_maps(rows, last)

        def run(row: discover.Row, layout: Layout, other: Tensor) -> Tensor:
            self._map_layer, self._map_call, self._layout = f"network.{row.name}", row.call, layout
            return self._run(images, other)[1]

        found = discover.find_read(maps, map_layer, run)
        self._map_layer = None
        self.filter_layers = _prefix(discover.find_filters(rows))
        self.feature_layers, features = (), last.input
        if found is not None:
            row, self._layout = found
            self._map_layer, self._map_call = f"network.{row.name}", row.call
            self.feature_layers = _prefix(discover.find_stages(maps, row, self._layout))
            found_maps, self._is_overwritten = self._layout.to_maps(row.output), row.is_overwritten
        else:
            found_maps = features[:, :, None, None]
        self.num_features = found_maps.shape[1]
        means = found_maps.mean(dim=(2, 3))
        self._is_pooled = means.shape == features.shape and not means.is_meta and torch.allclose(means, features, 1e-4)

    def _check_named(self, layers: Sequence[str]) -> None:
        known = dict(self.network.named_modules())
        for layer in layers:
            if layer not in known:
                raise NetgazeError(f"model: the network has no layer {layer}. It has {', '.join(filter(None, known))}.")

    def _describe(self) -> str:
        kind = type(self.network).__name__
        softmax = ", without the softmax behind it" if self._ends_in_softmax else ""
        if self._map_layer is None:
            return f"{kind}: logits of {self.last_layer}{softmax}. It keeps no maps: class maps have one place."
        how = "exact" if self._is_pooled else "by gradients"
        return f"{kind}: logits of {self.last_layer}{softmax}, maps of {self._map_layer}; class maps {how}."

    @property
    def head_layers(self) -> tuple[str, ...]:
        """The largest module around the last layer that the last maps do not come from."""
        if self._map_layer is None:
            return (self.last_layer,)
        parts = self.last_layer.split(".")
        around = [".".join(parts[:length]) for length in range(2, len(parts) + 1)]
        return (next(name for name in around if not f"{self._map_layer}.".startswith(f"{name}.")),)

    def forward(self, images: Tensor) -> Tensor:
        """[B,C,H,W] -> logits [B,K]."""
        if self._ends_in_softmax:
            return self.get_classifier()(self._run(images)[1])
        return discover.choose_logits(self._ask(images), self.output)

    def _ask(self, images: Tensor) -> Any:
        """What the network gives for images, which lie in memory as it can take them."""
        return self.network(images if self.takes_channels_last else images.contiguous())

    def forward_features(self, images: Tensor) -> Tensor:
        """[B,C,H,W] -> the last maps [B,F,h,w], float32."""
        maps, features = self._run(images)
        maps = features[:, :, None, None] if maps is None else maps
        self._latest = maps.float(), features
        return self._latest[0]

    def forward_head(self, maps: Tensor, pre_logits: bool = False) -> Tensor:
        """[B,F,h,w] -> logits [B,K], or with `pre_logits` the features before the last layer [B,D].

        Raises:
            RuntimeError: the maps are not those of the latest `forward_features`, and their means are no features.
        """
        if self._latest is not None and maps is self._latest[0]:
            features = self._latest[1].to(self.get_classifier().weight.dtype)
        elif self._is_pooled:
            features = maps.mean(dim=(2, 3))
        else:
            raise RuntimeError("this network's head is known for the maps of the latest forward_features alone")
        return features if pre_logits else self.get_classifier()(features)

    def class_maps(self, images: Tensor) -> Tensor:
        """[B,C,H,W] -> [B,K,h,w], as in `PooledNet` where the features are the maps' means, else as in `LinearNet`."""
        maps = self.forward_features(images)
        if self._is_pooled:
            return torch.einsum("bfhw,kf->bkhw", maps, self.class_filters())
        return compute_gradient_maps(lambda other: self.get_classifier()(self._run(images.clone(), other)[1]), maps)

    def _run(self, images: Tensor, other: Tensor | None = None) -> tuple[Tensor | None, Tensor]:
        """The last maps [B,F,h,w], None where there are none, and the features [B,D]; by choice of `other` maps."""
        seen: dict[str, Tensor] = {}
        calls = itertools.count(1)

        def note_maps(module: nn.Module, args: Any, output: Tensor) -> Tensor | None:
            if next(calls) != self._map_call:  # one layer may run in several places
                return None
            seen["maps"] = self._layout.to_maps(output.clone() if self._is_overwritten else output)
            return None if other is None else self._layout.put_back(other, output)

        def note_features(module: nn.Module, args: tuple[Tensor, ...]) -> None:
            seen["features"] = args[0]

        hooks = [self.get_classifier().register_forward_pre_hook(note_features)]
        if self._map_layer is not None:
            hooks.append(self.get_submodule(self._map_layer).register_forward_hook(note_maps))
        try:
            self._ask(images)
        finally:
            for hook in hooks:
                hook.remove()
        return seen.get("maps"), seen["features"]

    def __getstate__(self) -> dict[str, Any]:
        """Without what the latest pass left, which cannot be copied and need not be."""
        return self.__dict__ | {"_latest": None}


@contextmanager
def _looking_at(network: nn.Module) -> Iterator[None]:
    """Evaluation mode and gradients for a while; modes and the RNG come back."""
    modes = {module: module.training for module in network.modules()}
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        try:
            network.eval()
            yield
        finally:
            for module, mode in modes.items():
                module.training = mode


def _draw_images(network: nn.Module, input_shape: Sequence[int]) -> Tensor:
    """Images of noise [2,C,H,W], the same each time, where the network lies."""
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    if device.type == "meta":  # numbers are not needed, and there are none
        return torch.zeros(_NUM_IMAGES, *input_shape, device=device)
    return torch.randn(_NUM_IMAGES, *input_shape, generator=torch.Generator().manual_seed(0)).to(device)


def _run_once(network: nn.Module, images: Tensor) -> tuple[Any, list[discover.Row]]:
    try:
        with torch.no_grad():
            return discover.trace_rows(network, images)
    except Exception as error:  # whatever a network of a person's own raises
        if images.is_meta:  # it needs numbers: who builds it tries again with them
            raise
        said = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        shape = "x".join(map(str, images.shape[1:]))
        raise NetgazeError(
            f"{type(network).__name__} cannot read images of {shape} (channels, height, width): {said}."
        ) from error


@torch.no_grad()
def _takes_channels_last(network: nn.Module, images: Tensor) -> bool:
    """Whether a network runs where its weights and images have their channels last in memory."""
    try:
        network.to(memory_format=torch.channels_last)
        network(images.contiguous(memory_format=torch.channels_last))
        return True
    except RuntimeError:
        return False
    finally:
        network.to(memory_format=torch.contiguous_format)


def _prefix(layers: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"network.{layer}" for layer in layers)
