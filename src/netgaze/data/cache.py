"""Image files decoded once, into a checksummed cache that is memory-mapped afterwards."""

import hashlib
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.format import open_memmap
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from netgaze.data.copies import find_equal
from netgaze.data.decode import FORMATS, NO_RANGES, Form, decode
from netgaze.data.values import Extent, Ranges, choose_ranges, is_deep, measure, read_values
from netgaze.errors import NetgazeError
from netgaze.files import atomic_write, cache_root, digest, one_at_a_time, read_json, write_json
from netgaze.folders.scan import describe_beginning

_VERSION = 2  # of what is kept in the cache


@dataclass(frozen=True)
class Decoded:
    """Files as images.

    Attributes:
        images: of the files that could be read, in order, uint8 [M,C,S,S], memory-mapped.
        kept: which files could be read, bool [N] with M true ones.
        ranges: what black and white are in files of other numbers than 8 bits, by their kind; empty where all have 8.
        unreadable: indices of the files that could not be read, by what they are.
        equal: groups of indices of files whose images are equal.
        num_bad: files with numbers that are none (NaN) or infinite.
    """

    images: Tensor
    kept: np.ndarray
    ranges: Ranges = field(default_factory=dict)
    unreadable: dict[str, list[int]] = field(default_factory=dict)
    equal: list[list[int]] = field(default_factory=list)
    num_bad: int = 0


def decode_cached(root: Path, files: Sequence[Path | str], form: Form, typed: Ranges = NO_RANGES) -> Decoded:
    """The images of `files` under `root`, from the cache, which is filled first where needed.

    Files that cannot be read are left out. Numbers other than 8 bits get one range for all files.

    Args:
        root: above all files.
        files: in order.
        form: what they become.
        typed: ranges that were typed; others are found.

    Raises:
        NetgazeError: the cache cannot be written.
    """
    known = [_identify(os.fspath(file), os.fspath(root)) for file in files]
    parts = [known, asdict(form), _VERSION, dict(typed)]
    path = cache_root() / "folder" / f"{digest(*parts)}.npy"
    if not _is_sound(path):
        with suppress(OSError):  # said when it is filled
            path.parent.mkdir(parents=True, exist_ok=True)
        with one_at_a_time(path):
            if not _is_sound(path):
                _fill(path, files, form, typed)
    facts, kept = read_json(path.with_suffix(".json")), np.ones(len(files), dtype=bool)
    for indices in facts["unreadable"].values():
        kept[indices] = False
    # Copy on write: torch warns of memory that it may not write to, and nothing ever reaches the file.
    pixels = torch.from_numpy(np.load(path, mmap_mode="c"))[: int(kept.sum())]
    ranges = {kind: (low, high) for kind, (low, high) in facts["ranges"].items()}
    return Decoded(pixels.permute(0, 3, 1, 2), kept, ranges, facts["unreadable"], facts["equal"], facts["num_bad"])


def _identify(file: str, root: str) -> tuple[str, int, int]:
    """What tells a file from another and from what it was: its path below the root, its size and its time."""
    stat = os.stat(file)
    return os.fsencode(file.removeprefix(root)).hex(), stat.st_size, stat.st_mtime_ns


def _is_sound(path: Path) -> bool:
    try:
        return read_json(path.with_suffix(".json"))["checksum"] == _checksum(path)
    except (OSError, KeyError, TypeError, NetgazeError):
        return False


def _checksum(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def _fill(path: Path, files: Sequence[Path | str], form: Form, typed: Ranges) -> None:
    """Decode `files` into `path`: readable images first, in order; the rows that are left stay black."""
    shape = (len(files), form.size, form.size, form.channels)
    try:
        with atomic_write(path) as beside:
            rows = open_memmap(beside, "w+", np.uint8, shape)
            _reserve(beside)
            facts = _decode_into(rows, files, form, typed)
            rows.flush()
        write_json(path.with_suffix(".json"), {"checksum": _checksum(path)} | facts)
    except NetgazeError as error:
        raise NetgazeError(f"{error} NETGAZE_CACHE names the folder for decoded images.") from error


def _reserve(path: Path) -> None:
    """Take the room on the disk at once: a full one is an error now, and would kill the process later."""
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.path.getsize(path))


def _decode_into(rows: np.ndarray, files: Sequence[Path | str], form: Form, typed: Ranges) -> dict[str, Any]:
    """Fill `rows` [N,S,S,C]; files of other numbers than 8 bits come last, once all of them have been measured."""
    unreadable, deep, places = dict[str, list[int]](), dict[int, Extent](), dict[int, int]()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        read = pool.map(lambda file: _read_or_measure(file, form, typed), files)
        for number, found in enumerate(tqdm(read, "Decoding images", len(files), disable=not sys.stderr.isatty())):
            if isinstance(found, str):
                unreadable.setdefault(found, []).append(number)
                continue
            place = places[number] = len(places)
            if isinstance(found, Extent):
                deep[number] = found
            else:
                rows[place] = found
        ranges = {kind: typed.get(kind, found) for kind, found in choose_ranges(deep.values()).items()}
        ranges |= {"bytes": typed["bytes"]} if "bytes" in typed and len(places) > len(deep) else {}
        for number, image in zip(deep, pool.map(lambda number: decode(files[number], form, ranges), deep), strict=True):
            rows[places[number]] = image
    numbers = list(places)
    equal = [[numbers[row] for row in group] for group in find_equal(rows[: len(places)])]
    bad = sum(each.num_bad > 0 for each in deep.values())
    return {"unreadable": unreadable, "ranges": ranges, "equal": equal, "num_bad": bad}


def _read_or_measure(path: Path | str, form: Form, typed: Ranges) -> np.ndarray | Extent | str:
    """A file's image; the extent of its numbers where these are no 8 bits; or what it is where it cannot be read."""
    try:
        with Image.open(path, formats=FORMATS) as opened:
            if is_deep(opened):
                return measure(read_values(path, opened, FORMATS))
        return decode(path, form, typed)
    except Image.DecompressionBombError:
        return "too many pixels"
    except Exception:  # readers of broken files raise nearly everything; the caller counts and names them
        return describe_beginning(str(path)) or "cannot be read"
