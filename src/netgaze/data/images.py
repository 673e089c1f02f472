"""The parts of a data set: images that give a batch where an index tensor is asked for."""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from netgaze.batch import Batch
from netgaze.data.streamed import Streamed
from netgaze.files import digest

_AT_ONCE = 1000  # images of a digest that are copied together


@dataclass
class Images(Dataset[Batch]):
    """A split: images uint8 [N,C,H,W], labels int64 [N], and object masks bool [M,H,W] where there are any.

    `mask_of` says which mask is whose, int64 [N], -1 where an image has none; None where all have one, in order.
    `marks` are further things known of each image, bool [N] by name, such as who wears glasses.

    Images are kept with channels last in memory, as networks and augmentation like them best. A part of a split is an
    `index` [N] into the same `whole` [..,C,H,W]: no image is copied before it is asked for, so that those of a large
    set stay in their file. Those of the largest sets are no tensor, but `Streamed` from their own files.

    `source` names what `whole` holds, where that is known without reading it: a file whose content was hashed once.

    Indexed by an index tensor [B], it gives a batch of one view, uint8 [B,C,H,W].
    """

    whole: Tensor | Streamed
    labels: Tensor
    masks: Tensor | None = None
    mask_of: Tensor | None = None
    marks: dict[str, Tensor] = field(default_factory=dict)
    index: Tensor | None = None
    source: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.whole, Tensor):
            self.whole = self.whole.contiguous(memory_format=torch.channels_last)
        if self.mask_of is None:
            self.mask_of = torch.full_like(self.labels, -1) if self.masks is None else torch.arange(len(self.labels))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Tensor) -> Batch:
        return Batch((self._gather(index),), self.labels.index_select(0, index), index)

    def _gather(self, index: Tensor) -> Tensor:
        rows = index if self.index is None else self.index.index_select(0, index)
        if isinstance(self.whole, Streamed):
            return self.whole.gather(rows)
        # Seen with channels last, an image is one run of bytes: one copy an image instead of one a value.
        pixels = self.whole.permute(0, 2, 3, 1).index_select(0, rows)
        return pixels.permute(0, 3, 1, 2)

    @property
    def images(self) -> Tensor:
        """All images [N,C,H,W]; of a part they are a copy."""
        return self.stored()

    @property
    def streamed(self) -> bool:
        """Whether images are decoded each time that they are asked for."""
        return isinstance(self.whole, Streamed)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a stored image, (C, H, W)."""
        return tuple(self.whole.shape[1:])

    @property
    def nbytes(self) -> int:
        """Bytes that the images take."""
        return len(self) * math.prod(self.shape)

    def to(self, device: torch.device) -> "Images":
        """The same images and labels on a device, to be trained on: what else is known of them stays behind."""
        if self.whole.device == device:
            return self
        images = torch.empty((len(self), *self.shape), dtype=torch.uint8, device=device)
        images = images.contiguous(memory_format=torch.channels_last)
        for rows in torch.arange(len(self)).split(_AT_ONCE):
            images[rows[0] : rows[-1] + 1] = self._gather(rows)
        return Images(images, self.labels.to(device))

    def stored(self, index: Any = None) -> Tensor:
        """All images, or those at `index` [M], as they are stored."""
        if isinstance(self.whole, Tensor) and self.index is None:
            return self.whole if index is None else self.whole[index]
        every = torch.arange(len(self))
        return self._gather(every if index is None else every[index])

    def take(self, index: Tensor) -> "Images":
        """The part of the split at `index` [M], which shares its images."""
        assert self.mask_of is not None
        marks = {name: mark[index] for name, mark in self.marks.items()}
        rows = index if self.index is None else self.index[index]
        return Images(self.whole, self.labels[index], self.masks, self.mask_of[index], marks, rows, self.source)


@dataclass
class Unlabeled(Dataset[Batch]):
    """Images whose labels were taken away: each reads -1.

    Indexed by an index tensor [B], it gives a batch of one view, uint8 [B,C,H,W].
    """

    labeled: Images

    def __len__(self) -> int:
        return len(self.labeled)

    def __getitem__(self, index: Tensor) -> Batch:
        return Batch(self.labeled[index].views, torch.full_like(index, -1), index)

    def stored(self, index: Any = None) -> Tensor:
        """All images, or those at `index` [M], as they are stored."""
        return self.labeled.stored(index)

    @property
    def labels(self) -> Tensor:
        """-1 for each image [N]."""
        return torch.full_like(self.labeled.labels, -1)

    @property
    def masks(self) -> Tensor | None:
        """Object masks bool [M,H,W] where there are any."""
        return self.labeled.masks

    @property
    def mask_of(self) -> Tensor | None:
        """Which mask is whose [N], as in `Images`."""
        return self.labeled.mask_of

    @cached_property
    def digest(self) -> str:
        """A short name for the stored images in their order."""
        if self.labeled.streamed:
            return digest(self.labeled.source, self.labeled.index.numpy() if self.labeled.index is not None else None)
        parts = (self[index].images for index in torch.arange(len(self)).split(_AT_ONCE))
        return digest(*[digest(part.permute(0, 2, 3, 1).numpy()) for part in parts])


@dataclass
class Vectors(Dataset[Batch]):
    """Features in the place of a split's images: V views [V,N,D] of each, and labels int64 [N].

    Indexed by an index tensor [B], it gives a batch of features [B,D]: of each image one of the V, drawn at random.
    """

    features: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def nbytes(self) -> int:
        """Bytes that the features take."""
        return self.features.nbytes

    def to(self, device: torch.device) -> "Vectors":
        """The same on a device."""
        return Vectors(self.features.to(device), self.labels.to(device))

    def __getitem__(self, index: Tensor) -> Batch:
        drawn = torch.zeros_like(index)
        if len(self.features) > 1:
            drawn = torch.randint(len(self.features), index.shape, device=index.device)
        return Batch((self.features[drawn, index],), self.labels.index_select(0, index), index)
