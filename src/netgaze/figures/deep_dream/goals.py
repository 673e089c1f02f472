"""What a dream raises: the activation of a layer, of one of its channels, or the logit of a class."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor

from netgaze.errors import NetgazeError
from netgaze.inside import image_search
from netgaze.inside.layers import reach


@dataclass(frozen=True)
class Goal:
    """What is raised: what gives its activation, what of it is maximized, and the number that is reported of it."""

    name: str
    run: image_search.Transform
    maximized: Callable[[Tensor], Tensor]
    measured: Callable[[Tensor], Tensor]


def choose_goals(task: Any, layers: Sequence[str] | None, channel: int | None, class_name: str | None) -> list[Goal]:
    """The goals that the arguments of `DeepDream` name.

    Raises:
        NetgazeError: no such layer or class, or the network names no layers of its own.
    """
    if class_name is not None:
        logit = partial(image_search.channel_mean, _find_class(task, class_name))
        return [Goal(f"class {class_name}", task, logit, logit)]
    names = list(getattr(task.model, "feature_layers", ()))[-3:] if layers is None else list(layers)
    if not names:
        raise NetgazeError("This network names no stages. Choose layers, as in figure.deep_dream.layers=[conv1].")
    runs = {layer: reach(task.model, layer) for layer in names}
    if channel is None:
        return [Goal(layer, run, image_search.halve_squared_norm, _mean_square) for layer, run in runs.items()]
    mean = partial(image_search.channel_mean, channel)
    return [Goal(f"{layer} channel {channel}", run, mean, mean) for layer, run in runs.items()]


def _find_class(task: Any, name: str) -> int:
    """The place of a class among those that a task predicts."""
    if not task.classifies:
        raise NetgazeError(f"figure.deep_dream.class_name={name}: this network has no classes. Choose layers instead.")
    names = list(task.class_names)
    if name not in names:
        near = ", ".join(difflib.get_close_matches(name, names, n=3, cutoff=0.0))
        raise NetgazeError(f"figure.deep_dream.class_name={name} is no class of this network. Nearest names: {near}.")
    return names.index(name)


def _mean_square(activation: Tensor) -> Tensor:
    return activation.square().mean()
