"""Follows one image through a network, operation by operation, and counts each for the module that runs it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from netgaze.inside.receptive_fields import PRODUCTS, VIEWS, Bound, Field, bound_image, follow

_ATTENTION = "_scaled_dot_product"
_ROOM = {"empty", "empty_like", "new_empty", "zeros", "new_zeros", "full", "arange"}  # for what comes later
# What reads a number again after it has written the next, so that it cannot write over what it reads.
_WRITES_ANEW = ("convolution", *PRODUCTS, _ATTENTION, "max_pool", "avg_pool")


@dataclass(frozen=True)
class Layer:
    """One row of the table: a module without children, or what a larger module does itself between its children.

    What counts as an activation, a parameter or a multiply-add is defined in `netgaze.inside.anatomy`.

    Attributes:
        name: as `named_modules` has it; "" is the network itself, and "input" the image.
        kind: the module's class, or the operations that the larger module does itself.
        output_shape: of one image, without the batch; empty for a module that does not run.
        activations, params, params_no_bias, macs: counts.
        receptive_field, stride, start: see `Field`, in pixels; None where nothing of the image is seen, or no square.
        call: 1, or how often the module has run by then: its parameters are counted the first time alone.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...] = ()
    activations: int = 0
    params: int = 0
    params_no_bias: int = 0
    macs: int = 0
    receptive_field: int | None = None
    stride: int | None = None
    start: int | None = None
    call: int = 1


@dataclass
class _Running:
    """A module that is running, and what it did itself since its last child ended."""

    name: str
    module: nn.Module
    call: int
    operations: list[str] = field(default_factory=list)
    macs: int = 0
    activations: int = 0
    result: Tensor | None = None


