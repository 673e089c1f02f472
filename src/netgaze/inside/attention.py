"""Attention weights of any network, observed operation by operation, whatever its modules are."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from netgaze.errors import NetgazeError
from netgaze.inside.receptive_fields import PRODUCTS

_FUSED = "_scaled_dot_product"
_SOFTMAX = ("_softmax", "_safe_softmax")
_INSTEAD = "Choose a network whose patches all attend to one another, as vit_tiny_patch16_224 does."


class _Watcher(TorchDispatchMode):
    """Sees attention: a fused one by its inputs, else a softmax over the last dimension that weighs a matrix product.

    Attributes:
        weights: of each attention in the order in which they ran, [...,T,S].
        gradient: what came back first, to the attention that ran last: [...,T,D] or [...,T,S], a row for each of its
            queries.
    """

    def __init__(self) -> None:
        super().__init__()
        self.weights: list[Tensor] = []
        self.gradient: Tensor | None = None
        self._softmaxes: dict[int, Tensor] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation, and keep its attention weights."""
        given = func(*args, **(kwargs or {}))
        name = func._schema.name.partition("::")[2]
        if name == "_softmax_backward_data" or (name.startswith(_FUSED) and name.endswith("_backward")):
            self._see_gradient(args[0])
        elif name.startswith(_FUSED):
            names = [argument.name for argument in func._schema.arguments]
            self.weights.append(_weigh(dict(zip(names, args, strict=False)) | (kwargs or {})))
        elif name in _SOFTMAX and given.ndim >= 3 and args[1] in (-1, given.ndim - 1):
            self._softmaxes[_locate(given)] = given.detach()
        elif name in PRODUCTS:
            found = (self._softmaxes.pop(_locate(each), None) for each in args if isinstance(each, Tensor))
            self.weights += [each for each in found if each is not None]
        return given

    def _see_gradient(self, gradient: Tensor) -> None:
        if self.gradient is None and gradient.ndim >= 3:
            self.gradient = gradient.detach()


def _locate(tensor: Tensor) -> int:
    """Where the numbers of a tensor and of all its views lie."""
    return tensor.untyped_storage().data_ptr()


def _weigh(given: dict[str, Any]) -> Tensor:
    """The weights of a fused attention [B,H,T,S] from its arguments by name: softmax(scale Q K^T + mask)."""
    query, key = given["query"], given["key"]
    key = key.repeat_interleave(query.shape[-3] // key.shape[-3], dim=-3)  # heads that share their keys
    scale = given.get("scale")
    scores = query @ key.mT * (query.shape[-1] ** -0.5 if scale is None else scale)
    mask = given.get("attn_mask", given.get("attn_bias"))
    if mask is not None:
        scores = scores + mask
    if given.get("is_causal"):
        scores = scores + torch.full_like(scores, -math.inf).triu(1)
    return scores.softmax(dim=-1).detach()


@contextmanager
def _without_fast_path() -> Iterator[None]:
    """Keep torch's own transformer layers from running as one operation, in which no weights could be seen."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def has_attention(model: nn.Module, image: Tensor) -> bool:
    """Whether a network uses attention for an image [1,C,H,W], within `subject.evaluating`."""
    return bool(_watch(model, image))


def read_attention(model: nn.Module, images: Tensor) -> list[Tensor]:
    """The weights of every self-attention, the first one first, float32 [B,H,T,T]: a query's row over the keys.

    Call it within `subject.evaluating`. Fused attention is computed again from its queries and keys.

    Args:
        model: any network that has attention.
        images: [B,C,H,W], as the network reads them.

    Raises:
        NetgazeError: attention is not among all tokens of an image (windows, pooled keys), or their number changes.
    """
    layers = [_by_image(weights, len(images)) for weights in _watch(model, images)]
    if len(numbers := list(dict.fromkeys(weights.shape[-1] for weights in layers))) > 1:
        said = ", ".join(map(str, numbers))
        raise NetgazeError(f"Attention cannot be rolled out if the number of tokens changes ({said}). {_INSTEAD}")
    return layers


@torch.no_grad()
def _watch(model: nn.Module, images: Tensor) -> list[Tensor]:
    with _without_fast_path(), _Watcher() as watcher:
        model(images)
    return watcher.weights


def _by_image(weights: Tensor, num: int) -> Tensor:
    """Weights as [B,H,T,T]: of torch's own layers, which have heads beside images, and of single heads too."""
    *_, queries, keys = weights.shape
    if queries != keys:
        raise NetgazeError(
            f"Attention of {queries} queries to {keys} tokens cannot be rolled out through the layers. {_INSTEAD}"
        )
    if weights.ndim > 4 or len(weights) % num or (weights.ndim == 4 and len(weights) != num):
        raise NetgazeError(
            f"Attention within windows (here of {keys} tokens) cannot be rolled out through the layers. {_INSTEAD}"
        )
    return weights.view(num, -1, keys, keys).float()


def find_read(model: nn.Module, image: Tensor) -> Tensor:
    """Which tokens are read after the last attention, bool [T]: those whose output changes the logits.

    These are the class token alone, or the patches if their mean is read, as the gradients show.

    Args:
        model: a network that has attention, within `subject.evaluating`.
        image: [1,C,H,W].

    Raises:
        NetgazeError: no gradient comes back to an attention.
    """
    image = image.detach().clone().requires_grad_()
    with torch.enable_grad(), _without_fast_path(), _Watcher() as watcher:
        logits = model(image)
        # Random: the sum of a normalized output would be constant.
        direction = torch.randn(logits.shape, generator=torch.Generator().manual_seed(0)).to(logits)
        if logits.requires_grad:
            torch.autograd.grad(logits, image, direction, allow_unused=True)
    if watcher.gradient is None or not (read := _rows_touched(watcher.gradient)).any():
        raise NetgazeError(
            "No gradient of the logits comes back to the network's attention, so the tokens that it reads are unknown. "
            "Choose a network that uses the output of its attention, without no_grad or detach."
        )
    return read


def _rows_touched(gradient: Tensor) -> Tensor:
    """Whether anything came back to a row, [...,T,D] -> bool [T]."""
    return (gradient != 0).any(dim=-1).flatten(0, -2).any(dim=0)
