"""An activation carried back to the image: the deconvolutional network of Zeiler and Fergus 2014 (arXiv 1311.2901).

From a layer down, each step is undone by its counterpart: a convolution or a linear layer by its transpose, a max-pool
by putting values back to where the largest was ("switches"), a batch norm by its factor gamma / sqrt(variance + eps),
a ReLU by a ReLU of what comes back. Biases and shifts are left out. All of these but the ReLU are what a gradient does,
so the way back is a gradient in which the ReLU is exchanged: strides give back the exact size by themselves.

A residual sum y = F(x) + s(x) can be left by the residual path F, by the shortcut s, or by both. Which operand is
which is told by the network itself: the residual path has passed more layers with weights. There is no standard for
this; Zeiler and Fergus had plain networks.

Deviation: sums beyond those of biases, averages and concatenations are undone linearly, too; filters that a network
computes from the image count as fixed.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from netgaze.errors import NetgazeError
from netgaze.inside.layers import Transform, flatten_channels, reach

PATHS = ("residual", "shortcut", "both")

_RELUS = {F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_}
_SUMS = {torch.add, Tensor.add, Tensor.add_, Tensor.__add__, Tensor.__iadd__, Tensor.__radd__}
_WEIGHTED = {F.conv1d, F.conv2d, F.conv3d, F.linear, torch.conv1d, torch.conv2d, torch.conv3d}
# What autograd calls the steps that are linear. The forward pass decides places in them (switches), never factors.
_LINEAR = {
    *("Convolution", "MkldnnConvolution", "CudnnConvolution", "Addmm", "T", "Linear"),
    *("NativeBatchNorm", "CudnnBatchNorm", "MiopenBatchNorm", "BatchNorm"),
    *("MaxPool2DWithIndices", "AvgPool2D", "AdaptiveAvgPool2D", "MkldnnAdaptiveAvgPool2D", "Mean", "Sum"),
    *("Add", "Sub", "Neg", "Cat", "Stack", "View", "UnsafeView", "ReshapeAlias", "Permute", "Transpose", "Slice"),
    *("Select", "Split", "SplitWithSizes", "Chunk", "Unbind", "Unsqueeze", "Squeeze", "Expand", "Clone", "Alias"),
    *("ToCopy", "ConstantPadNd", "ReflectionPad2D", "ReplicationPad2D", "UpsampleNearest2D", "UpsampleBilinear2D"),
    *("_ReLU", "Index", "Roll", "Flip", "AccumulateGrad", "AsStrided", "Detach"),
}
_PRODUCTS = {"Mul", "Mm", "Bmm"}  # linear while one of the two factors does not depend on the image
_QUOTIENT = "Div"  # linear while the divisor does not


class _ReLU(torch.autograd.Function):
    """ReLU whose way back is a ReLU of what comes back, wherever the forward pass was cut off."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, back: Tensor) -> Tensor:
        return back.clamp(min=0)


