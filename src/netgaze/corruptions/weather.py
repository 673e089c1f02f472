"""Weather: snow, frost, fog and bright light; see `noise` for what functions take."""

import torch
from torch import Tensor

from netgaze.corruptions.blur import smear
from netgaze.corruptions.draws import Rngs, draw_each
from netgaze.corruptions.operators import enlarge
from netgaze.corruptions.plasma import make_plasma
from netgaze.corruptions.rounding import cut

_WHITE = 255
_LUMA = (0.299, 0.587, 0.114)  # of red, green and blue, in OpenCV's rounding
_ICE = (0.86, 0.95, 1.0)  # red, green and blue of frost
_ROUGH, _SMOOTH = 1.35, 2.5  # decay of the heights along whose ridges ice grows, and of where it grows


def add_snow(
    images: Tensor,
    rngs: Rngs,
    mean: float,
    scale: float,
    zoom: float,
    threshold: float,
    radius: float,
    sigma: float,
    kept: float,
) -> Tensor:
    """Flakes that fall: normal noise, enlarged, what is below a threshold taken away, smeared downwards; lighter."""
    size = images.shape[-1]
    flakes = draw_each(rngs, lambda rng: rng.normal(mean, scale, (1, size, size)))
    degrees = draw_each(rngs, lambda rng: rng.uniform(-135, -45))
    flakes = enlarge(flakes, zoom)
    flakes = smear(cut(_WHITE * flakes * (flakes >= threshold)), degrees, radius, sigma)
    pale = torch.maximum(images, 1.5 * _to_gray(images) + 0.5 * _WHITE)
    return kept * images + (1 - kept) * pale + flakes + flakes.rot90(2, (2, 3))


def _to_gray(images: Tensor) -> Tensor:
    """Images [B,C,H,W] -> their grays [B,1,H,W]."""
    weights = torch.tensor(_LUMA if images.shape[1] == 3 else (1.0,))
    return torch.einsum("bchw,c->bhw", images, weights).unsqueeze(1)


def add_frost(images: Tensor, rngs: Rngs, kept: float, frost: float) -> Tensor:
    """Ice crystals over the image, which is darkened to `kept`.

    The authors lay pieces of six photographs of frost over the image. We have none, and draw ice: see `make_ice`.
    """
    return kept * images + frost * make_ice(rngs, *images.shape[1:3])


def make_ice(rngs: Rngs, channels: int, size: int) -> Tensor:
    """Bluish crystals along the ridges of one cloud, denser where another is high: [B,C,size,size], 0..255."""
    ridges = 1 - (2 * make_plasma(rngs, size, _ROUGH) - 1).abs()
    cover = make_plasma(rngs, size, _SMOOTH)
    white = (0.35 * cover + 0.65 * ridges.square() * (0.4 + 0.6 * cover)).unsqueeze(1)
    color = torch.tensor(_ICE if channels == 3 else (sum(_ICE) / 3,)).view(-1, 1, 1)
    return _WHITE * white * color


def add_fog(images: Tensor, rngs: Rngs, amount: float, decay: float) -> Tensor:
    """A bright cloud over the image, both scaled so that the image's brightest value stays."""
    cloud = amount * _WHITE * make_plasma(rngs, images.shape[-1], decay).unsqueeze(1)
    brightest = images.amax(dim=(1, 2, 3), keepdim=True)
    return (images + cloud) * brightest / (brightest + amount * _WHITE)


def brighten(images: Tensor, rngs: Rngs, amount: float) -> Tensor:
    """Raise the value of HSV, 1 at most; hue and saturation stay."""
    value = images.amax(dim=1, keepdim=True)
    raised = (value + amount * _WHITE).clamp(max=_WHITE)
    return torch.where(value > 0, images * (raised / value.clamp(min=1)), raised)
