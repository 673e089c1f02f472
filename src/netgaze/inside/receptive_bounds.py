"""The parts of the image that a tensor's units see, as bounds; how they follow operations is in `receptive_fields`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

NOTHING = 2**40  # the bounds of a unit that sees nothing of the image, such as a weight


@dataclass(frozen=True)
class Field:
    """What the units of a layer see of the image.

    Attributes:
        size: side of the field in pixels, the largest of all units; may be larger than the image.
        stride: pixels between the fields of neighboring units; None where there is one unit, or no even grid.
        start: first pixel of the first unit's field, 0 at the image's edge; negative where it begins in the padding.
    """

    size: int
    stride: int | None
    start: int


@dataclass(frozen=True)
class Bound:
    """What every unit of a tensor sees.

    Attributes:
        bounds: first row, first column, minus the last row, minus the last column; each as large as the tensor.
        steps: pixels between neighbors, down and across, by which padding is counted; None where there is no grid.
    """

    bounds: tuple[Tensor, ...]
    steps: tuple[int | None, int | None]

    def map(self, change: Callable[[Tensor], Tensor]) -> "Bound":
        """The same with all bounds changed."""
        return replace(self, bounds=tuple(change(bound) for bound in self.bounds))

    def field(self) -> Field | None:
        """The field of its units; None where they see nothing, or not a square."""
        down, across = (self._axis(axis) for axis in (0, 1))
        if down is None or across is None or down.size != across.size or down.start != across.start:
            return None
        return down if down.stride == across.stride else replace(down, stride=None)

    def _axis(self, axis: int) -> Field | None:
        first, last = self.bounds[axis], self.bounds[axis + 2]
        is_map, step = first.ndim == 4, self.steps[axis]
        first, last = torch.broadcast_tensors(thin(first), thin(last))
        sees = first < NOTHING // 2
        if not sees.any():
            return None
        stride = gap(first[sees])
        if is_map and stride != step:  # a map of one unit still lies on its grid; twice as fine a map lies on none
            stride = step if (first == first.flatten()[0]).all() else None
        return Field(1 - int((first + last)[sees].min()), stride, int(first[sees].min()))


def bound_image(shape: Sequence[int]) -> Bound:
    """The sight of an image [B,C,H,W] itself: each pixel sees itself."""
    rows = torch.arange(shape[2]).view(1, 1, -1, 1).expand(*shape)
    columns = torch.arange(shape[3]).expand(*shape)
    return Bound((rows, columns, -rows, -columns), (1, 1))


def thin(bound: Tensor) -> Tensor:
    """A bound without its copies: one place along each dimension that it does not change along."""
    for dim in range(bound.ndim):
        if bound.stride(dim) == 0 and bound.shape[dim] > 1:
            bound = bound.narrow(dim, 0, 1)
    return bound


def gap(firsts: Tensor) -> int | None:
    """Pixels between neighboring fields, which begin at `firsts`, if that is one number."""
    gaps = thin(firsts).unique().diff().unique()
    return int(gaps) if gaps.numel() == 1 else None
