"""Weights from a file into a network: by name, in one place, with a report of what was loaded, skipped and new."""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from netgaze.errors import NetgazeError

# Where checkpoints of others keep their weights, and what they write before each name.
_NESTS = ("state_dict", "model_state_dict", "model", "net")
_PREFIXES = ("module.", "model.", "_orig_mod.")


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
        lines += [f"  skipped  {name}: {why}" for name, why in self.skipped.items()]
        lines += [f"  new      {name}" for name in self.new]
        return "\n".join(lines)


def read_checkpoint(path: Path | str) -> dict[str, Any]:
    """Open a checkpoint so that it cannot run code (`weights_only=True`), on the CPU.

    Raises:
        NetgazeError: it is missing, damaged, or holds more than tensors and plain values.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise NetgazeError(f"There is no checkpoint at {path}.") from error
    except pickle.UnpicklingError as error:
        raise NetgazeError(
            f"{path} is damaged or holds more than tensors and plain values, and is not opened: it could run code."
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        why = next(iter(str(error).splitlines()), type(error).__name__)
        raise NetgazeError(f"{path} is not a whole checkpoint ({why}). Get it anew.") from error
    if not isinstance(content, dict):
        raise NetgazeError(f"{path} holds a {type(content).__name__}, not weights by name.")
    return content


def find_weights(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights by name in a checkpoint of ours or of others, wrappers' prefixes taken off."""
    for nest in _NESTS:
        if isinstance(content.get(nest), Mapping):
            return find_weights(content[nest])
    weights = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    for prefix in _PREFIXES:
        if weights and all(name.startswith(prefix) for name in weights):
            return find_weights({name.removeprefix(prefix): value for name, value in weights.items()})
    return weights


def load_weights(model: nn.Module, source: str) -> Loaded:
    """Copy weights into `model`, matched by name and shape.

    Args:
        model: changed in place.
        source: a run's folder (its best checkpoint) or a file of weights (`.ckpt`, `.pt`, `.pth`, `.th`).

    Raises:
        NetgazeError: nothing is there, or not one name fits.
    """
    path = Path(source)
    if path.is_dir():
        path = path / "checkpoints" / "best.ckpt"
    if not path.exists():
        raise NetgazeError(
            f"init={source}: there is no such file of weights, nor a run with {Path(source)}/checkpoints/best.ckpt."
        )
    found = find_weights(read_checkpoint(path))
    own = model.state_dict()
    loaded, skipped = [], {}
    for name, value in found.items():
        if name not in own:
            skipped[name] = "this network has no such tensor"
        elif own[name].shape != value.shape:
            skipped[name] = f"shape {list(value.shape)}, here {list(own[name].shape)}"
        else:
            loaded.append(name)
    if not loaded:
        raise NetgazeError(f"init={source}: none of its {len(found)} tensors fits this network by name and shape.")
    model.load_state_dict({name: found[name] for name in loaded}, strict=False)
    # Counters of batches are no knowledge: older files lack them.
    new = [name for name in own if name not in loaded and not name.endswith("num_batches_tracked")]
    return Loaded(str(source), loaded, skipped, new)
