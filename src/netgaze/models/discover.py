"""Finds by running a network once its last layer, its last maps, and the layers to show."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from netgaze.errors import NetgazeError

_MOST_PREFIX = 8  # tokens before the patches: a class token, a few registers
_POOLS = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)  # are of the head, to whatever size they pool


@dataclass(frozen=True)
class Row:
    """A module that ran.

    Attributes:
        name: by `named_modules`.
        module: itself.
        input: the first thing that it read.
        output: what it gave.
        call: how often it had run, 1 for the first time.
        version: of what it gave, which counts up where something is written into it later.
    """

    name: str
    module: nn.Module
    input: Any
    output: Any
    call: int
    version: int

    @property
    def is_overwritten(self) -> bool:
        """Whether what came after it has written into what it gave."""
        return bool(self.output._version != self.version)


@dataclass(frozen=True)
class Layout:
    """How a layer's output is read as maps [B,F,h,w].

    Attributes:
        kind: "maps" [B,F,h,w], "channels_last" [B,h,w,F], or "tokens" [B,prefix+h*w,F].
        num_prefix: tokens that stand before the patches.
    """

    kind: str
    num_prefix: int = 0

    def to_maps(self, output: Tensor) -> Tensor:
        """A layer's output as maps [B,F,h,w]."""
        if self.kind == "tokens":
            patches = output[:, self.num_prefix :].transpose(1, 2)
            return patches.unflatten(2, (math.isqrt(patches.shape[2]),) * 2)
        return output.permute(0, 3, 1, 2) if self.kind == "channels_last" else output

    def put_back(self, maps: Tensor, output: Tensor) -> Tensor:
        """Maps [B,F,h,w] in the form of a layer's output, whose tokens before the patches stay."""
        if self.kind == "tokens":
            return torch.cat([output[:, : self.num_prefix], maps.flatten(2).transpose(1, 2).to(output.dtype)], dim=1)
        # A copy, as what follows may write into it.
        return (maps.permute(0, 2, 3, 1) if self.kind == "channels_last" else maps).to(output.dtype).clone()


def choose_logits(result: Any, chosen: str | int | None) -> Tensor:
    """The logits [B,K] among what a network gives: the tensor itself, or the only one, or what is called `logits`.

    Args:
        result: a tensor, several of them, or an object with parts by name, as Hugging Face's networks give one.
        chosen: the name or the place of the logits among several; None to find them.

    Raises:
        NetgazeError: there is no such tensor, or there are several.
    """
    if isinstance(result, Tensor):
        return _check_logits(result)
    parts: dict[str | int, Any] = dict(result) if isinstance(result, Mapping) else {}
    if isinstance(result, Sequence) and not parts:
        names = getattr(result, "_fields", range(len(result)))  # of a named tuple
        parts = dict(zip(names, result, strict=True))
    if not isinstance(result, Mapping | Sequence):
        parts = dict(getattr(result, "__dict__", {}))
    tensors = {name: part for name, part in parts.items() if isinstance(part, Tensor)}
    if chosen is None:
        wanted = tensors.get("logits", next(iter(tensors.values())) if len(tensors) == 1 else None)
    else:
        by_place = dict(zip(map(str, range(len(tensors))), tensors.values(), strict=True))
        wanted = tensors.get(chosen, by_place.get(str(chosen)))
    if wanted is not None:
        return _check_logits(wanted)
    if not tensors:
        raise NetgazeError(f"The network outputs {type(result).__name__}, not a tensor. Let forward return the logits.")
    found = ", ".join(f"{name} {list(part.shape)}" for name, part in tensors.items())
    raise NetgazeError(
        f"The network gives several tensors ({found}), and a classifier has one: type which holds the logits, as in "
        f"model.output={next(iter(tensors))}."
    )


def _check_logits(logits: Tensor) -> Tensor:
    if logits.ndim != 2:
        raise NetgazeError(
            f"The network gives a tensor of shape {list(logits.shape)}, but a classifier outputs [images, classes]."
        )
    return logits


