"""Cost and receptive field of each layer of a network: shapes, activations, parameters, multiply-adds.

A copy of the network without its weights (on torch's meta device, so that VGG-19 takes neither memory nor time) reads
one image, and every operation is counted for the module that runs it. A network that needs its weights to run is
copied with them.

What counts:
    macs: multiply-adds of convolutions, matrix products and attention, as papers count them: half of the
        operations that `torch.utils.flop_counter` counts. Norms, activation functions and pools are left out.
    params: of the module itself, each once; a norm's scale is a weight and its shift a bias. `params_no_bias` leaves
        out what is named bias. Running statistics are no parameters.
    activations: numbers that have to be written to a place of their own. What can overwrite its own input (an
        activation function, dropout, a norm, a sum onto a branch, a pool to the size that is there) or only looks at
        it in another way (a flattening) is not counted again.
"""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from netgaze.errors import NetgazeError
from netgaze.inside.receptive_fields import Field
from netgaze.inside.tracing import Layer, trace

__all__ = ["Field", "Layer", "estimate_memory", "find_fields", "group_parts", "list_layers", "sum_totals"]

COUNTS = ("params", "params_no_bias", "activations", "macs")


def list_layers(model: nn.Module, input_shape: Sequence[int]) -> list[Layer]:
    """Every layer in the order in which they run, the image first; parameters of modules that do not run come last.

    Args:
        model: reads images [B,C,H,W]; it is left as it is.
        input_shape: of one image, (C, H, W).

    Raises:
        ValueError: the shape is not three integers of 1 or more.
        NetgazeError: the network cannot read such images.
    """
    return _on_a_copy(model, input_shape, trace).rows


def find_fields(model: nn.Module, input_shape: Sequence[int]) -> dict[str, Field | None]:
    """The receptive field of what each module gives, by its `named_modules` name, containers such as `layer1` too.

    None for what sees nothing of the image, or no square; modules that do not run are missing. Otherwise as `layers`.
    """
    return _on_a_copy(model, input_shape, trace).fields


def sum_totals(rows: Sequence[Layer]) -> dict[str, int]:
    """The sums over layers: `params`, `params_no_bias`, `activations` (the image among them), `macs`."""
    return {name: sum(getattr(row, name) for row in rows) for name in COUNTS}


def group_parts(rows: Sequence[Layer]) -> dict[str, dict[str, int]]:
    """The totals of each child of the network ("conv1", "layer1", ...), in the order in which they run.

    What the network does itself, between its children, stands under "".
    """
    names = dict.fromkeys(row.name.partition(".")[0] for row in rows)
    return {name: sum_totals([row for row in rows if row.name.partition(".")[0] == name]) for name in names}


def estimate_memory(
    model: nn.Module, input_shape: Sequence[int], batch_size: int, *, precision: int = 32, optimizer_states: int = 1
) -> dict[str, int]:
    """Peak memory of a training step of the whole network in bytes, by what holds it, and its `total`.

    `weights` + `gradients` (as many) + `optimizer` (as many for each of its states) + `activations`: all that autograd
    keeps for the backward pass of a batch, found on two small batches and extrapolated linearly. Left out: the working
    space of single operations, buffers, and what an allocator loses.

    Args:
        model: reads images [B,C,H,W]; it is left as it is.
        input_shape: of one image, (C, H, W).
        batch_size: images.
        precision: bits per activation, 32 or 16; weights, gradients and states have 32, as in mixed precision.
        optimizer_states: values kept per weight: 1 for SGD with momentum, 2 for Adam, 0 for plain SGD.

    Raises:
        ValueError: another precision, or a shape that `layers` refuses.
        NetgazeError: the network cannot read such images.
    """
    if precision not in (16, 32):
        raise ValueError(f"expected precision to be 16 or 32, got {precision}")
    two, four = (
        _on_a_copy(model, input_shape, partial(_kept_for_backward, num_images=num, precision=precision))
        for num in (2, 4)
    )
    weights = 4 * sum(p.numel() for p in model.parameters())
    found = {"weights": weights, "gradients": weights, "optimizer": weights * optimizer_states}
    found["activations"] = round(two + (four - two) / 2 * (batch_size - 2))
    return found | {"total": sum(found.values())}


def _kept_for_backward(model: nn.Module, image: Tensor, num_images: int, precision: int) -> int:
    """Bytes of the tensors that autograd saves in a forward pass in training mode, each once, without the weights."""
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        model.train().requires_grad_(True)(image.expand(num_images, -1, -1, -1).contiguous())
    for tensor in (*model.parameters(), *model.buffers()):
        kept.pop(tensor.untyped_storage()._cdata, None)
    return sum(_num_stored(tensor) * _width(tensor, precision) for tensor in kept.values())


def _num_stored(tensor: Tensor) -> int:
    """Numbers in the memory that a tensor, which may be a view, holds on to."""
    return tensor.untyped_storage().nbytes() // tensor.element_size()


def _width(tensor: Tensor, precision: int) -> int:
    """Bytes of one of its numbers; masks and places are as wide at any precision."""
    return precision // 8 if tensor.is_floating_point() else tensor.element_size()


def _on_a_copy(model: nn.Module, input_shape: Sequence[int], look: Callable[[nn.Module, Tensor], Any]) -> Any:
    """`look` at a copy of the model and an image [1,C,H,W]: without weights where it runs so, else with them."""
    shape = list(input_shape)
    if len(shape) != 3 or any(type(size) is not int or size < 1 for size in shape):
        raise ValueError(f"expected an input of three integers of 1 or more, channels, height and width, got {shape}")
    with torch.random.fork_rng(devices=[]):  # dropout draws
        try:
            return look(_weightless(model), torch.zeros(1, *shape, device="meta"))
        except NetgazeError:
            raise
        except Exception:  # whatever does not work without numbers
            return _on_a_full_copy(model, shape, look)


def _on_a_full_copy(model: nn.Module, shape: list[int], look: Callable[[nn.Module, Tensor], Any]) -> Any:
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    try:
        return look(copy.deepcopy(model), torch.zeros(1, *shape, device=device))
    except (RuntimeError, ValueError, TypeError, AssertionError, LookupError) as error:
        said = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        size = "x".join(map(str, shape))
        raise NetgazeError(
            f"{type(model).__name__} cannot read images of {size}: {said}. Choose another input."
        ) from error


def _weightless(model: nn.Module) -> nn.Module:
    """A copy on the meta device, made without copying a single weight."""
    memo: dict[int, Any] = {id(p): nn.Parameter(p.detach().to("meta"), p.requires_grad) for p in model.parameters()}
    memo |= {id(buffer): buffer.detach().to("meta") for buffer in model.buffers()}
    return copy.deepcopy(model, memo)
