"""Restores a run's own checkpoint into its task."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from netgaze.errors import NetgazeError
from netgaze.weights.first_bytes import find_kind
from netgaze.weights.opening import check_stored


def read_checkpoint(path: Path | str) -> dict[str, Any]:
    """Open a checkpoint of a run so that it cannot run code (`weights_only=True`), on the CPU.

    Raises:
        NetgazeError: it is missing, damaged, or holds more than tensors and plain values.
    """
    try:
        if find_kind(Path(path)) != "zip":
            raise NetgazeError(f"{path} was not written by train.py. It is not opened.")
        check_stored(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise NetgazeError(f"There is no checkpoint at {path}.") from error
    except NetgazeError:
        raise
    except Exception as error:  # readers of broken files raise nearly everything
        raise NetgazeError(f"{path} is damaged, or was not written by train.py. It is not opened.") from error
    if not isinstance(content, dict):
        raise NetgazeError(f"{path} holds a {type(content).__name__}, not a run's checkpoint.")
    return content


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
    if odd := [name for name, value in found.items() if not _is_plain(value)]:
        raise NetgazeError(f"{path} was not written by train.py: {odd[0]} holds no plain numbers.")
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


def _is_plain(value: Any) -> bool:
    """Whether something is a dense tensor of numbers that are there."""
    dense = isinstance(value, Tensor) and value.layout == torch.strided and not value.is_quantized
    return dense and not value.is_meta and not value.is_complex()
