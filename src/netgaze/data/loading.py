"""From a split and a sampler to batches on a device: gathered there if the split fits, else copied one batch ahead.

A split that lies on the device needs no copy in a step: the order of an epoch goes there once, and batches are gathered
and augmented where they are trained on. On a CPU this is the same code, of which no copy is left.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from netgaze.batch import Batch
from netgaze.data.images import Images, Vectors
from netgaze.errors import NetgazeError
from netgaze.ranks import count_cores

_SHARE = 0.3  # of a device's free memory that a split may take


def make_loader(part: Images | Vectors, sampler: Any, device: torch.device, resident: bool | None = None) -> Any:
    """What yields the batches of a split: raw images, or features, on `device`.

    Args:
        part: the split, in the processor's memory.
        sampler: yields index tensors [B]; has a length and `set_epoch`.
        device: where batches are wanted.
        resident: whether the split lies there; None for where it fits.
    """
    if resident or (resident is None and fits(part, device)):
        part, sampler = part.to(device), DeviceOrder(sampler, device)
        ahead = False
    else:
        ahead = True
    workers = count_cores() if isinstance(part, Images) and part.streamed else 0
    # An own generator: the loader's base seed must not be drawn from the global one.
    generator, stays = torch.Generator(), workers > 0
    batches: Dataset[Any] = _Answering(part) if workers else part
    loader = DataLoader(
        batches, None, sampler=sampler, generator=generator, num_workers=workers, persistent_workers=stays
    )
    return Ahead(loader, device) if ahead else loader


class _Answering(Dataset[Any]):
    """A split in a process that only loads: its errors are handed over, where others would have its whole stack."""

    def __init__(self, part: Images | Vectors):
        self.part = part

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, index: Tensor) -> Batch | NetgazeError:
        try:
            return self.part[index]
        except NetgazeError as error:
            return error


def fits(part: Images | Vectors, device: torch.device) -> bool:
    """Whether a split lies on a device, or may take so much of its free memory; a streamed one lies nowhere."""
    if isinstance(part, Images) and part.streamed:
        return False
    if device.type == "cpu":
        return True
    return device.type == "cuda" and part.nbytes <= _SHARE * torch.cuda.mem_get_info(device)[0]


class DeviceOrder:
    """A sampler whose index tensors lie on a device: all of an epoch are copied there at once.

    Args:
        sampler: yields index tensors [B] on the CPU.
        device: where they are wanted.
    """

    def __init__(self, sampler: Any, device: torch.device):
        self.sampler, self.device = sampler, device

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[Tensor]:
        if self.device.type == "cpu":
            yield from self.sampler
            return
        batches = list(self.sampler)
        yield from torch.cat(batches).to(self.device).split([len(batch) for batch in batches])

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this at each epoch's start."""
        self.sampler.set_epoch(epoch)


class Ahead:
    """Batches of a loader on a GPU, each copied while the one before it is worked on: pinned, on a stream of its own.

    Args:
        loader: yields batches in the processor's memory.
        device: a GPU; on others batches are copied as they come.
    """

    def __init__(self, loader: DataLoader, device: torch.device):
        self.loader, self.device = loader, device
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def __len__(self) -> int:
        return len(self.loader)

    @property
    def sampler(self) -> Any:
        """The loader's, to which Lightning says which epoch it is."""
        return self.loader.sampler

    @property
    def batch_sampler(self) -> Any:
        """The loader's, by which Lightning asks whether validation is shuffled."""
        return self.loader.batch_sampler

    def __iter__(self) -> Iterator[Batch]:
        waiting = None
        for batch in self.loader:
            if isinstance(batch, NetgazeError):
                raise batch
            copied = self._copy(batch)
            if waiting is not None:
                yield self._hand_over(*waiting)
            waiting = copied
        if waiting is not None:
            yield self._hand_over(*waiting)

    def _copy(self, batch: Batch) -> tuple[Batch, Any]:
        """A batch on its way, and the event of its arrival; None where nothing is copied by itself."""
        if self.stream is None:
            return batch.to(self.device), None
        with torch.cuda.stream(self.stream):
            return batch.pin_memory().to(self.device), self.stream.record_event()

    def _hand_over(self, batch: Batch, arrived: Any) -> Batch:
        """A batch whose copy is waited for, not the next one's, and whose memory is kept until it was worked on."""
        if arrived is not None:
            current = torch.cuda.current_stream(self.device)
            current.wait_event(arrived)
            for part in (*batch.views, batch.labels, batch.index):
                part.record_stream(current)
        return batch