class Tracer(TorchDispatchMode):
    """Sees every operation, and which module runs it.

    Args:
        model: in eval mode; it keeps the hooks that are put on it, so give a copy.
        image: [1,C,H,W], what it will be shown.

    Attributes:
        rows: the layers, as they ran; complete after `finish`.
        fields: what each module gives sees, by its name; None where nothing, or no square.
    """

    def __init__(self, model: nn.Module, image: Tensor):
        super().__init__()
        self.model = model
        self.rows: list[Layer] = []
        self.fields: dict[str, Field | None] = {}
        self._bounds = WeakTensorKeyDictionary()
        self._bounds[image] = bound_image(image.shape)
        self._running: list[_Running] = []
        self._told: list[tuple[Layer, Bound | None]] = []
        self._given: dict[str, Bound | None] = {}
        self._calls: dict[str, int] = {}
        self._counted: set[int] = set()
        self._add(Layer("input", "Input", activations=image.numel()), image)
        for name, module in model.named_modules():
            module.register_forward_pre_hook(partial(self._begin, name))
            module.register_forward_hook(self._end)

    def finish(self) -> None:
        """Make the rows; last those of parameters that no module read in its own pass: others read them, or nobody."""
        for name, module in self.model.named_modules():
            if (own := self._own_params(module))["params"]:
                self._add(replace(Layer(name, f"{type(module).__name__} (parameters alone)"), **own), None)
        # Only now: while the network runs, the work of finding a field would be traced too.
        self.fields = {name: None if sight is None else sight.field() for name, sight in self._given.items()}
        for layer, sight in self._told:
            if sight is not None and (seen := sight.field()) is not None:
                layer = replace(layer, receptive_field=seen.size, stride=seen.stride, start=seen.start)
            self.rows.append(layer)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count it."""
        given = func(*args, **(kwargs or {}))
        results = [given] if isinstance(given, Tensor) else given if isinstance(given, list | tuple) else []
        results = [result for result in results if isinstance(result, Tensor)]
        if results and self._running:
            self._count(func._schema.name.partition("::")[2], args, results)
        return given

    def _count(self, name: str, args: Sequence[Any], results: list[Tensor]) -> None:
        for result, sight in zip(results, follow(name, args, results, self._bounds.get), strict=True):
            if sight is not None:
                self._bounds[result] = sight
        if name not in VIEWS and name not in _ROOM:
            now = self._running[-1]
            now.operations.append(name.strip("_"))
            now.macs += count_macs(name, args, results[0])
            now.activations += results[0].numel() if _writes_anew(name, args, results[0]) else 0
            now.result = results[0]

    def _begin(self, name: str, module: nn.Module, args: Any) -> None:
        self._tell_own()
        self._calls[name] = self._calls.get(name, 0) + 1
        self._running.append(_Running(name, module, self._calls[name]))

    def _end(self, module: nn.Module, args: Any, output: Any) -> None:
        now = self._running[-1]
        parts = output if isinstance(output, list | tuple) else [output]
        result = next((part for part in parts if isinstance(part, Tensor)), None)
        if next(module.children(), None) is None:
            self._tell(now, type(module).__name__, result)
        else:
            self._tell_own()
        self._given[now.name] = None if result is None else self._bounds.get(result)
        self._running.pop()

    def _tell_own(self) -> None:
        """A row for what the running module has done itself, if anything."""
        if self._running and self._running[-1].operations:
            now = self._running[-1]
            self._tell(now, ", ".join(dict.fromkeys(now.operations)), now.result)

    def _tell(self, now: _Running, kind: str, result: Tensor | None) -> None:
        layer = Layer(now.name, kind, activations=now.activations, macs=now.macs, call=now.call)
        self._add(replace(layer, **self._own_params(now.module)), result)
        now.operations, now.macs, now.activations = [], 0, 0

    def _own_params(self, module: nn.Module) -> dict[str, Any]:
        """The parameters of a module itself that no row has counted so far."""
        sizes = {n: p.numel() for n, p in module.named_parameters(recurse=False) if id(p) not in self._counted}
        self._counted |= {id(p) for p in module.parameters(recurse=False)}
        no_bias = sum(size for name, size in sizes.items() if "bias" not in name)  # bias_ih_l0 too
        return {"params": sum(sizes.values()), "params_no_bias": no_bias}

    def _add(self, layer: Layer, result: Tensor | None) -> None:
        sight = None if result is None else self._bounds.get(result)
        # What does not come from the image, such as a generated filter, has no batch to leave out.
        shape = () if result is None else tuple(result.shape if sight is None else result.shape[1:])
        self._told.append((replace(layer, output_shape=shape), sight))


def trace(model: nn.Module, image: Tensor) -> Tracer:
    """Show a network (a copy: it keeps hooks) one image [1,C,H,W] and return what was seen on the way."""
    model.eval()
    tracer = Tracer(model, image)
    with torch.no_grad(), tracer:
        model(image)
    tracer.finish()
    return tracer


def count_macs(name: str, args: Sequence[Any], result: Tensor) -> int:
    """Multiply-adds of an operation of ATen; 0 for what is neither convolution, matrix product nor attention.

    A convolution: each output (transposed: each input) times the weights that it meets. A matrix product
    [n,k] x [k,m]: n k m. Attention: queries times keys, and the weights so found times values.
    """
    if name == "convolution":
        return (args[0] if args[6] else result).numel() * math.prod(args[1].shape[1:])
    if name in PRODUCTS:
        return result.numel() * args[PRODUCTS[name][0]].shape[-1]
    if name.startswith(_ATTENTION):
        query, keys, values = args[:3]
        return query.shape[:-1].numel() * keys.shape[-2] * (query.shape[-1] + values.shape[-1])
    return 0


def _writes_anew(name: str, args: Sequence[Any], result: Tensor) -> bool:
    """Whether what an operation gives cannot lie where its input lay."""
    same = any(isinstance(arg, Tensor) and arg.shape == result.shape for arg in args)
    return not same or name.startswith(_WRITES_ANEW)
