"""Image files decoded once, into a checksummed cache that is memory-mapped afterwards."""

import hashlib
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from PIL import Image, ImageOps
from torch import Tensor
from tqdm import tqdm

from netgaze.errors import NetgazeError
from netgaze.files import atomic_write, cache_root, digest, read_json, write_json

log = logging.getLogger(__name__)

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
# Pillow hands some formats (PostScript) to other programs: files from others meet these readers only.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
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
            raise NetgazeError(f"data.fit={self.fit} is not known. It is crop, center or squash.")
        if self.channels not in (1, 3):
            raise NetgazeError(f"data.num_channels={self.channels} is not possible. It is 3 (color) or 1 (gray).")


def decode(path: Path, form: Form) -> np.ndarray:
    """A file's image as a person sees it, uint8 [S,S,C]: upright (EXIF), transparent parts white, first frame.

    Raises:
        Exception: whatever the reader of a broken file raises.
    """
    image = _upright(path, 2 * form.size, form.channels)
    if form.fit == "crop":
        image = ImageOps.fit(image, (form.size, form.size), Image.Resampling.BILINEAR)
    elif form.fit == "center":
        image = _center(image, form.size)
    else:
        image = image.resize((form.size, form.size), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(form.size, form.size, form.channels)


def _upright(path: Path, enough: int, channels: int) -> Image.Image:
    """A file's image in gray or color; a large JPEG is read at an eighth to a half of its size, but `enough`."""
    with Image.open(path, formats=FORMATS) as opened:
        opened.draft(None, (enough, enough))
        opened.load()
    ImageOps.exif_transpose(opened, in_place=True)
    return _as_mode(_flat(opened), "RGB" if channels == 3 else "L")


def _as_mode(image: Image.Image, mode: str) -> Image.Image:
    """An image in another mode: what is in it already is not copied, large as it may be."""
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
    """Numbers of other kinds made 8 bits, and transparent parts laid on white."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    if image.mode in ("I", "F"):  # of unknown range: shares, 8 bits or 16
        values = np.asarray(image)
        scale = 255 if values.max() <= 1 else 1 if values.max() <= 255 else 1 / 257
        return Image.fromarray((values * scale).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = _as_mode(image, "RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image


def read_images(paths: Sequence[str], form: Form) -> Tensor:
    """A person's own pictures, uint8 [N,C,S,S].

    Raises:
        NetgazeError: a path is no picture file that can be read.
    """
    images = []
    for path in paths:
        with _sentences(path):
            images.append(decode(_own(path), form))
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


def read_picture(path: str, longest: int, channels: int) -> Tensor:
    """A person's own picture whole, its longer side scaled to `longest` pixels, uint8 [C,H,W].

    Raises:
        NetgazeError: the path is no picture file that can be read.
    """
    with _sentences(path):
        image = _upright(_own(path), longest, channels)
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
        raise NetgazeError(f"images: {path} cannot be read as a picture ({', '.join(FORMATS)}).") from error


def find_pictures(paths: Sequence[str]) -> list[str]:
    """A person's own pictures: files as they are named, and for a folder all image files below it.

    Raises:
        NetgazeError: a folder holds none.
    """
    found = {file.resolve(): file for path in paths for file in _below(_own(path))}  # none twice
    return [str(file) for file in found.values()]


def _own(path: str) -> Path:
    """A path as a person types it: ~ is the home folder, but ~notes.jpg may be a file."""
    return Path(os.path.expanduser(path))


def _below(path: Path) -> list[Path]:
    return find_images(path) if path.is_dir() else [path]


def find_images(folder: Path) -> list[Path]:
    """All image files below a folder, by their names' endings.

    Raises:
        NetgazeError: there are none.
    """
    # Names that start with a dot are a file system's notes (macOS writes ._photo.jpg, others .thumbnails/), not images.
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES and not _is_hidden(path.relative_to(folder)) and path.is_file()
    ]
    if not found:
        raise NetgazeError(f"{folder} holds no images ({', '.join(sorted(SUFFIXES))}). Add some, or remove the folder.")
    return found


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def decode_cached(root: Path, files: list[Path], form: Form) -> tuple[Tensor, np.ndarray]:
    """The images of `files` under `root`, from the cache, which is filled first where needed.

    Files that cannot be read are left out, and the log names them.

    Returns:
        Images uint8 [M,C,S,S], memory-mapped, and which files could be read, bool [N] with M true ones.

    Raises:
        NetgazeError: the cache cannot be written.
    """
    stats = [(path, path.stat()) for path in files]
    known = [(str(path.relative_to(root)), stat.st_size, stat.st_mtime_ns) for path, stat in stats]
    path = cache_root() / "folder" / f"{digest(known, asdict(form))}.npy"
    if not _is_sound(path):
        _fill(path, files, form)
    kept = np.ones(len(files), dtype=bool)
    kept[read_json(path.with_suffix(".json"))["unreadable"]] = False
    _say_left_out([name for (name, *_), readable in zip(known, kept, strict=True) if not readable], len(files))
    # Copy on write: torch warns of memory that it may not write to, and nothing ever reaches the file.
    pixels = torch.from_numpy(np.load(path, mmap_mode="c"))[: int(kept.sum())]
    return pixels.permute(0, 3, 1, 2), kept


def _say_left_out(names: list[str], num: int) -> None:
    if names:
        more = f" and {len(names) - 10} more" if len(names) > 10 else ""
        log.warning("Left out %d of %d images that cannot be read: %s%s", len(names), num, ", ".join(names[:10]), more)


def _is_sound(path: Path) -> bool:
    try:
        return read_json(path.with_suffix(".json"))["checksum"] == _checksum(path)
    except (OSError, KeyError, TypeError, NetgazeError):
        return False


def _checksum(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def _fill(path: Path, files: list[Path], form: Form) -> None:
    """Decode `files` into `path`: readable images first, in order; the rows that are left stay black."""
    unreadable = []
    shape = (len(files), form.size, form.size, form.channels)
    try:
        with atomic_write(path) as beside, ThreadPoolExecutor(os.cpu_count()) as pool:
            rows = open_memmap(beside, "w+", np.uint8, shape)
            images = pool.map(lambda file: _decoded_or_none(file, form), files)
            bar = tqdm(images, "Decoding images", len(files), disable=not sys.stderr.isatty())
            for number, image in enumerate(bar):
                if image is None:
                    unreadable.append(number)
                else:
                    rows[number - len(unreadable)] = image
            rows.flush()
        write_json(path.with_suffix(".json"), {"checksum": _checksum(path), "unreadable": unreadable})
    except NetgazeError as error:
        raise NetgazeError(f"{error} NETGAZE_CACHE names the folder for decoded images.") from error


def _decoded_or_none(path: Path, form: Form) -> np.ndarray | None:
    try:
        return decode(path, form)
    except Exception:  # readers of broken files raise nearly everything; the caller counts and names them
        return None
