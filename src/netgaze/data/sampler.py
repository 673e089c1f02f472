"""Samplers: index tensors for each batch, which follow from (seed, epoch, rank, world) alone."""

from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from typing import Any

import torch
from torch import Tensor


class Remaining:
    """The batches of a sampler, without those of an epoch that were trained on before it was cut off.

    Args:
        sampler: yields index tensors; has a length and `set_epoch`.
        count_done: how many those are, asked when an epoch's first batch is: before, a run is not yet taken up again.
    """

    def __init__(self, sampler: Any, count_done: Callable[[], int]):
        self.sampler, self.count_done = sampler, count_done

    def __len__(self) -> int:
        return len(self.sampler)  # of a whole epoch

    def __iter__(self) -> Iterator[Tensor]:
        yield from islice(self.sampler, self.count_done(), None)

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this at each epoch's start."""
        self.sampler.set_epoch(epoch)


class PlainBatches:
    """Every image once per epoch; yields int64 index tensors [B].

    Args:
        num_items: number of images.
        batch_size: images per batch, on each rank.
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
        mine = self._order(generator)[: self._shared()][self.rank :: self.world]
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            yield mine[start : start + self.batch_size]

    def _order(self, generator: torch.Generator) -> Tensor:
        return torch.randperm(self.num_items, generator=generator) if self.shuffle else torch.arange(self.num_items)

    def _shared(self) -> int:
        return self.num_items - self.num_items % self.world if self.shuffle else self.num_items


class ResampledBatches(PlainBatches):
    """Images per epoch, each class in proportion to a power of its n images; yields int64 index tensors [B].

    Mahajan et al. 2018 (arXiv 1805.00932) draw hashtags by their frequency, its square root, or all alike. Here an
    epoch holds each class's share of it exactly, but for the part of an image, which falls at random: so a class too
    rare for one image an epoch is still seen, in some epochs. Within an epoch no image of a class comes a second time
    before each of them came once.

    Args:
        labels: the class of each image, int64 [N].
        batch_size, drop_last, seed, rank, world: see `PlainBatches`; all that is drawn follows from (seed, epoch).
        power: 1 for as frequent as the images are, 0.5 for the square root of that, 0 for all classes alike.
        epoch_size: images per epoch, over all ranks; None for N.
    """

    def __init__(
        self,
        labels: Tensor,
        batch_size: int,
        *,
        power: float,
        epoch_size: int | None = None,
        drop_last: bool = False,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        super().__init__(
            len(labels) if epoch_size is None else epoch_size,
            batch_size,
            shuffle=True,
            drop_last=drop_last,
            seed=seed,
            rank=rank,
            world=world,
        )
        counts = labels.unique(return_counts=True)[1]
        self.members = labels.argsort(stable=True).split(counts.tolist())
        weights = counts.double() ** power
        self.shares = self.num_items * weights / weights.sum()

    def _order(self, generator: torch.Generator) -> Tensor:
        quotas = round_randomly(self.shares, generator).tolist()
        drawn = [_in_rounds(*pair, generator) for pair in zip(self.members, quotas, strict=True)]
        return torch.cat(drawn)[torch.randperm(self.num_items, generator=generator)]


def round_randomly(shares: Tensor, generator: torch.Generator) -> Tensor:
    """Whole numbers for `shares` [K] whose sum is whole, int64 [K]: the same sum, and on average the shares.

    Each is rounded down or up, up with the probability of its fraction: systematic sampling of the fractions, in a
    random order.
    """
    down = shares.floor()
    left = round(float((shares - down).sum()))
    order = torch.randperm(len(shares), generator=generator)
    ends = (shares - down)[order].cumsum(0).clamp(max=left)
    ends[-1] = left
    marks = torch.cat([torch.zeros(1, dtype=ends.dtype), ends]) + torch.rand(1, generator=generator)
    down[order] += marks.floor().diff()
    return down.long()


def _in_rounds(members: Tensor, num: int, generator: torch.Generator) -> Tensor:
    """`num` of `members` [M], each as often as any other or once more, in rounds of random order [num]."""
    lots = torch.rand(-(-num // len(members)), len(members), generator=generator, dtype=torch.float64)
    return members[lots.argsort(dim=1).flatten()[:num]]


class IdentityBatches:
    """Batches of P people with K images each; yields int64 index tensors, about [P*K].

    In an epoch each person's images are shuffled and dealt into groups of K; a remainder of one joins the group before
    it, a larger one is a group of its own. A person's groups lie evenly over the epoch, each at random within its
    share of it, and a batch is a run of P = batch_size // K groups or a few more, so that all of them are drawn and
    their number is the same in every epoch. Its people are mostly distinct: they are where all have equally many groups
    and a batch does not lie across two rounds.

    Each image is drawn once an epoch, but those of people who have a single one.

    Args:
        labels: whom each image shows, int64 [N].
        batch_size: images per batch, on each rank.
        images_per_person: K.
        held_back: images that come in little by little, bool [N].
        ramp: epochs of that: in epoch e, counted from 0, each such image takes part with a probability of
            min(1, (e + 1) / (ramp + 1)), drawn anew; from epoch `ramp` on all do. Where that leaves too few, the others
            are drawn more than once. Guo et al. 2018 (arXiv 1806.01196) bring in faces with glasses gradually; the
            line, and by epochs, is our reading.
        seed: of all that is drawn, with the epoch.
        rank, world: this process's number and the number of processes. Together they have, in each step, a batch
            of `world` times the size, of which each takes every `world`-th group.

    Raises:
        ValueError: K below 2, no room for two people, or fewer than two people who take part in every epoch.
    """

    def __init__(
        self,
        labels: Tensor,
        batch_size: int,
        images_per_person: int,
        *,
        held_back: Tensor | None = None,
        ramp: int = 0,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if images_per_person < 2:
            raise ValueError(f"expected 2 images a person or more, got {images_per_person}")
        if batch_size < 2 * images_per_person:
            raise ValueError(f"expected a batch of two people's images, {2 * images_per_person}, got {batch_size}")
        held_back = torch.zeros(len(labels), dtype=torch.bool) if held_back is None else held_back
        certain = labels if ramp == 0 else labels[~held_back]
        people = int((certain.unique(return_counts=True)[1] >= 2).sum())
        if people < 2:
            raise ValueError(f"expected two people or more with two images in every epoch, got {people}")
        self.labels, self.held_back, self.ramp = labels, held_back, ramp
        self.images_per_person = images_per_person
        self.seed, self.rank, self.world = seed, rank, world
        self.epoch = 0
        everyone = torch.ones(len(labels), dtype=torch.bool)
        self.num_groups = len(self._groups(everyone, torch.Generator()))
        if self.num_groups < world:
            raise ValueError(f"expected a group of images for each of {world} processes, got {self.num_groups}")
        self.num_batches = max(1, self.num_groups // (batch_size * world // images_per_person))

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this at each epoch's start."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.num_batches

    def __iter__(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        chance = min(1.0, (self.epoch + 1) / (self.ramp + 1))
        here = ~self.held_back | (torch.rand(len(self.labels), generator=generator) < chance)
        groups: list[Tensor] = []
        while len(groups) < self.num_groups:
            groups += self._groups(here, generator)
        ends = [self.num_groups * number // self.num_batches for number in range(self.num_batches + 1)]
        for start, end in pairwise(ends):
            batch = torch.cat(groups[start:end][self.rank :: self.world])
            yield batch.unique() if self.ramp else batch  # an image drawn twice must not meet itself

    def _groups(self, here: Tensor, generator: torch.Generator) -> list[Tensor]:
        """The groups of everyone who is `here` [N] with two images or more, spread evenly in a random order."""
        order = torch.randperm(len(self.labels), generator=generator)
        order = order[here[order]]
        order = order[self.labels[order].argsort(stable=True)]
        counts = self.labels[order].unique_consecutive(return_counts=True)[1]
        dealt = [self._deal(images) for images in order.split(counts.tolist()) if len(images) >= 2]
        groups = [group for person in dealt for group in person]
        rounds = torch.tensor([number for person in dealt for number in range(len(person))])
        shares = torch.tensor([len(person) for person in dealt for _ in person])
        places = (rounds + torch.rand(len(groups), generator=generator)) / shares
        return _apart([groups[place] for place in places.argsort().tolist()], self.labels)

    def _deal(self, images: Tensor) -> list[Tensor]:
        groups = list(images.split(self.images_per_person))
        if len(groups[-1]) == 1:
            groups[-2:] = [torch.cat(groups[-2:])]
        return groups


def _apart(groups: list[Tensor], labels: Tensor) -> list[Tensor]:
    """The groups, so that no one comes twice running while anyone else is left: two groups are then two people."""
    order = [(int(labels[group[0]]), group) for group in groups]
    for place in range(1, len(order)):
        person = order[place][0]
        if person == order[place - 1][0]:
            other = next((later for later in range(place, len(order)) if order[later][0] != person), place)
            order[place], order[other] = order[other], order[place]
    return [group for _, group in order]