def trace_rows(network: nn.Module, images: Tensor) -> tuple[Any, list[Row]]:
    """What a network gives for images, and every module that ran, in the order in which they ended."""
    rows, calls = list[Row](), Counter[str]()

    def note(name: str, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        calls[name] += 1
        rows.append(Row(name, module, args[0] if args else None, output, calls[name], getattr(output, "_version", 0)))

    handles = [module.register_forward_hook(partial(note, name)) for name, module in network.named_modules() if name]
    try:
        return network(images), rows
    finally:
        for handle in handles:
            handle.remove()


def find_last_layer(rows: Sequence[Row], logits: Tensor, typed: str | None) -> tuple[Row, bool]:
    """The linear layer that gives the logits, and whether a softmax, or its logarithm, follows it.

    Raises:
        NetgazeError: there is none.
    """
    linear = [row for row in rows if isinstance(row.module, nn.Linear) and typed in (None, row.name)]
    giving = [row for row in linear if isinstance(row.output, Tensor) and row.output.shape == logits.shape]
    if not giving:
        known = ", ".join(dict.fromkeys(row.name for row in rows if isinstance(row.module, nn.Linear))) or "none"
        said = f"model.last_layer={typed} gives no logits" if typed else "no linear layer (nn.Linear) gives its logits"
        raise NetgazeError(
            f"The network cannot be used: {said} {list(logits.shape)[1:]}. Its linear layers: {known}. Let it end in "
            "one."
        )
    last = giving[-1]
    if logits.is_meta or _are_close(last.output, logits):
        return last, False
    if any(_are_close(f(last.output, dim=1), logits) for f in (torch.softmax, torch.log_softmax)):
        return last, True
    raise NetgazeError(
        f"The network cannot be used: what follows its last linear layer, {last.name}, changes the logits. Let forward "
        "return that layer's output, or type another one's name, model.last_layer=<name>."
    )


def _are_close(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-4, atol=1e-5)


def list_maps(rows: Sequence[Row], last: Row) -> list[tuple[Row, Layout]]:
    """The modules before the last layer that give maps of more than one place, and how these are read."""
    before = rows[: next(place for place, row in enumerate(rows) if row is last)]
    num_features = last.input.shape[-1]
    found = [(row, _find_layout(row, len(last.output), num_features)) for row in before]
    return [(row, layout) for row, layout in found if layout is not None]


def _find_layout(row: Row, num_images: int, num_features: int) -> Layout | None:
    if not isinstance(row.output, Tensor) or len(row.output) != num_images or isinstance(row.module, _POOLS):
        return None
    if row.output.ndim == 4:
        _, first, second, third = row.output.shape
        if first == second != third:
            return Layout("channels_last") if first > 1 else None
        return Layout("maps") if second * third > 1 else None
    # Of tokens those between blocks: what is inside them are queries, keys and the like.
    is_between = next(row.module.children(), None) is not None or "norm" in type(row.module).__name__.lower()
    if row.output.ndim == 3 and row.output.shape[2] == num_features and is_between:
        num_prefix = row.output.shape[1] - math.isqrt(row.output.shape[1]) ** 2
        return Layout("tokens", num_prefix) if num_prefix <= _MOST_PREFIX and row.output.shape[1] > 3 else None
    return None


def find_read(
    maps: Sequence[tuple[Row, Layout]], typed: str | None, run: Callable[[Row, Layout, Tensor], Tensor]
) -> tuple[Row, Layout] | None:
    """The last maps that the head reads: of a transformer with a class token, those of one block earlier.

    Args:
        maps: see `list_maps`.
        typed: the layer that a person named.
        run: features [B,D] of the network, where a module gives other maps: (its row, the layout, maps) -> features.

    Raises:
        NetgazeError: the layer that was named gives no maps.
    """
    named = [(row, layout) for row, layout in maps if typed in (None, row.name)]
    if typed is not None and not named:
        known = ", ".join(dict.fromkeys(row.name for row, _ in maps)) or "none"
        raise NetgazeError(f"model.map_layer={typed} gives no maps. These do: {known}.")
    for row, layout in reversed(named):
        if row.output.is_meta:
            return row, layout
        leaf = layout.to_maps(row.output).detach().clone().requires_grad_()
        features = run(row, layout, leaf)
        if not features.requires_grad:
            continue
        (gradient,) = torch.autograd.grad(features.sin().sum(), leaf, allow_unused=True)
        if gradient is not None and bool(gradient.any()):
            return row, layout
    return None


def find_stages(maps: Sequence[tuple[Row, Layout]], last: Row, layout: Layout) -> tuple[str, ...]:
    """Layers worth a look, shallow to deep: the last maps of each size, or the blocks of a transformer.

    Of layers in layers the outer ones are taken; of one that runs several times only the first output could be seen.
    """
    until = maps[: next(place for place, (row, _) in enumerate(maps) if row is last) + 1]
    if layout.kind == "tokens":
        groups: dict[type, list[str]] = defaultdict(list)
        for row, _ in until:
            if next(row.module.children(), None) is not None:
                groups[type(row.module)].append(row.name)
        blocks = sorted(groups.values(), key=lambda names: (-len(names), names[0].count(".")))
        return tuple(blocks[0]) if blocks else ()
    again = {row.name for row, _ in maps if row.call > 1}
    sizes = defaultdict[Any, list[str]](list)
    for row, each in until:
        if row.name not in again:
            sizes[each.to_maps(row.output).shape[2:]].append(row.name)
    return tuple(min(reversed(names), key=lambda name: name.count(".")) for names in sizes.values())


def find_filters(rows: Sequence[Row]) -> tuple[str, ...]:
    """The first two convolutions that ran."""
    return tuple(dict.fromkeys(row.name for row in rows if isinstance(row.module, nn.Conv2d)))[:2]
