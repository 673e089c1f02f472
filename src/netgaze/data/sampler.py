"""Which images make a batch: index tensors that follow from (seed, epoch, rank, world) alone."""

from collections.abc import Iterator

import torch
from torch import Tensor


class PlainBatches:
    """Every image once an epoch; yields int64 index tensors [B].

    Args:
        num_items: number of images.
        batch_size: images a batch, on each rank.
        shuffle: a new order each epoch, drawn from (seed, epoch); otherwise 0, 1, 2, ...
        drop_last: leave out a last batch that is not full.
        seed: of the order.
        rank, world: this process's number and the number of processes; each takes every `world`-th image, and
            all take equally many (what cannot be shared out evenly is left out when shuffling).
    """

    def __init__(
        self,
        num_items: int,
        batch_size: int,
        *,
        shuffle: bool = False,
        drop_last: bool = False,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.num_items, self.batch_size, self.shuffle, self.drop_last = num_items, batch_size, shuffle, drop_last
        self.seed, self.rank, self.world = seed, rank, world
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this at each epoch's start."""
        self.epoch = epoch

    def __len__(self) -> int:
        items = len(range(self.rank, self._shared(), self.world))
        return items // self.batch_size if self.drop_last else -(-items // self.batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(self.num_items, generator=generator) if self.shuffle else torch.arange(self.num_items)
        mine = order[: self._shared()][self.rank :: self.world]
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            yield mine[start : start + self.batch_size]

    def _shared(self) -> int:
        return self.num_items - self.num_items % self.world if self.shuffle else self.num_items