class _WayBack(TorchFunctionMode):
    """While it is on, what torch computes can be carried back; sums are left by `path` alone."""

    def __init__(self, path: str):
        super().__init__()
        self.path = path

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        args, kwargs = tuple(map(_fixed, args)), {name: _fixed(value) for name, value in (kwargs or {}).items()}
        depth = max((_depth(value) for value in (*args, *kwargs.values())), default=0)
        if func in _RELUS:
            result = _ReLU.apply(args[0] if args else kwargs["input"])
        elif func in _WEIGHTED:
            image, *weights = args  # weights may come from the image: a network can make its own filters
            result = func(image, *(value.detach() if _is_tensor(value) else value for value in weights), **kwargs)
            depth = _depth(image) + 1
        elif func in _SUMS and len(args) == 2 and all(map(_is_tensor, args)) and args[0].shape == args[1].shape:
            result = torch.add(*self._left_by_path(*args), **kwargs)
        else:
            result = func(*args, **kwargs)
        for part in result if isinstance(result, list | tuple) else (result,):
            if _is_tensor(part):
                part._num_weighted = depth
        return result

    def _left_by_path(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """The two operands of a sum, of which one is cut off where only the other shall be followed."""
        deeper = _depth(first) - _depth(second)
        if self.path == "both" or not deeper or not (first.requires_grad and second.requires_grad):
            return first, second  # what does not come from the image is no path to it
        keeps_first = (deeper > 0) == (self.path == "residual")
        return (first, second.detach()) if keeps_first else (first.detach(), second)


def _fixed(value: Any) -> Any:
    """What is learned has no share in the way back."""
    return value.detach() if isinstance(value, nn.Parameter) else value


def _is_tensor(value: object) -> bool:
    return isinstance(value, Tensor)


def _depth(value: Any) -> int:
    """How many layers with weights a tensor, or the deepest of several, has passed."""
    if isinstance(value, list | tuple):
        return max(map(_depth, value), default=0)
    return getattr(value, "_num_weighted", 0)


def carry_back(model: nn.Module, layer: str, images: Tensor, keep: Transform, path: str = "both") -> Tensor:
    """What is kept of a layer's activation, carried back to the image, [B,C,H,W], around zero.

    The model must be in eval mode; its parameters get no gradients.

    Args:
        model: the network.
        layer: a `named_modules` name.
        images: normalized, [B,C,H,W].
        keep: the activation -> what is carried back, of the same shape; see `whole`, `one_channel`, `one_place`.
        path: how residual sums are left: "residual", "shortcut" or "both".

    Raises:
        NetgazeError: no such layer or path, or something on the way cannot be carried back: it is named.
    """
    if path not in PATHS:
        raise NetgazeError(f"Unknown path {path}. Choose from {', '.join(PATHS)}.")
    with torch.enable_grad():
        image = images.detach().clone().requires_grad_()
        with _WayBack(path):
            activation = reach(model, layer)(image)
        if not activation.requires_grad:
            return torch.zeros_like(images)
        _check(model, layer, images, activation)
        (back,) = torch.autograd.grad(activation, image, keep(activation.detach()))
    return back


def _check(model: nn.Module, layer: str, images: Tensor, activation: Tensor) -> None:
    """Refuse what has no counterpart, by autograd's own record of the way from the image to the layer."""
    waiting, seen = [activation.grad_fn], set[Any]()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if not _is_linear(node):
            raise NetgazeError(
                f"Deconvolution cannot carry {layer} back to the image: in between is {_name(node)}, which is neither "
                "linear nor a ReLU. Choose an earlier layer or another network."
            )
        waiting += [before for before, _ in node.next_functions]
    with torch.no_grad():
        plain = reach(model, layer)(images)
    if not torch.allclose(plain, activation, rtol=1e-3, atol=1e-3 * float(plain.abs().max())):
        raise NetgazeError(
            f"Deconvolution cannot carry {layer} back to the image: in between, the network changes maps in place, by "
            "a statement whose result it does not use. Choose an earlier layer or another network."
        )


def _is_linear(node: Any) -> bool:
    name, before = _name(node), [part for part, _ in node.next_functions]
    if name in _PRODUCTS:
        return sum(part is not None for part in before) == 1
    if name == _QUOTIENT:
        return before[-1] is None
    # A norm by the image's own statistics is not linear, whatever its name.
    return name in _LINEAR and not getattr(node, "_saved_training", False)


def _name(node: Any) -> str:
    return node.name().rpartition("::")[2].rstrip("0123456789").removesuffix("Backward")


def keep_all(activation: Tensor) -> Tensor:
    """All of an activation."""
    return activation


def keep_channel(channels: Tensor) -> Transform:
    """Of the b-th image the channel `channels[b]` alone, see `by_channel`."""

    def keep(activation: Tensor) -> Tensor:
        kept = torch.zeros_like(activation)
        rows = torch.arange(len(activation), device=activation.device)
        axis = kept.ndim - 1 if kept.ndim == 3 else 1
        places = kept.movedim(axis, 1), activation.movedim(axis, 1)
        places[0][rows, channels.to(rows)] = places[1][rows, channels.to(rows)]
        return kept

    return keep


def keep_place(channels: Tensor) -> Transform:
    """Of the b-th image the place where the channel `channels[b]` is largest, alone."""

    def keep(activation: Tensor) -> Tensor:
        kept = keep_channel(channels)(activation)
        rows = torch.arange(len(kept), device=kept.device)
        best = flatten_channels(activation)[rows, channels.to(rows)].argmax(dim=1)
        there = torch.zeros_like(flatten_channels(kept))
        there[rows, :, best] = 1
        mask = there.transpose(1, 2) if kept.ndim == 3 else there
        return kept * mask.reshape(kept.shape)

    return keep
