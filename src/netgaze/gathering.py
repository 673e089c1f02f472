"""Gathers rows and sums over all processes of a run, with gradients."""

from typing import Any

import torch
from torch import Tensor, distributed


def is_alone() -> bool:
    """Whether this process trains its run by itself."""
    ready = distributed.is_available() and distributed.is_initialized()
    return not ready or distributed.get_world_size() == 1


def wait_for_all() -> None:
    """Go on once all processes of the run have come here: what the main one writes alone is there then."""
    if not is_alone():
        distributed.barrier()


def gather_rows(rows: Tensor) -> Tensor:
    """The rows of all processes, each with its own number of them, [B,...] -> [sum of B,...], in the order of ranks.

    Each process that makes the same loss of them gets of it, for its own rows, the sum of all processes' gradients:
    with DDP, which takes the mean over processes, weights move as if one process had seen all rows.
    """
    return rows if is_alone() else _Gather.apply(rows)


def sum_over_processes(numbers: Tensor) -> Tensor:
    """The sum of a tensor over all processes, with gradients: of what follows from it in each of them."""
    return numbers if is_alone() else _Sum.apply(numbers)


def share_from_main(tensor: Tensor) -> Tensor:
    """A tensor as the main process has it; all have one of the same shape."""
    if is_alone():
        return tensor
    shared = tensor.clone()
    distributed.broadcast(shared, src=0)
    return shared


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        sizes = [torch.zeros(1, dtype=torch.int64, device=rows.device) for _ in range(distributed.get_world_size())]
        distributed.all_gather(sizes, torch.tensor([len(rows)], device=rows.device))
        counts = torch.cat(sizes).tolist()
        padded = rows.new_zeros(max(counts), *rows.shape[1:])  # all must send equally much
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in counts]
        distributed.all_gather(parts, padded)
        rank = distributed.get_rank()
        ctx.own = slice(sum(counts[:rank]), sum(counts[: rank + 1]))
        return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        distributed.all_reduce(total)
        return total[ctx.own]


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, numbers: Tensor) -> Tensor:
        total = numbers.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        distributed.all_reduce(total)
        return total
