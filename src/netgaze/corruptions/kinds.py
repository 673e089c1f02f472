"""The fifteen kinds, their constants at five severities, and `corrupt`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from netgaze.corruptions import blur, digital, noise, weather
from netgaze.corruptions.draws import seed_images
from netgaze.corruptions.rounding import cut

SEVERITIES = (1, 2, 3, 4, 5)
_LARGE = 85  # pixels across from which a side is nearer to ImageNet-C's 224 than to CIFAR-10-C's 32, by their ratio
_SIDE = 244 / 224  # what the authors take for the side of ImageNet's images in one place


@dataclass(frozen=True)
class Kind:
    """A way to corrupt images.

    Attributes:
        group: noise, blur, weather or digital.
        words: the name shown to readers.
        apply: (images, rngs, *constants) -> images, see `noise`.
        small: the constants of CIFAR-10-C, for severities 1 to 5.
        large: those of ImageNet-C.
    """

    group: str
    words: str
    apply: Callable[..., Tensor]
    small: tuple[Any, ...]
    large: tuple[Any, ...]


# By the names of CIFAR-10-C's files, in the paper's order. Constants: make_cifar_c.py and make_imagenet_c.py of the
# authors (github.com/hendrycks/robustness).
KINDS = {
    "gaussian_noise": Kind(
        "noise",
        "gaussian noise",
        noise.add_gaussian_noise,
        ((0.04,), (0.06,), (0.08,), (0.09,), (0.10,)),
        ((0.08,), (0.12,), (0.18,), (0.26,), (0.38,)),
    ),
    "shot_noise": Kind(
        "noise",
        "shot noise",
        noise.add_shot_noise,
        ((500,), (250,), (100,), (75,), (50,)),
        ((60,), (25,), (12,), (5,), (3,)),
    ),
    "impulse_noise": Kind(
        "noise",
        "impulse noise",
        noise.add_impulse_noise,
        ((0.01,), (0.02,), (0.03,), (0.05,), (0.07,)),
        ((0.03,), (0.06,), (0.09,), (0.17,), (0.27,)),
    ),
    "defocus_blur": Kind(
        "blur",
        "defocus blur",
        blur.defocus,
        ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
        ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
    ),
    "glass_blur": Kind(
        "blur",
        "glass blur",
        blur.blur_through_glass,
        ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
        ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    ),
    "motion_blur": Kind(
        "blur",
        "motion blur",
        blur.blur_by_motion,
        ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
        ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
    ),
    "zoom_blur": Kind(
        "blur",
        "zoom blur",
        blur.blur_by_zooming,
        ((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
        ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
    ),
    "snow": Kind(
        "weather",
        "snow",
        weather.add_snow,
        (
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
        (
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
    ),
    "frost": Kind(
        "weather",
        "frost",
        weather.add_frost,
        ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)),
        ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)),
    ),
    "fog": Kind(
        "weather",
        "fog",
        weather.add_fog,
        ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
        ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
    ),
    "brightness": Kind(
        "weather",
        "brightness",
        weather.brighten,
        ((0.05,), (0.1,), (0.15,), (0.2,), (0.3,)),
        ((0.1,), (0.2,), (0.3,), (0.4,), (0.5,)),
    ),
    "contrast": Kind(
        "digital",
        "contrast",
        digital.lower_contrast,
        ((0.75,), (0.5,), (0.4,), (0.3,), (0.15,)),
        ((0.4,), (0.3,), (0.2,), (0.1,), (0.05,)),
    ),
    "elastic_transform": Kind(
        "digital",
        "elastic",
        digital.warp,
        ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)),
        tuple(
            tuple(_SIDE * share for share in shares)
            for shares in ((2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02))
        ),
    ),
    "pixelate": Kind(
        "digital",
        "pixelate",
        digital.pixelate,
        ((0.95,), (0.9,), (0.85,), (0.75,), (0.65,)),
        ((0.6,), (0.5,), (0.4,), (0.3,), (0.25,)),
    ),
    "jpeg_compression": Kind(
        "digital",
        "JPEG",
        digital.compress,
        ((80,), (65,), (58,), (50,), (40,)),
        ((25,), (18,), (15,), (10,), (7,)),
    ),
}
_NUMBERS = {name: number for number, name in enumerate(KINDS)}


def is_large(size: int) -> bool:
    """Whether images so many pixels across are corrupted by the constants of ImageNet-C, not of CIFAR-10-C."""
    return size >= _LARGE


@torch.no_grad()
def corrupt(images: Tensor, kind: str, severity: int, index: Tensor, seed: int = 0) -> Tensor:
    """Images corrupted: uint8 [B,C,S,S] -> uint8 [B,C,S,S], on the CPU.

    What is drawn for an image depends on the seed, the kind and the image's place in its split, not on the severity
    nor on the other images: of one image severities differ in strength alone, where the authors draw anew.

    Args:
        images: of one channel or three.
        kind: see `KINDS`.
        severity: 1 to 5.
        index: the images' places in their split, int64 [B].
        seed: of all draws.

    Raises:
        ValueError: no such kind or severity, or images that are not square.
    """
    if kind not in KINDS or severity not in SEVERITIES or images.shape[-1] != images.shape[-2]:
        raise ValueError(f"expected a kind, a severity and square images, got {kind}, {severity}, {images.shape}")
    constants = KINDS[kind].large if is_large(images.shape[-1]) else KINDS[kind].small
    rngs = seed_images(seed, _NUMBERS[kind], index.tolist())
    return cut(KINDS[kind].apply(images.float(), rngs, *constants[severity - 1])).to(torch.uint8)
