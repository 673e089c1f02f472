"""From a network and images to features [N,D], and to a task's outputs [M,K]."""

import inspect
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
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
            images = (batch.images for batch in data.batches(split, augmented=view > 0))
            return {"features": extract(model, images, device).numpy()}

    key = digest(digest_body(model), read_source(model), data.fingerprint, split, *how)
    return torch.from_numpy(cached_arrays("features", key, make)["features"])


@dataclass(frozen=True)
class Outputs:
    """What a task answered on a split: logits [M,K], targets [M], and the image each example came from, [M]."""

    logits: np.ndarray
    targets: np.ndarray
    index: np.ndarray

    @cached_property
    def probabilities(self) -> np.ndarray:
        """Softmax of the logits, [M,K]."""
        shares = self.logits - self.logits.max(axis=1, keepdims=True)
        np.exp(shares, out=shares)  # in place: of thousands of classes each copy counts
        shares /= shares.sum(axis=1, keepdims=True)
        return shares

    @cached_property
    def losses(self) -> np.ndarray:
        """Cross-entropy of each example, [M], in nats."""
        shifted = self.logits - self.logits.max(axis=1, keepdims=True)
        own = shifted[np.arange(len(self.targets)), self.targets]
        return np.log(np.exp(shifted, out=shifted).sum(axis=1)) - own


@torch.no_grad()
def collect_outputs(task: Any, data: Any, split: str, device: torch.device | str) -> Outputs:
    """The logits and targets of all examples that a task makes of a split, in fp32; the task is in evaluation mode.

    Args:
        task: a `tasks.base.Task`.
        data: a `data.base.ImageData`.
        split: "train", "val" or "test".
        device: where the task is.
    """
    logits, targets, index = [], [], []
    for batch in data.batches(split):
        examples, answers = task.make_examples(batch.images.to(device), batch.labels.to(device))
        logits.append(task(examples).float().cpu())
        targets.append(answers.cpu())
        index.append(batch.index.repeat(len(answers) // len(batch)))
    return Outputs(*(torch.cat(part).numpy() for part in (logits, targets, index)))
