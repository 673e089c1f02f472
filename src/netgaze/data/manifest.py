"""The results of reading many image files, and a fingerprint of them."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from netgaze.data.parallel import Files, map_files
from netgaze.data.reading import Read
from netgaze.data.values import Extent, Ranges, choose_ranges
from netgaze.files import digest
from netgaze.ranks import shows_progress

_MANY = 200_000  # files from which on processes ask for sizes and times: they take a third of a second to start
_AT_ONCE = 8192  # files that a process is asked of


@dataclass
class Survey:
    """What is found file by file, by the files' numbers.

    Attributes:
        kept: those that can be read, in order.
        lost: what the others are.
        deep: extents of the numbers of those that have not 8 bits.
    """

    kept: list[int] = field(default_factory=list)
    lost: dict[int, str] = field(default_factory=dict)
    deep: dict[int, Extent] = field(default_factory=dict)

    def note(self, read: Read) -> range:
        """Take the next files in; their numbers."""
        numbers = range(len(self.kept) + len(self.lost), len(self.kept) + len(self.lost) + read.num)
        self.lost |= {numbers[place]: what for place, what in read.lost.items()}
        self.deep |= {numbers[place]: extent for place, extent in read.deep.items()}
        self.kept += [number for number in numbers if number not in self.lost]
        return numbers

    def choose_ranges(self, typed: Ranges) -> Ranges:
        """Black and white by kind: what was typed, else what is found."""
        ranges = {kind: typed.get(kind, found) for kind, found in choose_ranges(self.deep.values()).items()}
        has_bytes = len(self.kept) > len(self.deep)
        return ranges | ({"bytes": typed["bytes"]} if "bytes" in typed and has_bytes else {})

    def describe(self, ranges: Ranges) -> dict[str, Any]:
        """For a manifest."""
        unreadable = dict[str, list[int]]()
        for number, what in self.lost.items():
            unreadable.setdefault(what, []).append(number)
        num_bad = sum(each.num_bad > 0 for each in self.deep.values())
        return {"num": len(self.kept), "unreadable": unreadable, "ranges": ranges, "num_bad": num_bad}


def look_through(function: Callable[[int, Files], Read], files: Files, words: str) -> Iterator[Read]:
    """`map_files`, with a bar in a terminal."""
    with tqdm(desc=words, total=len(files), disable=not shows_progress()) as bar:
        for read in map_files(function, files):
            yield read
            bar.update(read.num)


def identify(root: Path, files: Files) -> str:
    """What tells files from others and from what they were: their paths below the root, their sizes and their times.

    Raises:
        OSError: one is not there.
    """
    above, paths = os.fspath(root), [os.fspath(file) for file in files]
    names = os.fsencode("\0".join([path.removeprefix(above) for path in paths]))
    many = len(paths) >= _MANY
    stats = np.concatenate(list(map_files(stat_files, paths, _AT_ONCE))) if many else stat_files(0, paths)
    return digest(np.frombuffer(names, np.uint8), stats)


def stat_files(first: int, files: Files) -> np.ndarray:
    """Sizes in bytes and times of change in ns of files, int64 [N,2]; `first` is the number of the first.

    Raises:
        OSError: one is not there.
    """
    return np.array([(stat.st_size, stat.st_mtime_ns) for stat in map(os.stat, files)], np.int64).reshape(-1, 2)


def find_kept(facts: dict[str, Any], num: int) -> np.ndarray:
    """Which of `num` files a manifest says can be read, bool [N]."""
    kept = np.ones(num, dtype=bool)
    for indices in facts["unreadable"].values():
        kept[indices] = False
    return kept


def read_ranges(facts: dict[str, Any]) -> Ranges:
    """The ranges of a manifest."""
    return {kind: (low, high) for kind, (low, high) in facts["ranges"].items()}
