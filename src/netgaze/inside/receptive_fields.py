"""Which pixels of the image a unit can see: bounds that follow every operation of a network, from image to output.

Each tensor on the way has a `Bound`: for every one of its units the first and the last row and column that it sees. An
operation gives its output the smallest first and the largest last of what it reads: a convolution over its window
(dilated, strided, transposed), a sum of two branches over both, a matrix product over all that it sums. So sums of
residual branches and concatenations come out as the larger of the two (Araujo, Norris and Sim 2019, "Computing
receptive fields of convolutional neural networks", whose formulas for one path the tests hold these bounds against).

Conventions: padding is as wide as pixels would be there, so that fields reach beyond the image and a stack of N layers
of F x F with stride 1 sees NF - N + 1 pixels whatever the image's size. An operation that is not known here and keeps
the shape works unit by unit (so does a normalization, though its statistics see more); one that does not keep it sees
all that its inputs see together.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor

from netgaze.inside.receptive_bounds import NOTHING, Bound, Field, bound_image, gap, thin

__all__ = ["PRODUCTS", "VIEWS", "Bound", "Field", "bound_image", "follow"]

_UNREAD = -(2**40)  # a place that is not read
_MOVES = {
    "alias", "as_strided", "detach", "expand", "flip", "permute", "repeat", "roll", "select", "slice", "split",
    "split_with_sizes", "squeeze", "t", "transpose", "unbind", "unfold", "unsqueeze",
}  # fmt: skip
_RESHAPES = {"view", "_unsafe_view", "reshape", "_reshape_alias"}
VIEWS = (_MOVES | _RESHAPES) - {"flip", "repeat", "roll"}
_SLIDING = {
    "convolution", "max_pool2d_with_indices", "avg_pool2d", "_adaptive_avg_pool2d", "adaptive_max_pool2d",
    "constant_pad_nd",
}  # fmt: skip
_REDUCTIONS = {"mean", "sum", "amax", "amin", "max", "min", "var", "std", "logsumexp", "linalg_vector_norm"}
PRODUCTS = {"mm": (0, 1), "bmm": (0, 1), "addmm": (1, 2), "baddbmm": (1, 2)}  # the places of the two factors


def follow(name: str, args: Sequence[Any], results: Sequence[Tensor], known: Callable[[Tensor], Any]) -> list[Any]:
    """The bounds of what an operation gives; None for all of them where it reads nothing of the image.

    Args:
        name: of the operation, as ATen has it: "convolution", "addmm", ...
        args: what it was called with.
        results: the tensors that it gave.
        known: the sight of a tensor, or None.
    """
    parts = [part for arg in args for part in (arg if isinstance(arg, list | tuple) else [arg])]
    read = [sight for part in parts if isinstance(part, Tensor) and (sight := known(part)) is not None]
    if not read:
        return [None] * len(results)
    shape = results[0].shape
    if name in PRODUCTS and any(factors := [known(args[place]) for place in PRODUCTS[name]]):
        return [_multiplied(factors, [(-1,), (-2,)], shape)]
    if name.startswith("_scaled_dot_product"):
        factors = [known(tensor) for tensor in args[:3]]
        return [_multiplied(factors, [(-1,), (-2, -1), (-2, -1)], shape), *[None] * (len(results) - 1)]
    if name == "cat":
        return [_joined(args, known)]
    if len(read) == 1 and isinstance(args[0], Tensor) and known(args[0]) is not None:
        return _changed(name, read[0], args, [result.shape for result in results])
    return [_united(read, result.shape) for result in results]


def _changed(name: str, sight: Bound, args: Sequence[Any], shapes: Sequence[torch.Size]) -> list[Bound]:
    """The bounds of what an operation makes of one tensor."""
    if name in _RESHAPES:
        return [sight.map(lambda bound: bound.reshape(shapes[0]))]
    if name in _MOVES:
        return _moved(name, sight, args[1:])
    if name in _SLIDING and len(shapes[0]) == 4:
        return [_slid(name, sight, args, shapes[0])] * len(shapes)
    if (name in _REDUCTIONS or "softmax" in name) and len(args) > 1:
        return [_reduced(sight, args[1], shapes[0])] * len(shapes)
    return [_united([sight], shape) for shape in shapes]


def _moved(name: str, sight: Bound, rest: Sequence[Any]) -> list[Bound]:
    """A sight after a view, which may give several."""
    moved = [getattr(torch.ops.aten, name)(bound, *rest) for bound in sight.bounds]
    parts = [[part] if isinstance(part, Tensor) else list(part) for part in moved]
    down, across = sight.steps
    if name == "slice":  # every second place, or the like
        down, across = (step and (gap(part[0]) or step) for step, part in zip(sight.steps, parts[:2], strict=True))
    return [Bound(bounds, (down, across)) for bounds in zip(*parts, strict=True)]


def _slid(name: str, sight: Bound, args: Sequence[Any], shape: torch.Size) -> Bound:
    """What a map of `shape` sees through windows on `sight`."""
    bounds, sizes, steps = [thin(bound) for bound in sight.bounds], sight.bounds[0].shape, list(sight.steps)
    if name == "convolution" or sizes[1] != shape[1]:  # channels are mixed, or padded too
        bounds = [bound.amin(1, keepdim=True) for bound in bounds]
    for axis in (0, 1):
        places, by = _places(name, args, axis, sizes[2 + axis], shape[2 + axis])
        step = sight.steps[axis] or 0
        for number, bound in enumerate(bounds):
            if bound.shape[2 + axis] == sizes[2 + axis]:  # else it is the same everywhere along this axis
                apart = (step, -step)[number // 2] if number % 2 == axis else 0
                bounds[number] = _read(bound, 2 + axis, places, apart)
        wider = None if by is None else step * by
        steps[axis] = int(wider) if wider and wider == int(wider) else None
    return Bound(tuple(bound.expand(shape) for bound in bounds), (steps[0], steps[1]))


def _places(name: str, args: Sequence[Any], axis: int, size: int, num: int) -> tuple[Tensor, Fraction | int | None]:
    """The places [num,k] along an axis of `size` that each unit reads, and how many places its neighbor is away.

    Places beyond the axis are padding; `_UNREAD` is read by nobody.
    """
    units = torch.arange(num)[:, None]
    if name == "constant_pad_nd":
        before = ([*args[1], 0, 0, 0, 0][:4])[2 - 2 * axis]
        return units - before, 1
    if name.startswith(("_adaptive", "adaptive")):
        firsts, ends = units * size // num, -(-(units + 1) * size // num)
        by = Fraction(size, num) if size % num == 0 else None
        return (firsts + torch.arange(int((ends - firsts).max()))).minimum(ends - 1), by
    transposed = name == "convolution" and args[6]
    if name == "convolution":
        kernel, stride, padding, dilation = list(args[1].shape[2:]), *args[3:6]
    else:
        kernel, stride, padding, dilation = (*args[1:], *((), (), 0, 1)[len(args) - 1 :])[:4]
        dilation = dilation if name.startswith("max") else 1
    reach = [_both(value)[axis] for value in (kernel, stride or kernel, padding, dilation)]
    taps = torch.arange(reach[0]) * reach[3]
    if transposed:
        places = units + reach[2] - taps
        return torch.where(places % reach[1] == 0, places // reach[1], _UNREAD), Fraction(1, reach[1])
    return units * reach[1] - reach[2] + taps, reach[1]


def _read(bound: Tensor, dim: int, places: Tensor, apart: int) -> Tensor:
    """The smallest that lies at each row of `places` [num,k] along `dim`; padding goes on by `apart` a place."""
    inside = places.clamp(0, bound.shape[dim] - 1)
    beyond = ((places - inside) * apart).where(places != _UNREAD, NOTHING)
    values = bound.index_select(dim, inside.flatten()).unflatten(dim, list(places.shape))
    return (values + beyond.view(*places.shape, *[1] * (bound.ndim - dim - 1))).amin(dim + 1)


def _multiplied(factors: Sequence[Bound | None], over: Sequence[tuple[int, ...]], shape: torch.Size) -> Bound:
    """A product of matrices: each factor gives all that lies along the dimensions `over` which the sums go.

    Of [.., n, k] x [.., k, m] these are the last and the last but one; of attention a place reads its own query, and
    all keys and values.
    """
    pairs = zip(factors, over, strict=True)
    return _united([_gathered(sight, dims) for sight, dims in pairs if sight is not None], shape)


def _joined(args: Sequence[Any], known: Callable[[Tensor], Any]) -> Bound:
    """A concatenation; what sees nothing, such as a class token, goes on seeing nothing."""
    bounds = [known(tensor) for tensor in args[0]]
    blind = [tuple(torch.full((), NOTHING).expand(tensor.shape) for _ in range(4)) for tensor in args[0]]
    parts = zip(
        *(none if sight is None else sight.bounds for sight, none in zip(bounds, blind, strict=True)), strict=True
    )
    return Bound(tuple(torch.cat(part, *args[1:]) for part in parts), _common([sight for sight in bounds if sight]))


def _reduced(sight: Bound, dims: Any, shape: torch.Size) -> Bound:
    """A mean or the like over some dimensions; of a softmax, which keeps them, all that its sum reads."""
    over = list(range(sight.bounds[0].ndim)) if dims is None else dims
    kept = _gathered(sight, over)
    if kept.bounds[0].numel() == shape.numel():
        return kept.map(lambda bound: bound.reshape(shape))
    return kept.map(lambda bound: bound.expand(shape))


def _united(read: Sequence[Bound], shape: torch.Size) -> Bound:
    """All that its inputs see: unit by unit where their shapes allow it, else everything for every unit."""
    shapes = [sight.bounds[0].shape for sight in read]
    if not _broadcasts(shapes, shape):
        least = [
            torch.stack([bound.min() for bound in bounds]).min()
            for bounds in zip(*(s.bounds for s in read), strict=True)
        ]
        return Bound(tuple(bound.expand(shape) for bound in least), (None, None))
    bounds = read[0].bounds
    for sight in read[1:]:
        bounds = tuple(thin(one).minimum(thin(other)) for one, other in zip(bounds, sight.bounds, strict=True))
    return Bound(tuple(bound.expand(shape) for bound in bounds), _common(read))


def _gathered(sight: Bound, dims: Any) -> Bound:
    """Brought together over some dimensions; an axis whose units were has no grid any more."""
    bounds = tuple(bound.amin(dims, keepdim=True) for bound in sight.bounds)
    same = [bool((thin(new) == thin(old)).all()) for new, old in zip(bounds, sight.bounds, strict=True)]
    down, across = (step if same[axis] and same[axis + 2] else None for axis, step in enumerate(sight.steps))
    return Bound(bounds, (down, across))


def _common(read: Sequence[Bound]) -> tuple[int | None, int | None]:
    """The steps of several bounds: the largest that any has."""
    down, across = (max((sight.steps[axis] or 0 for sight in read), default=0) or None for axis in (0, 1))
    return down, across


def _broadcasts(shapes: Sequence[torch.Size], shape: torch.Size) -> bool:
    try:
        return torch.broadcast_shapes(*shapes, shape) == shape
    except RuntimeError:
        return False


def _both(value: Any) -> tuple[int, int]:
    """A number for both axes, or one each."""
    values = list(value) if isinstance(value, list | tuple) else [value]
    return values[0], values[-1]
