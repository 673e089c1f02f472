"""Outputs of layers: the pass through a network stops after the last layer that is needed.

Layers are named as in `named_modules`.
"""

import difflib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from netgaze.errors import NetgazeError

Transform = Callable[[Tensor], Tensor]

_MOST_NAMES = 20


class _Reached(Exception):
    """Ends a forward pass."""


def reach(model: nn.Module, layer: str) -> Transform:
    """What gives the first output of a layer on normalized images; the pass ends there.

    Raises:
        NetgazeError: as `all_reached`.
    """
    run = reach_all(model, [layer])
    return lambda images: run(images)[layer]


def reach_all(model: nn.Module, layers: Sequence[str]) -> Callable[[Tensor], dict[str, Tensor]]:
    """What gives the first outputs of several layers by name, in their order here, in a pass that ends at the last.

    Raises:
        NetgazeError: there is no such layer; or, once it is asked, a layer gives no tensor or is passed by.
    """
    modules = {name: module for name, module in model.named_modules() if name}
    for layer in layers:
        if layer not in modules:
            raise NetgazeError(f"The network has no layer {layer}. {_known(model, modules, layer)}")

    def run(images: Tensor) -> dict[str, Tensor]:
        outputs = _first_outputs(model, {layer: modules[layer] for layer in layers}, images)
        for layer in layers:
            if not isinstance(outputs.get(layer), Tensor):
                raise NetgazeError(f"The network's layer {layer} gives no tensor. Choose another layer.")
        return {layer: outputs[layer] for layer in layers}

    return run


def _first_outputs(model: nn.Module, modules: dict[str, nn.Module], images: Tensor) -> dict[str, Any]:
    """What modules give when they are first run, by name; the pass ends when all have."""
    outputs = dict[str, Any]()

    def keep(name: str, module: nn.Module, inputs: object, output: object) -> None:
        outputs.setdefault(name, output)
        if len(outputs) == len(modules):
            raise _Reached

    handles = [module.register_forward_hook(partial(keep, name)) for name, module in modules.items()]
    try:
        model(images)
    except _Reached:
        pass
    finally:
        for handle in handles:
            handle.remove()
    return outputs


def _known(model: nn.Module, modules: dict[str, nn.Module], layer: str) -> str:
    """The nearest names, and the names of stages and of layers without parts."""
    near = difflib.get_close_matches(layer, modules, n=3, cutoff=0.0)
    stages = list(getattr(model, "feature_layers", ()))
    names = stages + [name for name, part in modules.items() if name not in stages and not list(part.children())]
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return f"Nearest names: {', '.join(near)}. It has {', '.join(names[:_MOST_NAMES])}{more}."


def flatten_channels(activation: Tensor) -> Tensor:
    """A layer's output as [B,C,P], its places in one row: of maps [B,C,h,w], tokens [B,P,C] or features [B,C]."""
    return activation.transpose(1, 2) if activation.ndim == 3 else activation.reshape(*activation.shape[:2], -1)
