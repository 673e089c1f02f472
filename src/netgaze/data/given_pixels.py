"""8-bit pixels of pictures, arrays and tensors from a notebook, normalized or not."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from netgaze.errors import NetgazeError

_CHANNELS = (1, 3)
_SLACK = 0.5 / 255  # of values in 0..1: what rounding may lie beyond
_DEEP = ("I", "F")  # the modes of Pillow with more than 8 bits begin so

Normalization = tuple[Sequence[float], Sequence[float]]  # mean and standard deviation of values in 0..1


class PixelCollector:
    """Images of one size that come one by one, as uint8.

    Integers of 8 bits are pixels. Decimal numbers are shares of 255 where all of them lie in 0..1; others were
    normalized, which is undone: exactly, up to rounding, where they came from 8 bits. Which of both they are shows at
    the end, so that both readings are kept until then.

    Args:
        num: images that will come.
        normalization: what a network's images are normalized by; None where that is not known.
        where: what the images are called in a sentence.
    """

    def __init__(self, num: int, normalization: Normalization | None, where: str):
        self.num, self.normalization, self.where = num, normalization, where
        self._place = 0
        self._plain = self._restored = torch.empty(0, dtype=torch.uint8)
        self._is_float = False
        self._range = self._restored_range = torch.tensor([torch.inf, -torch.inf])

    def add(self, image: Any) -> None:
        """Take the next one: a Pillow image, or an array or a tensor [C,H,W], [H,W,C] or [H,W].

        Raises:
            NetgazeError: it is none of these, no square, or unlike the first one.
        """
        values = self._read(image)
        if self._place == 0:
            self._begin(values)
        if values.shape != self._plain.shape[1:] or values.is_floating_point() != self._is_float:
            raise NetgazeError(
                f"{self.where}: image {self._place} is {_describe(values)}, and the first one is of another form, "
                f"{_describe(self._plain[0].float() if self._is_float else self._plain[0])}. Give all of them one form."
            )
        if self._is_float:
            self._add_floats(values.float())
        else:
            self._plain[self._place] = values
        self._place += 1

    def finish(self) -> Tensor:
        """The pixels of all images, uint8 [N,C,H,W].

        Raises:
            NetgazeError: their values are no pixels, neither as they are nor with the normalization undone.
        """
        low, high = self._range.tolist()
        if not self._is_float or (low >= 0 and high <= 1):
            return self._plain
        lies = f"{self.where}: the images' values lie in {low:.4g}..{high:.4g}, pixels in 0..1, or as uint8 in 0..255."
        if self.normalization is None:
            raise NetgazeError(
                f"{lies} If they were normalized, say by what, for all networks the same: wrap(network, mean=[...], "
                "std=[...])."
            )
        low, high = self._restored_range.tolist()
        if low >= -_SLACK and high <= 1 + _SLACK:
            return self._restored
        mean, std = (list(values) for values in self.normalization)
        raise NetgazeError(
            f"{lies} Before mean={mean} and std={std} they would have been in {low:.4g}..{high:.4g}: give wrap what "
            "they were normalized by, or give them as they were before."
        )

    def _begin(self, values: Tensor) -> None:
        channels, height, width = values.shape
        if height != width:
            raise NetgazeError(
                f"{self.where}: the images are {height} pixels high and {width} wide, and networks are looked at with "
                "squares. Let the Dataset give such, as torchvision's Resize and CenterCrop do."
            )
        for given in self.normalization or ():
            if len(given) not in (1, channels):
                raise NetgazeError(
                    f"wrap: mean and std need a number per channel: the images have {channels}, got {len(given)}."
                )
        self._is_float = values.is_floating_point()
        self._plain = torch.empty((self.num, *values.shape), dtype=torch.uint8)
        if self._is_float and self.normalization is not None:
            self._restored = torch.empty_like(self._plain)

    def _add_floats(self, values: Tensor) -> None:
        self._range = _widen(self._range, values)
        self._plain[self._place] = _to_bytes(values)
        if self.normalization is not None:
            mean, std = (torch.tensor(each).view(-1, 1, 1) for each in self.normalization)
            restored = values * std + mean
            self._restored_range = _widen(self._restored_range, restored)
            self._restored[self._place] = _to_bytes(restored)

    def _read(self, image: Any) -> Tensor:
        """An image as it was given -> [C,H,W], uint8 or decimal numbers."""
        if isinstance(image, Image.Image):
            if image.mode.startswith(_DEEP):
                raise NetgazeError(
                    f"{self.where}: a picture of mode {image.mode} has more than 8 bits. Give an array of numbers from "
                    "0 (black) to 1 (white)."
                )
            image = np.array(image.convert("L" if image.mode in ("1", "L") else "RGB"))
        if not isinstance(image, Tensor | np.ndarray):
            raise NetgazeError(
                f"{self.where}: an image is a {type(image).__name__}. Give a Pillow image, an array or a tensor; "
                "torchvision.transforms.v2.ToImage makes one."
            )
        values = torch.as_tensor(image).detach().cpu().as_subclass(Tensor)
        values = values[None] if values.ndim == 2 else values
        if values.ndim == 3 and values.shape[0] not in _CHANNELS and values.shape[2] in _CHANNELS:
            values = values.permute(2, 0, 1)
        if values.ndim != 3 or values.shape[0] not in _CHANNELS:
            raise NetgazeError(
                f"{self.where}: an image has the shape {list(values.shape)}. Give [C,H,W], [H,W,C] or [H,W], of one "
                "channel (gray) or three (color)."
            )
        if not values.is_floating_point() and values.dtype != torch.uint8:
            raise NetgazeError(f"{self.where}: an image holds {values.dtype}. Give uint8, or numbers from 0 to 1.")
        return values


def _widen(known: Tensor, values: Tensor) -> Tensor:
    """A range [2] that holds more values, too; NaN as soon as one of them is."""
    low, high = values.aminmax()
    return torch.stack([torch.minimum(known[0], low), torch.maximum(known[1], high)])


def _to_bytes(values: Tensor) -> Tensor:
    """Values of 0..1 as uint8; what lies beyond is cut off."""
    return (values * 255).round_().clamp_(0, 255).nan_to_num_().to(torch.uint8)


def _describe(values: Tensor) -> str:
    kind = "decimal numbers" if values.is_floating_point() else "uint8"
    return f"{kind} of {'x'.join(map(str, values.shape))}"
