"""Features [N,D] of images, and digests of weights and code."""

import inspect
import sys
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from netgaze.files import cached_arrays, digest


@torch.no_grad()
def extract(model: nn.Module, images: Iterable[Tensor], device: torch.device | str = "cpu") -> Tensor:
    """Penultimate features of every image, [N,D] float32 on the CPU, in eval mode and without autocast.

    Args:
        model: has `forward_features` and `forward_head(maps, pre_logits=True)`; its modes are put back.
        images: normalized, [B,C,H,W] at a time.
        device: where the model is.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        rows = []
        for some in images:
            maps = model.forward_features(some.to(device))  # type: ignore[operator]
            rows.append(model.forward_head(maps, pre_logits=True).float().cpu())  # type: ignore[operator]
        return torch.cat(rows)
    finally:
        for module, mode in modes.items():
            module.training = mode


def digest_weights(module: nn.Module) -> str:
    """A digest of all weights and buffers of a module."""
    state = module.state_dict()
    return digest(list(state), *(value.detach().float().cpu().numpy() for value in state.values()))


def digest_body(model: nn.Module) -> str:
    """A digest of all weights and buffers except the last layer's, which features do not depend on."""
    last = getattr(model, "last_layer", None)
    state = {name: value for name, value in model.state_dict().items() if not last or not name.startswith(f"{last}.")}
    return digest(list(state), *(value.detach().float().cpu().numpy() for value in state.values()))


_OTHERS = ("builtins", "abc", "torch", "pytorch_lightning", "timm", "torchvision", "typing")


def read_source(thing: Any) -> str:
    """The code of the modules of an object's class and its bases: a stored result is stale if it changes.

    Of a network also the code and settings of its parts. Of a class in the `__init__.py` of a folder, the code
    of all modules in this folder. Libraries are left out.
    """
    parts = thing.modules() if isinstance(thing, nn.Module) else [thing]
    names = dict.fromkeys(kind.__module__ for part in parts for kind in type(part).__mro__)
    said = repr(thing) if isinstance(thing, nn.Module) else ""
    return said + "".join(_read_module(name) for name in names if name.partition(".")[0] not in _OTHERS)


def _read_module(name: str) -> str:
    module = sys.modules[name]
    if not hasattr(module, "__path__"):
        try:
            return inspect.getsource(module)
        except (OSError, TypeError):  # a notebook's cells: nothing stored fits them
            return uuid.uuid4().hex
    return "".join(
        path.read_text(encoding="utf-8") for path in sorted(Path(inspect.getfile(module)).parent.glob("*.py"))
    )


def extract_cached(model: nn.Module, data: Any, split: str, device: torch.device | str, view: int = 0) -> Tensor:
    """`extract` on all images of a split, kept on disk under the digests of the network's body and of the data.

    Args:
        model: see `extract`.
        data: a `data.base.ImageData`.
        split: "train", "val" or "test".
        device: where the model is.
        view: 0 for the images as they are; otherwise the number of an augmented view of them, drawn by it.
    """
    how = [repr(vars(data.augment)), view] if view else []

    def make() -> dict[str, Any]:
        with torch.random.fork_rng():
            torch.manual_seed(view)
            images = (batch.images for batch in data.batches(split, augmented=view > 0))
            return {"features": extract(model, images, device).numpy()}

    key = digest(digest_body(model), read_source(model), data.fingerprint, split, *how)
    return torch.from_numpy(cached_arrays("features", key, make)["features"])
