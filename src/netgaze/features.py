"""From a model and batches to features [N,D]."""

import inspect
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from netgaze.files import cached_arrays, digest


@torch.no_grad()
def extract(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], device: torch.device | str = "cpu") -> Tensor:
    """Penultimate features of every image, [N,D] float32 on the CPU, in eval mode and without autocast.

    Args:
        model: has `forward_features` and `forward_head(maps, pre_logits=True)`; its modes are put back.
        batches: yields (images [B,C,H,W], labels [B]); the labels are not read.
        device: where the model is.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        rows = []
        for images, _ in batches:
            maps = model.forward_features(images.to(device))  # type: ignore[operator]
            rows.append(model.forward_head(maps, pre_logits=True).float().cpu())  # type: ignore[operator]
        return torch.cat(rows)
    finally:
        for module, mode in modes.items():
            module.training = mode


def digest_weights(module: nn.Module) -> str:
    """A short name for all weights and buffers of a module."""
    state = module.state_dict()
    return digest(list(state), *(value.detach().float().cpu().numpy() for value in state.values()))


def digest_body(model: nn.Module) -> str:
    """A short name for all weights and buffers but those of the last layer, which features come before."""
    last = getattr(model, "last_layer", None)
    state = {name: value for name, value in model.state_dict().items() if not last or not name.startswith(f"{last}.")}
    return digest(list(state), *(value.detach().float().cpu().numpy() for value in state.values()))


def read_source(thing: Any) -> str:
    """The code of the module that an object's class is from: a stored answer is stale when it has changed.

    Of a class in the `__init__.py` of a folder, the code of all modules in this folder.
    """
    module = sys.modules[type(thing).__module__]
    if not hasattr(module, "__path__"):
        return inspect.getsource(module)
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
            return {"features": extract(model, data.batches(split, augmented=view > 0), device).numpy()}

    key = digest(digest_body(model), read_source(model), data.fingerprint, split, *how)
    return torch.from_numpy(cached_arrays("features", key, make)["features"])
