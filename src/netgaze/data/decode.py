"""Decodes image files of any kind to 8-bit squares: upright, transparent parts white."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageCms, ImageOps
from PIL.ImageFile import ImageFile

from netgaze.data.values import Range, Ranges, is_deep, read_values, stretch, to_bytes
from netgaze.errors import NetgazeError
from netgaze.folders.scan import describe_beginning

if TYPE_CHECKING:
    from torch import Tensor  # processes that only decode start without it

# Pillow hands some formats (PostScript) to other programs: files from others meet these readers only. TGA comes last:
# it has no mark by which it is known.
FORMATS = (
    *("BMP", "DDS", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "PSD", "QOI", "SGI", "TIFF"),
    *("WEBP", "AVIF", "TGA"),
)
NO_RANGES = MappingProxyType[str, Range]({})  # each picture decides for itself
_LONG = 16  # of an image as long as so many of its shorter sides only the center is scaled


@dataclass(frozen=True)
class Form:
    """What images become: squares of `size` pixels with 1 or 3 `channels`.

    `fit` is "crop" (scale the shorter side and cut the center, at parts of a pixel), "center" (the same at whole
    pixels: an image whose shorter side fits keeps its values) or "squash" (scale both sides).
    """

    size: int
    channels: int
    fit: str

    def __post_init__(self) -> None:
        if self.fit not in ("crop", "center", "squash"):
            raise NetgazeError(f"Unknown data.fit={self.fit}. Choose crop, center or squash.")
        if self.channels not in (1, 3):
            raise NetgazeError(f"data.num_channels={self.channels} is not possible. Choose 3 (color) or 1 (gray).")


def decode(path: Path | str, form: Form, ranges: Ranges = NO_RANGES) -> np.ndarray:
    """A file's image as a person sees it, uint8 [S,S,C]: upright (EXIF), transparent parts white, first frame.

    Args:
        path: of the file.
        form: what the image becomes.
        ranges: black and white of other numbers than 8 bits; of a kind that is not among them this file decides alone.

    Raises:
        Exception: whatever the reader of a broken file raises.
    """
    with Image.open(path, formats=FORMATS) as opened:
        return decode_opened(path, opened, form, ranges)


def decode_opened(path: Path | str, opened: ImageFile, form: Form, ranges: Ranges) -> np.ndarray:
    """The same of a file that was opened, and whose header was read."""
    return _fit(_upright(path, opened, 2 * form.size, form.channels, ranges), form)


def _fit(image: Image.Image, form: Form) -> np.ndarray:
    square = (form.size, form.size)
    if image.size != square:  # else each of the three would leave it as it is
        if form.fit == "crop":
            image = ImageOps.fit(image, square, Image.Resampling.BILINEAR)
        elif form.fit == "center":
            image = _center(image, form.size)
        else:
            image = image.resize(square, Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(*square, form.channels)


def _upright(path: Path | str, opened: ImageFile, enough: int, channels: int, ranges: Ranges) -> Image.Image:
    """A file's image in gray or color; a large JPEG is read at an eighth to a half of its size, but `enough`."""
    if is_deep(opened):
        image = Image.fromarray(to_bytes(read_values(path, opened, FORMATS), ranges))
    else:
        opened.draft(None, (enough, enough))
        opened.load()
        ImageOps.exif_transpose(opened, in_place=True)
        image = stretch(_as_mode(_flat(opened), "RGB" if channels == 3 else "L"), ranges)
    return _as_mode(image, "RGB" if channels == 3 else "L")


def _as_mode(image: Image.Image, mode: str) -> Image.Image:
    """An image in another mode: what is in it already is not copied, large as it may be."""
    if image.mode == "LAB":
        to = ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
        image = ImageCms.applyTransform(image, to) or image
    return image if image.mode == mode else image.convert(mode)


def _center(image: Image.Image, size: int) -> Image.Image:
    """As torchvision's Resize and CenterCrop do it."""
    shorter = min(image.size)
    width, height = (int(size * side / shorter) for side in image.size)
    left, top = round((width - size) / 2), round((height - size) / 2)
    if max(width, height) <= _LONG * size:
        image = image.resize((width, height), Image.Resampling.BILINEAR)
        return image.crop((left, top, left + size, top + size))
    # The whole of such an image would fill the memory: the center alone, which rounds differently here and there.
    across, down = image.width / width, image.height / height
    box = (left * across, top * down, (left + size) * across, (top + size) * down)
    return image.resize((size, size), Image.Resampling.BILINEAR, box)


def _flat(image: Image.Image) -> Image.Image:
    """Transparent parts laid on white."""
    if image.has_transparency_data:
        image = _as_mode(image, "RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image


def read_images(paths: Sequence[str], form: Form, ranges: Ranges = NO_RANGES) -> "Tensor":
    """A person's own pictures, uint8 [N,C,S,S].

    Args:
        paths: the files.
        form: what they become.
        ranges: see `decode`.

    Raises:
        NetgazeError: a path is no picture file that can be read.
    """
    import torch

    images = []
    for path in paths:
        with _sentences(path):
            images.append(decode(_own(path), form, ranges))
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


def read_picture(path: str, longest: int, channels: int, ranges: Ranges = NO_RANGES) -> "Tensor":
    """A person's own picture whole, its longer side scaled to `longest` pixels, uint8 [C,H,W].

    Raises:
        NetgazeError: the path is no picture file that can be read.
    """
    import torch

    with _sentences(path), Image.open(_own(path), formats=FORMATS) as opened:
        image = _upright(_own(path), opened, longest, channels, ranges)
        width, height = (max(1, round(longest * side / max(image.size))) for side in image.size)
        pixels = np.array(image.resize((width, height), Image.Resampling.BICUBIC)).reshape(height, width, channels)
    return torch.from_numpy(pixels).permute(2, 0, 1)


@contextmanager
def _sentences(path: str) -> Iterator[None]:
    """What goes wrong with a person's own picture, in a sentence."""
    try:
        yield
    except FileNotFoundError as error:
        raise NetgazeError(f"images: there is no file {path}.") from error
    except Image.DecompressionBombError as error:
        raise NetgazeError(f"images: {path} has too many pixels. Make it smaller first.") from error
    except Exception as error:  # readers of broken files raise nearly everything
        what = describe_beginning(path) or "it is damaged, or of a format that is not read"
        raise NetgazeError(f"images: {path} cannot be read as a picture: {what}.") from error


def _own(path: str) -> Path:
    """A path as a person types it: ~ is the home folder, but ~notes.jpg may be a file."""
    return Path(os.path.expanduser(path))
