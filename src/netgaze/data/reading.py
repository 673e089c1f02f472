"""What image files hold: their pixels, or no more than their headers. Needs no torch."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from pathlib import Path

import numpy as np
from PIL import Image

from netgaze.data.decode import FORMATS, Form, decode_opened
from netgaze.data.values import Extent, Ranges, is_deep, measure, read_values
from netgaze.folders.scan import describe_beginning

_NAMED_BY = 4096  # first bytes of a file that is not decoded: with its size they tell it from others


@dataclass
class Read:
    """Some files, in order.

    Attributes:
        num: files.
        hashes: names of the contents: of the images in `pixels`, or of all files where their headers alone were read.
        lost: what those are that cannot be read, by their places among these files.
        deep: the extent of the numbers of those that have not 8 bits, by their places.
        pixels: images of the others, uint8 [M,S,S,C]; None where headers alone were read.
    """

    num: int
    hashes: list[bytes] = field(default_factory=list)
    lost: dict[int, str] = field(default_factory=dict)
    deep: dict[int, Extent] = field(default_factory=dict)
    pixels: np.ndarray | None = None


def read_pixels(files: Sequence[Path | str], form: Form, ranges: Ranges) -> Read:
    """Some files as images; those of other numbers than 8 bits are only measured.

    Args:
        files: of pictures.
        form: what they become.
        ranges: that were typed, see `decode.decode`.
    """
    read, images = Read(len(files)), list[np.ndarray]()
    for place, file in enumerate(files):
        found = _read(file, form, ranges)
        if isinstance(found, np.ndarray):
            images.append(found)
        elif found is not None:
            _note(read, place, found)
    read.pixels = np.stack(images) if images else np.zeros((0, form.size, form.size, form.channels), np.uint8)
    read.hashes = hash_pictures(read.pixels)
    return read


def read_headers(files: Sequence[Path | str]) -> Read:
    """Whether some files are pictures; those of other numbers than 8 bits are measured."""
    read = Read(len(files))
    for place, file in enumerate(files):
        found = _read(file, None, {})
        read.hashes.append(b"" if isinstance(found, str) else _hash_beginning(file))
        if isinstance(found, str | Extent):
            _note(read, place, found)
    return read


def hash_pictures(pictures: np.ndarray) -> list[bytes]:
    """A name for the content of each picture [N,S,S,C]."""
    # Processors have instructions for it: a quarter of blake2b's time, which would be a fifth of that of decoding.
    return [sha256(np.ascontiguousarray(picture).data).digest()[:16] for picture in pictures]


def _note(read: Read, place: int, found: Extent | str) -> None:
    if isinstance(found, str):
        read.lost[place] = found
    else:
        read.deep[place] = found


def _read(path: Path | str, form: Form | None, ranges: Ranges) -> np.ndarray | Extent | str | None:
    """A file's image, None without a form; the extent of its numbers where these are no 8 bits; or why it is lost."""
    try:
        with Image.open(path, formats=FORMATS) as opened:
            if is_deep(opened):
                return measure(read_values(path, opened, FORMATS))
            return None if form is None else decode_opened(path, opened, form, ranges)
    except Image.DecompressionBombError:
        return "too many pixels"
    except Exception:  # readers of broken files raise nearly everything; the caller counts and names them
        return describe_beginning(str(path)) or "cannot be read"


def _hash_beginning(path: Path | str) -> bytes:
    with open(path, "rb") as file:
        first = file.read(_NAMED_BY)
        return blake2b(first, digest_size=16, salt=os.fstat(file.fileno()).st_size.to_bytes(8, "little")).digest()
