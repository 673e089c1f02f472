"""Weights from a file into a network: by name, in one place, with a report of what was loaded, skipped and new."""

import pickle
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from netgaze.download import fetch
from netgaze.errors import NetgazeError

IMAGENET_URL = "https://download.pytorch.org/models"

# Where checkpoints of others keep their weights, and what they write before each name.
_NESTS = ("state_dict", "model_state_dict", "model", "net", "weights")
_PREFIXES = ("module.", "model.", "_orig_mod.")

_TELLING = (RuntimeError, OSError, SafetensorError)  # whose words help a person


@dataclass(frozen=True)
class Loaded:
    """What `load_weights` did, by parameter and buffer name."""

    source: str
    loaded: list[str]
    skipped: dict[str, str]
    new: list[str]

    def __str__(self) -> str:
        lines = [
            f"init={self.source}: {len(self.loaded)} tensors loaded, {len(self.skipped)} skipped, {len(self.new)} new"
        ]
        lines += [f"  loaded   {layer}" for layer in _by_layer(dict.fromkeys(self.loaded, ""))]
        lines += [f"  skipped  {layer}" for layer in _by_layer(self.skipped)]
        lines += [f"  new      {layer}" for layer in _by_layer(dict.fromkeys(self.new, ""))]
        return "\n".join(lines)


def _by_layer(tensors: Mapping[str, str]) -> list[str]:
    """Tensors of one outermost layer with one remark on one line: "layer2 (15 tensors): this network has none"."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name, remark in tensors.items():
        groups.setdefault((name.partition(".")[0], remark), []).append(name)
    return [
        (names[0] if len(names) == 1 else f"{layer} ({len(names)} tensors)") + (f": {remark}" if remark else "")
        for (layer, remark), names in groups.items()
    ]


def read_checkpoint(path: Path | str) -> dict[str, Any]:
    """Open a checkpoint so that it cannot run code (`weights_only=True`, or `.safetensors`), on the CPU.

    Raises:
        NetgazeError: it is missing, damaged, or holds more than tensors and plain values.
    """
    try:
        if Path(path).suffix.lower() == ".safetensors":
            return dict(load_file(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise NetgazeError(f"There is no checkpoint at {path}.") from error
    except pickle.UnpicklingError as error:
        raise NetgazeError(
            f"{path} is damaged or holds more than tensors and plain values, and is not opened: it could run code."
        ) from error
    except Exception as error:  # readers of broken files raise nearly everything
        said = next(iter(str(error).splitlines()), "") if isinstance(error, _TELLING) else ""
        raise NetgazeError(
            f"{path} is not a whole checkpoint ({said or type(error).__name__}). Get it anew."
        ) from error
    if not isinstance(content, dict):
        raise NetgazeError(f"{path} holds a {type(content).__name__}, not weights by name.")
    return content


def find_weights(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights by name in a checkpoint of ours or of others."""
    for nest in _NESTS:
        if isinstance(content.get(nest), Mapping):
            return find_weights(content[nest])
    return {name: value for name, value in content.items() if isinstance(value, Tensor)}


def _located(model: nn.Module, source: str) -> Path:
    """The file behind an `init`."""
    if source == "imagenet":
        return _imagenet_file(model)
    path = Path(source)
    if path.is_dir():
        path = path / "checkpoints" / "best.ckpt"
    if not path.exists():
        raise NetgazeError(
            f"init={source}: there is no such file of weights, nor a run with {Path(source)}/checkpoints/best.ckpt."
        )
    return path


def _imagenet_file(model: nn.Module) -> Path:
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


def restore(task: nn.Module, content: Mapping[str, Any], path: Path | str) -> None:
    """Put a checkpoint's weights into the task that its config describes: all of them, or none.

    Args:
        task: changed in place.
        content: of the checkpoint.
        path: where it came from, for a person to read.

    Raises:
        NetgazeError: the weights are of another network, for instance one with another number of classes.
    """
    own, found = task.state_dict(), content["state_dict"]
    missing = [name for name in own if name not in found]
    extra = [name for name in found if name not in own]
    shapes = [
        f"{name} is {list(found[name].shape)}, expected {list(own[name].shape)}"
        for name in own
        if name in found and found[name].shape != own[name].shape
    ]
    wrong = [f"{name} is missing" for name in missing] + [f"{name} is not known" for name in extra] + shapes
    if wrong:
        rest = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise NetgazeError(
            f"{path} holds the weights of another network: {(shapes or wrong)[0]}{rest}. "
            "Its number of classes, image size or model differs from the config's."
        )
    task.load_state_dict(found)


def load_weights(model: nn.Module, source: str) -> Loaded:
    """Copy weights into `model`, matched by name and shape.

    Where no name fits exactly, wrappers' prefixes (`module.`) are taken off, and then upper and lower case count as the
    same, if that leaves one tensor for one name.

    Args:
        model: changed in place.
        source: a run's folder (its best checkpoint), a file of weights (`.ckpt`, `.pt`, `.pth`, `.th`, `.safetensors`),
            or "imagenet": torchvision's file for this network, downloaded once to where torchvision keeps it.

    Raises:
        NetgazeError: nothing is there, or not one name fits.
    """
    found = find_weights(read_checkpoint(_located(model, source)))
    own = model.state_dict()
    ours = _our_names(list(found), list(own))
    loaded, skipped = dict[str, Tensor](), dict[str, str]()
    for theirs, value in found.items():
        name = ours.get(theirs)
        if name is None:
            skipped[theirs] = "this network has no such tensor"
        elif own[name].shape != value.shape:
            skipped[theirs] = f"shape {list(value.shape)}, here {list(own[name].shape)}"
        else:
            loaded[name] = value
    if not loaded:
        raise NetgazeError(f"init={source}: none of its {len(found)} tensors fits this network by name and shape.")
    model.load_state_dict(loaded, strict=False)
    # Counters of batches are no knowledge: older files lack them.
    new = [name for name in own if name not in loaded and not name.endswith("num_batches_tracked")]
    return Loaded(str(source), list(loaded), skipped, new)


def _our_names(found: list[str], own: list[str]) -> dict[str, str]:
    """A network's own names by a file's: equal ones, else without prefixes, else whatever the case; none twice."""
    ours: dict[str, str] = {}
    for alike in (str, _bare, lambda name: _bare(name).lower()):
        theirs = _single({name: alike(name) for name in found if name not in ours})
        mine = _single({name: alike(name) for name in own if name not in ours.values()})
        ours |= {theirs[key]: mine[key] for key in theirs.keys() & mine.keys()}
    return {name: ours[name] for name in found if name in ours}


def _single(keys: Mapping[str, str]) -> dict[str, str]:
    """Names by their keys, as far as no other name has the same key."""
    counts = Counter(keys.values())
    return {key: name for name, key in keys.items() if counts[key] == 1}


def _bare(name: str) -> str:
    """A name without what wrappers write before it."""
    prefix = next((prefix for prefix in _PREFIXES if name.startswith(prefix)), None)
    return name if prefix is None else _bare(name.removeprefix(prefix))
