"""What a task makes of a batch, and the means of that over many."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

_BLOCK = 2**25  # bytes: so large a piece of memory is never a part of the heap


@dataclass(frozen=True)
class Step:
    """What a task makes of a batch.

    Attributes:
        loss: a scalar.
        outputs: what the network answered to each example, [M,...], where a whole split's are to be measured together;
            None where there is no such number.
        targets: what it should have answered, [M]; None without outputs.
        numbers: further means over the batch by name, scalars. One called `loss` is told in the place of the loss.
    """

    loss: Tensor
    outputs: Tensor | None = None
    targets: Tensor | None = None
    numbers: Mapping[str, Tensor] = field(default_factory=dict)


class Means:
    """Means over batches, weighted by their sizes. The sums stay on the device until they are read."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._num = 0

    def add(self, num: int, step: Step) -> None:
        """Add the loss and the numbers of a batch of `num` images."""
        for name, mean in {"loss": step.loss, **step.numbers}.items():
            self._sums[name] = mean.detach().float() * num + self._sums.get(name, 0)
        self._num += num

    def read_sums(self) -> tuple[dict[str, Tensor], int]:
        """The sums so far by name, scalars on the CPU, and of how many images: of this process alone."""
        return {name: value.cpu() for name, value in self._sums.items()}, self._num

    def add_sums(self, sums: Mapping[str, Tensor], num: int, device: torch.device) -> None:
        """Add what `read_sums` has read elsewhere."""
        self._sums |= {name: value.to(device) + self._sums.get(name, 0) for name, value in sums.items()}
        self._num += num

    def read(self, strategy: Any) -> dict[str, float]:
        """The means by name, over all devices of a Lightning strategy."""
        sums = list(self._sums.values())
        num = torch.tensor(float(self._num), device=sums[0].device)
        *values, total = strategy.reduce(torch.stack([*sums, num]), reduce_op="sum").tolist()
        return {name: value / total for name, value in zip(self._sums, values, strict=True)}


class Rows:
    """Rows of many batches, in order, in large blocks of memory.

    Kept one by one, they would lie between the buffers of the steps, which come and go, and leave the heap in pieces
    that nothing else fits into: 1.5 GB for 150,000 images.
    """

    def __init__(self) -> None:
        self._blocks: list[Tensor] = []
        self._free = 0  # rows in the last block

    def add(self, rows: Tensor) -> None:
        """Copy the next rows [B,...] in."""
        while len(rows):
            if not self._free:
                self._free = max(1, _BLOCK // max(1, rows[0].numel() * rows.element_size()))
                self._blocks.append(rows.new_empty(self._free, *rows.shape[1:]))
            start, num = len(self._blocks[-1]) - self._free, min(self._free, len(rows))
            self._blocks[-1][start : start + num] = rows[:num]
            self._free, rows = self._free - num, rows[num:]

    def take(self) -> Tensor | None:
        """All rows [N,...], on the CPU, which are forgotten here; None where there are none."""
        if not self._blocks:
            return None
        *full, last = self._blocks
        rows = torch.cat([*full, last[: len(last) - self._free]])
        self._blocks, self._free = [], 0
        return rows.cpu()
