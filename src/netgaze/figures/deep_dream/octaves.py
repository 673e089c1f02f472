"""An image changed step by step, from small sizes to large ones, until a network responds more to it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from netgaze.drawing.examples import to_rgb
from netgaze.errors import NetgazeError, sentence
from netgaze.inside import image_search

_SMALLEST = 32  # pixels of the shorter side from which an octave has something to show
_MOST_FRAMES = 24


@dataclass(frozen=True)
class Octaves:
    """The sizes at which an image is changed, and how; see `DeepDream` for the arguments."""

    num: int
    scale: float
    steps: int
    step: float
    jitter: int
    total_variation: float
    seed: int

    def of(self, image: Tensor, runs: Sequence[image_search.Transform], own: int) -> tuple[list[Tensor], list[str]]:
        """An image [1,C,H,W] in all sizes from small to large that networks take, and what is to be said of it.

        If one of `runs` rejects the full size, the image is its center square at `own` pixels, the data's size.
        """
        notes = []
        if refused := _refusal(runs, image):
            height, width = image.shape[2:]
            image = resize(_square(image), (own, own))
            notes.append(
                f"A network does not accept {height}x{width} pixels ({refused.rstrip('.')}): {own}x{own} are used."
            )
            if refused := _refusal(runs, image):
                raise NetgazeError(
                    f"figure.deep_dream: this network cannot read images of {own}x{own} pixels: {refused}"
                )
        bases = [image]
        for number in range(1, self.num):
            height, width = (round(side / self.scale**number) for side in image.shape[2:])
            if min(height, width) < _SMALLEST or _refusal(runs, image[:, :, :height, :width]):
                notes.append(
                    f"Sizes used: the largest {number} of {self.num}; the others are below {_SMALLEST} pixels, or "
                    "smaller than the network accepts."
                )
                break
            bases.append(resize(bases[-1], (height, width)))
        return bases[::-1], notes

    def dream(
        self, bases: list[Tensor], read: image_search.Transform, maximized: Callable[[Tensor], Tensor], bar: Any
    ) -> tuple[Tensor, list[list[np.ndarray]]]:
        """Change an image until what `maximized` makes of `read(image)` is large.

        Args:
            bases: the image in its sizes, from small to large, each [1,C,h,w] in 0..1.
            read: from an image to an activation.
            maximized: from an activation to a scalar.
            bar: advanced at each step.

        Returns:
            The dream [1,C,H,W], and for each size pictures of it on its way, uint8 [h,w,3], the last one what it
            ended with.
        """
        generator = torch.Generator().manual_seed(self.seed)
        every = -(-self.steps // max(1, _MOST_FRAMES // len(bases)))
        detail, frames = torch.zeros_like(bases[0]), []
        for base in bases:
            image = image_search.Pixels(base + resize(detail, base.shape[2:]))
            shift = image_search.jitter(min(self.jitter, min(base.shape[2:]) // 2), generator)
            frames.append(self._climb(image, image_search.chain([shift, read]), maximized, every, bar))
            detail = image().detach() - base
        return image().detach(), frames

    def _climb(
        self,
        image: image_search.Pixels,
        read: image_search.Transform,
        maximized: Callable[[Tensor], Tensor],
        every: int,
        bar: Any,
    ) -> list[np.ndarray]:
        """The steps at one size: changes the image, and gives a picture of every so many steps, and of the last."""
        frames = []

        def loss(shown: Tensor) -> Tensor:
            rough = self.total_variation * image_search.total_variation(shown) if self.total_variation else 0.0
            return rough - maximized(read(shown))

        def after(step: int) -> None:
            bar.update()
            if (self.steps - 1 - step) % every == 0:
                frames.append(to_picture(image()))

        ascent = image_search.NormalizedAscent(image.parameters(), lr=self.step / 255)
        image_search.search(image, loss, ascent, self.steps, after)
        return frames


def _refusal(runs: Sequence[image_search.Transform], image: Tensor) -> str:
    """Why a network cannot read images of this size [1,C,H,W]; empty if it can."""
    try:
        with torch.no_grad():
            for run in runs:
                run(torch.zeros_like(image))
    except torch.OutOfMemoryError as error:
        height, width = image.shape[2:]
        raise NetgazeError(
            f"{height}x{width} pixels do not fit into memory. Choose a smaller figure.deep_dream.size."
        ) from error
    except Exception as error:  # each network rejects sizes in its own way
        return sentence(error)
    return ""


def resize(images: Tensor, size: Sequence[int]) -> Tensor:
    """Images [B,C,H,W] brought to (height, width) bilinearly, corner on corner, as SciPy's zoom of order 1."""
    if tuple(images.shape[2:]) == tuple(size):
        return images
    return F.interpolate(images, tuple(size), mode="bilinear", align_corners=True)


def _square(image: Tensor) -> Tensor:
    """The center square of an image [1,C,H,W]."""
    height, width = image.shape[2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return image[:, :, top : top + side, left : left + side]


def to_picture(image: Tensor) -> np.ndarray:
    """An image [1,C,H,W] in 0..1 as uint8 [H,W,3]."""
    return to_rgb((image.detach().cpu() * 255).round().clamp(0, 255).to(torch.uint8))[0]


def to_frames(base: np.ndarray, octaves: Sequence[Iterable[np.ndarray]]) -> np.ndarray:
    """The image [H,W,3] and all frames of all octaves, enlarged to its size, uint8 [T,H,W,3]."""
    size = base.shape[1::-1]
    frames = [Image.fromarray(frame) for frames in octaves for frame in frames]
    return np.stack([base, *(np.asarray(frame.resize(size, Image.Resampling.BILINEAR)) for frame in frames)])
