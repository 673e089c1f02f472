"""Image files decoded once, into a file that is memory-mapped afterwards; what it holds is in a manifest beside it."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.format import open_memmap
from torch import Tensor

from netgaze.data.copies import find_equal
from netgaze.data.decode import NO_RANGES, Form, decode
from netgaze.data.manifest import Survey, find_kept, identify, look_through, read_ranges
from netgaze.data.parallel import Files, map_ahead
from netgaze.data.reading import Rows, hash_pictures, read_pixels
from netgaze.data.streamed import Streamed
from netgaze.data.values import Ranges
from netgaze.errors import NetgazeError
from netgaze.files import atomic_write, cache_root, digest, read_json, write_json
from netgaze.locks import one_at_a_time
from netgaze.ranks import count_cores

_VERSION = 3  # of what is kept in the cache
_AHEAD = 64  # images that may wait to be written


@dataclass(frozen=True)
class Decoded:
    """Files as images.

    Attributes:
        images: of the files that could be read, in order, uint8 [M,C,S,S], memory-mapped or streamed.
        kept: which files could be read, bool [N] with M true ones.
        source: a name for the content of `images`, see `Images.source`.
        ranges: what black and white are in files of other numbers than 8 bits, by their kind; empty where all have 8.
        unreadable: indices of the files that could not be read, by what they are.
        equal: groups of indices of files whose images are equal.
        num_bad: files with numbers that are none (NaN) or infinite.
    """

    images: Tensor | Streamed
    kept: np.ndarray
    source: str | None = None
    ranges: Ranges = field(default_factory=dict)
    unreadable: dict[str, list[int]] = field(default_factory=dict)
    equal: list[list[int]] = field(default_factory=list)
    num_bad: int = 0


def decode_cached(root: Path, files: Files, form: Form, typed: Ranges = NO_RANGES, identity: str = "") -> Decoded:
    """The images of `files` under `root`, from the cache, which is filled first where needed.

    Files that cannot be read are left out. Numbers other than 8 bits get one range for all files.

    Args:
        root: above all files.
        files: in order.
        form: what they become.
        typed: ranges that were typed; others are found.
        identity: of the files, where it is known; see `manifest.identify`.

    Raises:
        NetgazeError: the cache cannot be written.
    """
    path = locate_cached(identity or identify(root, files), form, typed)
    if not _is_sound(path):
        with suppress(OSError):  # said when it is filled
            path.parent.mkdir(parents=True, exist_ok=True)
        with one_at_a_time(path):
            if not _is_sound(path):
                _fill(path, files, form, typed)
    facts = read_json(path.with_suffix(".json"))
    # Copy on write: torch warns of memory that it may not write to, and nothing ever reaches the file.
    pixels = torch.from_numpy(np.load(path, mmap_mode="c"))[: facts["num"]].permute(0, 3, 1, 2)
    kept, found = find_kept(facts, len(files)), (facts["unreadable"], facts["equal"], facts["num_bad"])
    return Decoded(pixels, kept, facts["checksum"], read_ranges(facts), *found)


def locate_cached(identity: str, form: Form, typed: Ranges) -> Path:
    """Where the images of files are kept, by what tells these from others."""
    return cache_root() / "folder" / f"{digest(identity, asdict(form), _VERSION, dict(typed))}.npy"


def _is_sound(path: Path) -> bool:
    """Whether images and manifest are there and belong together.

    A file of the size and time that the manifest states is the one that was written with it. One of another time, such
    as a copy, is held against the checksum of all its images, once.
    """
    try:
        facts = read_json(path.with_suffix(".json"))
        if facts["file"] == _stamp(path):
            return True
        pixels = np.load(path, mmap_mode="r")[: facts["num"]]
        if len(pixels) != facts["num"] or facts["checksum"] != _join(hash_pictures(pixels)):
            return False
        with suppress(NetgazeError):
            write_json(path.with_suffix(".json"), facts | {"file": _stamp(path)})
        return True
    except (OSError, ValueError, EOFError, KeyError, TypeError, NetgazeError):
        return False


def _stamp(path: Path) -> list[int]:
    stat = os.stat(path)
    return [stat.st_size, stat.st_mtime_ns]


def _join(hashes: Sequence[bytes]) -> str:
    """A name for images in their order, of the names of each."""
    return digest(np.frombuffer(b"".join(hashes), np.uint8))


def _fill(path: Path, files: Files, form: Form, typed: Ranges) -> None:
    """Decode `files` into `path`: readable images first, in order; the rows that are left stay black."""
    shape = (len(files), form.size, form.size, form.channels)
    try:
        with atomic_write(path) as beside:
            rows = open_memmap(beside, "w+", np.uint8, shape)
            _reserve(beside)
            facts = _decode_into(rows, Rows(str(beside), rows.offset), files, form, typed)
            rows.flush()
            del rows
        write_json(path.with_suffix(".json"), {"file": _stamp(path)} | facts)
    except NetgazeError as error:
        raise NetgazeError(f"{error} Set NETGAZE_CACHE to the folder for decoded images.") from error


def _reserve(path: Path) -> None:
    """Take the room on the disk at once: a full one is an error now, and would kill the process later."""
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.path.getsize(path))


def _decode_into(rows: np.memmap, target: Rows, files: Files, form: Form, typed: Ranges) -> dict[str, Any]:
    """Fill `rows` [N,S,S,C], by processes through `target`; files of other numbers than 8 bits come last."""
    survey, hashes = Survey(), list[bytes]()
    reader = partial(read_pixels, form=form, ranges=dict(typed), rows=target)
    for read in look_through(reader, files, "Decoding images"):
        survey.note(read)
        hashes += read.hashes
    ranges = survey.choose_ranges(typed)
    with ThreadPoolExecutor(count_cores()) as pool:
        images = map_ahead(pool, lambda number: decode(files[number], form, ranges), survey.deep, _AHEAD)
        for number, image in zip(survey.deep, images, strict=True):
            rows[number] = image
            (hashes[number],) = hash_pictures(image[None])
    if survey.lost:
        _close_gaps(rows, survey.kept)
        hashes = [hashes[number] for number in survey.kept]
    equal = [[survey.kept[row] for row in group] for group in find_equal(hashes)]
    return survey.describe(ranges) | {"equal": equal, "checksum": _join(hashes)}


def _close_gaps(rows: np.ndarray, kept: Sequence[int]) -> None:
    """Bring the `kept` rows to the front, in order; the others are black then."""
    for start in range(0, len(kept), _AHEAD):
        some = kept[start : start + _AHEAD]  # none lies before its new place: nothing is lost
        rows[start : start + len(some)] = rows[some]
    rows[len(kept) :] = 0
