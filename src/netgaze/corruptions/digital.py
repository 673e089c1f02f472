"""Digital corruptions: contrast, elastic warping, pixelation, JPEG; see `noise` for what functions take."""

import io
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from netgaze.corruptions.draws import Rngs, draw_each
from netgaze.corruptions.operators import smooth


def lower_contrast(images: Tensor, rngs: Rngs, kept: float) -> Tensor:
    """Move each value toward the mean of its channel, keeping this share of the difference."""
    means = images.mean(dim=(2, 3), keepdim=True)
    return (images - means) * kept + means


def warp(images: Tensor, rngs: Rngs, strength: float, sigma: float, spread: float) -> Tensor:
    """Shift three points at random and the image with them (affine), then each pixel by a smooth random field.

    Args:
        images: see `noise`.
        rngs: see `noise`.
        strength: of the field, in sides of the image.
        sigma: of the Gaussian that smooths it, in sides.
        spread: how far the points move at most in each direction, in sides.
    """
    size = images.shape[-1]
    moves = draw_each(rngs, lambda rng: rng.uniform(-spread * size, spread * size, (3, 2)))
    field = draw_each(rngs, lambda rng: rng.uniform(-1, 1, (2, size, size)))
    images = _sample(images, _map_affinely(moves, size), mirrors_centers=True)
    shifts = strength * size * smooth(field, sigma * size, "reflect", 3.0)
    return _sample(images, _make_grid(size) + shifts.permute(0, 2, 3, 1), mirrors_centers=False)


def _make_grid(size: int) -> Tensor:
    """The places (x, y) of all pixels, [S,S,2]."""
    places = torch.arange(size, dtype=torch.float32)
    return torch.stack(torch.meshgrid(places, places, indexing="xy"), dim=-1)


def _map_affinely(moves: Tensor, size: int) -> Tensor:
    """Where each pixel's value is from when three points about the middle move by `moves` [B,3,2]: [B,S,S,2]."""
    middle, third = size // 2, size // 3
    offsets = torch.tensor([[third, third], [third, -third], [-third, -third]])
    points = torch.cat([(middle + offsets).double(), torch.ones(3, 1, dtype=torch.float64)], dim=1)
    moved = torch.cat([points[:, :2] + moves.double(), torch.ones(len(moves), 3, 1, dtype=torch.float64)], dim=2)
    back = torch.linalg.solve(moved, points[:, :2].expand(len(moves), 3, 2)).float()  # rows: of x, of y, of one
    x, y = _make_grid(size).unsqueeze(-1).unbind(2)
    per_x, per_y, start = back[:, None, None].unbind(3)
    return x * per_x + y * per_y + start


def _sample(images: Tensor, places: Tensor, mirrors_centers: bool) -> Tensor:
    """Values between pixels, linearly, at places (x, y) in pixels [B,S,S,2].

    Beyond the border the image is mirrored at the centers of its outermost pixels, or at their outer edges.
    """
    size = images.shape[-1]
    scaled = 2 * places / (size - 1) - 1 if mirrors_centers else (2 * places + 1) / size - 1
    return F.grid_sample(images, scaled, padding_mode="reflection", align_corners=mirrors_centers)


def pixelate(images: Tensor, rngs: Rngs, kept: float) -> Tensor:
    """Scale down to this share of the side, and up again, by Pillow's box filter."""
    size = images.shape[-1]
    small = int(size * kept)
    box = Image.Resampling.BOX
    return _change_pictures(images, lambda picture: picture.resize((small, small), box).resize((size, size), box))


def compress(images: Tensor, rngs: Rngs, quality: float) -> Tensor:
    """Write as JPEG and read again, by Pillow."""

    def change(picture: Image.Image) -> Image.Image:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=int(quality))
        return Image.open(file)

    return _change_pictures(images, change)


def _change_pictures(images: Tensor, change: Callable[[Image.Image], Image.Image]) -> Tensor:
    """Change images one by one as pictures of Pillow."""
    pixels = images.to(torch.uint8).permute(0, 2, 3, 1).numpy()
    pixels = pixels if pixels.shape[3] == 3 else pixels[..., 0]
    changed = np.stack([np.asarray(change(Image.fromarray(each))) for each in pixels])
    return torch.from_numpy(changed).float().view(len(images), *images.shape[2:], -1).permute(0, 3, 1, 2)
