"""The source that `init` names: a run, a file (and a set in it), or torchvision's ImageNet weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from netgaze.download import fetch
from netgaze.errors import NetgazeError
from netgaze.places import find_weights

IMAGENET_URL = "https://download.pytorch.org/models"


class Init(NamedTuple):
    """Where a network's first weights come from.

    Attributes:
        file: a run's folder, a file, "imagenet", or in a run of stages the name of an earlier one.
        key: which of the weights in it; None for those that fit best.
    """

    file: str
    key: str | None = None


def parse_init(value: Any) -> Init | None:
    """The config's `init`: null, a text, or a mapping with `file`, and `key` where it is wanted.

    Raises:
        NetgazeError: it is something else.
    """
    if value is None:
        return None
    if not isinstance(value, Mapping):
        return Init(str(value))
    if set(value) - {"file", "key"} or value.get("file") is None:
        raise NetgazeError(
            f"init has the keys {', '.join(map(str, value)) or 'of nothing'}: expected file, and key where the file "
            "holds several sets of weights, as in init=weights.pth init.key=teacher."
        )
    key = value.get("key")
    return Init(str(value["file"]), None if key is None else str(key))


def locate(model: nn.Module, source: str) -> Path:
    """The file behind an `init`.

    Raises:
        NetgazeError: there is none.
    """
    return _fetch_imagenet(model) if source == "imagenet" else find_weights(source)


def _fetch_imagenet(model: nn.Module) -> Path:
    """Torchvision's ImageNet weights for a network; their file's name ends in the beginning of its sha256."""
    name: Any = getattr(model, "imagenet_file", None)
    if name is None:
        raise NetgazeError(
            "init=imagenet: torchvision publishes no ImageNet weights for this network. It has some for its own depths "
            "and widths and for images of three channels; otherwise give a file or a run."
        )
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    sha256 = path.stem.rpartition("-")[2]
    return fetch([f"{IMAGENET_URL}/{name}"], path, sha256=sha256, advice=f"Or give the file: init=<folder>/{name}.")
