"""What a task makes of a batch, and the means of that over many."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


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
