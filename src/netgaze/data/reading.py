"""Reads image files: their pixels into a file, or only their headers. Needs no torch."""

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
        hashes: names of the contents, by places among these files; empty where a file gave none.
        lost: what those are that cannot be read, by their places.
        deep: the extent of the numbers of those that have not 8 bits, by their places.
    """

    num: int
    hashes: list[bytes] = field(default_factory=list)
    lost: dict[int, str] = field(default_factory=dict)
    deep: dict[int, Extent] = field(default_factory=dict)


@dataclass(frozen=True)
class Rows:
    """Where images go: into rows of an array uint8 [N,S,S,C] in a file that is there, by several processes at once.

    Attributes:
        path: of the file.
        offset: of the array in it, in bytes.
    """

    path: str
    offset: int

    def write(self, first: int, images: np.ndarray) -> None:
        """Write images [M,S,S,C] from a row on.

        Raises:
            OSError: the file cannot be written.
        """
        with open(self.path, "r+b", buffering=0) as file:
            file.seek(self.offset + first * images[0].nbytes)
            left = images.data.cast("B")
            while left:
                left = left[file.write(left) :]


def read_pixels(first: int, files: Sequence[Path | str], form: Form, ranges: Ranges, rows: Rows) -> Read:
    """Put some files as images into rows; those that cannot be read stay black, as do those that are only measured.

    Args:
        first: row of the first.
        files: of pictures; those of other numbers than 8 bits are measured.
        form: what they become.
        ranges: that were typed, see `decode.decode`.
        rows: where they go. Written by who decodes them: through a pipe a million images take half as long again.

    Raises:
        OSError: they cannot be written.
    """
    read, images = Read(len(files)), np.zeros((len(files), form.size, form.size, form.channels), np.uint8)
    for place, file in enumerate(files):
        found = _read(file, form, ranges)
        if isinstance(found, np.ndarray):
            images[place] = found
        elif found is not None:
            _note(read, place, found)
        read.hashes += hash_pictures(images[place : place + 1]) if isinstance(found, np.ndarray) else [b""]
    rows.write(first, images)
    return read


def read_headers(first: int, files: Sequence[Path | str]) -> Read:
    """Whether some files are pictures, from number `first` on; those of other numbers than 8 bits are measured."""
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
