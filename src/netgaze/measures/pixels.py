"""Raw pixels instead of features."""

import torch
from torch import Tensor


def to_floats(features: Tensor) -> Tensor:
    """Pixels, uint8 0..255, as shares of 255, float32 0..1; features of other numbers as they are.

    Pixels stay uint8 for as long as can be: of a large set all at once, as floats, would not fit into memory.
    """
    return features / 255 if features.dtype == torch.uint8 else features
