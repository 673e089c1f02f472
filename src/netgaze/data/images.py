"""The parts of a data set: tensors that give a batch where an index tensor is asked for."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from netgaze.batch import Batch
from netgaze.files import digest

_AT_ONCE = 1000  # images of a digest that are copied together


@dataclass
class Images(Dataset[Batch]):
    """A split: images uint8 [N,C,H,W], labels int64 [N], and object masks bool [M,H,W] where there are any.

    `mask_of` says which mask is whose, int64 [N], -1 where an image has none; None where all have one, in order.
    `marks` are further things known of each image, bool [N] by name, such as who wears glasses.

    Images are kept with channels last in memory, as networks and augmentation like them best.

    Indexed by an index tensor [B], it gives a batch of one view, uint8 [B,C,H,W].
    """

    images: Tensor
    labels: Tensor
    masks: Tensor | None = None
    mask_of: Tensor | None = None
    marks: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.images = self.images.contiguous(memory_format=torch.channels_last)
        if self.mask_of is None:
            self.mask_of = torch.full_like(self.labels, -1) if self.masks is None else torch.arange(len(self.labels))

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Tensor) -> Batch:
        return Batch((self._copy(index),), self.labels.index_select(0, index), index)

    def _copy(self, index: Tensor) -> Tensor:
        # Seen with channels last, an image is one run of bytes: one copy an image instead of one a value.
        pixels = self.images.permute(0, 2, 3, 1).index_select(0, index)
        return pixels.permute(0, 3, 1, 2)

    @property
    def nbytes(self) -> int:
        """Bytes that the images take."""
        return self.images.nbytes

    def to(self, device: torch.device) -> "Images":
        """The same images and labels on a device, to be trained on: what else is known of them stays behind."""
        if self.images.device == device:
            return self
        return Images(self.images.to(device), self.labels.to(device))

    def stored(self, index: Any = None) -> Tensor:
        """All images, or those at `index` [M], as they are stored."""
        return self.images if index is None else self.images[index]

    def take(self, index: Tensor) -> "Images":
        """The part of the split at `index` [M]."""
        assert self.mask_of is not None
        marks = {name: mark[index] for name, mark in self.marks.items()}
        return Images(self._copy(index), self.labels[index], self.masks, self.mask_of[index], marks)


@dataclass
class Unlabeled(Dataset[Batch]):
    """The images of `whole` at `index` [N], whose labels were taken away: each reads -1.

    None is copied before it is asked for, so that large sets stay where they lie.

    Indexed by an index tensor [B], it gives a batch of one view, uint8 [B,C,H,W].
    """

    whole: Images
    index: Tensor

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, index: Tensor) -> Batch:
        return Batch(self.whole[self.index[index]].views, torch.full_like(index, -1), index)

    def stored(self, index: Any = None) -> Tensor:
        """All images, or those at `index` [M], as they are stored."""
        return self.whole.stored(self.index if index is None else self.index[index])

    @property
    def labels(self) -> Tensor:
        """-1 for each image [N]."""
        return torch.full_like(self.index, -1)

    @property
    def masks(self) -> Tensor | None:
        """Object masks bool [M,H,W] where there are any."""
        return self.whole.masks

    @property
    def mask_of(self) -> Tensor | None:
        """Which mask is whose [N], as in `Images`."""
        return None if self.whole.mask_of is None else self.whole.mask_of[self.index]

    @cached_property
    def digest(self) -> str:
        """A short name for the stored images in their order."""
        parts = (self.whole[index].images for index in self.index.split(_AT_ONCE))
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
