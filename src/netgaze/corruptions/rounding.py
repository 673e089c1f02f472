"""Values of 0..255 as bytes, in the way of the authors of CIFAR-10-C."""

from torch import Tensor

_ROUNDING = 1e-4  # of float32: what should be a whole number must not lose one


def cut(images: Tensor) -> Tensor:
    """Values truncated to integers of 0..255, as by NumPy's `uint8`."""
    return images.add(_ROUNDING).floor_().clamp_(0, 255)
