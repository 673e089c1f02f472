"""A network with BatchNorm fused into the convolution before it: the same outputs, in fewer passes over memory."""

import copy
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_CLOSE = 1e-3  # of the largest value: rounding is a hundredth of that, and a wrong fusion a thousand times more


@torch.no_grad()
def fuse(model: nn.Module, images: Tensor) -> nn.Module:
    """A copy of a network for `forward_features` and `forward_head`, its norms fused into convolutions where they can.

    Nothing is taken from names or from the order of modules: the network is shown images, and a norm is fused where
    it alone read what a convolution gave, each ran once, and nothing else read their weights. What so comes about must
    answer these images as the network does; where it does not, or cannot be copied, the network itself is returned.

    Args:
        model: in evaluation mode; it stays as it is.
        images: a few that it may be shown, [B,C,H,W].
    """
    try:
        fused = copy.deepcopy(model)
        pairs = _find_pairs(fused, images)
        for names in pairs:
            convolution, norm = map(fused.get_submodule, names)
            assert isinstance(convolution, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            fused.set_submodule(names[0], fuse_conv_bn_eval(convolution, norm))
            fused.set_submodule(names[1], nn.Identity())
        return fused if pairs and _answer_alike(fused, model, images) else model
    except Exception:  # a network of one's own may do anything: it is shown the images as it is
        return model


class _Reads(TorchDispatchMode):
    """Counts the operations that read each tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[int] = Counter()
        self._kept: list[Any] = []  # else a later tensor could have the id of one that is gone

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count what it reads."""
        read = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        self.counts.update(id(tensor) for tensor in read)
        given = func(*args, **(kwargs or {}))
        self._kept += [read, given]
        return given


def _find_pairs(model: nn.Module, images: Tensor) -> list[tuple[str, str]]:
    """The names of convolutions and of the norms that can be fused into them; the model is left without hooks."""
    given: dict[str, list[Tensor]] = {}
    taken: dict[str, list[Tensor]] = {}
    hooks = []
    for name, module in model.named_modules():
        if type(module) is nn.Conv2d and _is_plain(module):
            hooks.append(module.register_forward_hook(partial(_note_output, given.setdefault(name, []))))
        elif type(module) is nn.BatchNorm2d and _is_plain(module) and module.running_mean is not None:
            hooks.append(module.register_forward_pre_hook(partial(_note_input, taken.setdefault(name, []))))
    with _Reads() as reads:
        model.forward_features(images)  # type: ignore[operator]
    for hook in hooks:
        hook.remove()
    sources = {id(outputs[0]): name for name, outputs in given.items() if outputs}
    return [  # weights that are read once are of layers that ran once
        (sources[id(inputs[0])], norm)
        for norm, inputs in taken.items()
        if inputs
        and id(inputs[0]) in sources
        and reads.counts[id(inputs[0])] == 1
        and all(reads.counts[id(each)] == 1 for each in _list_weights(model, sources[id(inputs[0])], norm))
    ]


def _note_output(outputs: list[Tensor], module: nn.Module, args: Any, output: Tensor) -> None:
    outputs.append(output)


def _note_input(inputs: list[Tensor], module: nn.Module, args: tuple[Tensor, ...]) -> None:
    inputs.append(args[0])


def _is_plain(module: nn.Module) -> bool:
    """Whether a module does what its class says and nothing beside it."""
    return not (module._forward_hooks or module._forward_pre_hooks or module.training)


def _list_weights(model: nn.Module, *names: str) -> Iterator[Tensor]:
    for name in names:
        module = model.get_submodule(name)
        yield from module.parameters()
        yield from (buffer for key, buffer in module.named_buffers() if key != "num_batches_tracked")


def _answer_alike(one: Any, other: Any, images: Tensor) -> bool:
    """Whether two networks have the same maps, features and logits, within rounding."""
    maps, others = one.forward_features(images), other.forward_features(images)
    answers = [(maps, others)]
    answers += [
        (one.forward_head(maps, pre_logits=it), other.forward_head(others, pre_logits=it)) for it in (True, False)
    ]
    return all(bool((mine - theirs).abs().max() <= _CLOSE * theirs.abs().max()) for mine, theirs in answers)
