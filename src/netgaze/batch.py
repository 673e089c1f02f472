"""The input of a training step."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Mixed:
    """That each image of a batch was mixed with another.

    Attributes:
        labels: of the other images, int64 [B].
        share: of each image that is its own, 0..1: what its own label counts; the other's counts the rest.
    """

    labels: Tensor
    share: float


@dataclass(frozen=True)
class Batch:
    """Some images of a split.

    Attributes:
        views: V tensors [B,C,H,W], each a view of the same images: uint8 as they are stored, float32 and normalized
            after the transfer to the device. Each image and each view is augmented by its own draw; validation and
            test have one view. Or one tensor of features [B,D].
        labels: int64 [B].
        index: the place of each image in its split, int64 [B].
        mixed: with what the images were mixed, in training where that is asked for; else None.
    """

    views: tuple[Tensor, ...]
    labels: Tensor
    index: Tensor
    mixed: Mixed | None = None

    @property
    def images(self) -> Tensor:
        """The first view."""
        return self.views[0]

    def __len__(self) -> int:
        return len(self.labels)

    def pin_memory(self) -> "Batch":
        """The same batch in memory that a GPU copies from by itself."""
        *views, labels, index = [part.pin_memory() for part in (*self.views, self.labels, self.index)]
        return Batch(tuple(views), labels, index, self.mixed)

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on a device."""
        wait = torch.device(device).type != "cuda"  # elsewhere a tensor could be read before it has arrived
        parts = (*self.views, self.labels, self.index)
        *views, labels, index = [part.to(device, non_blocking=not wait) for part in parts]
        return Batch(tuple(views), labels, index, self.mixed)
