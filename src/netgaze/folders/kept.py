"""Keeps the layout of the last folder until something in it changes; one start needs it ten times."""

import os
import time
from dataclasses import dataclass, replace

from netgaze.folders.layout import Layout, Reading, read_folder

_SETTLED = 2_000_000_000  # nanoseconds: what changed later may change again, and its time stay the same

Stamp = list[tuple[int, int, int]]


@dataclass
class _Last:
    """A folder as it was typed and where it is, how it was read, and what the file system said of what lies in it."""

    folder: tuple[str, str]
    reading: Reading
    stamp: Stamp
    layout: Layout


_last: list[_Last] = []  # one at most


def read_folder_once(folder: str, reading: Reading) -> Layout:
    """The parts and classes of a folder, from memory where it was read last and has not changed; see `read_folder`.

    Raises:
        NetgazeError: see `read_folder`.
    """
    place = folder, os.path.abspath(os.path.expanduser(folder))
    for last in _last:
        if (last.folder, last.reading) == (place, reading) and last.stamp == _stamp(last.layout):
            return _copy(last.layout)
    forget_folder()
    started = time.time_ns()
    layout = read_folder(folder, reading)
    stamp = _stamp(layout)
    if stamp is not None and max(changed for _, changed, _ in stamp) < started - _SETTLED:
        _last.append(_Last(place, reading, stamp, layout))
        return _copy(layout)
    return layout


def forget_folder() -> None:
    """Give the memory of the last folder back: of a million pictures these are hundreds of MB."""
    _last.clear()


def _stamp(layout: Layout) -> Stamp | None:
    """What changes when anything does by which the folder was read; None where something is gone."""
    try:
        found = map(os.stat, layout.found.watched)
        return [(each.st_ino, each.st_mtime_ns, each.st_size) for each in found]
    except OSError:
        return None


def _copy(layout: Layout) -> Layout:
    """A layout whose remarks may be added to."""
    found = replace(layout.found, ignored={why: list(names) for why, names in layout.found.ignored.items()})
    return replace(layout, found=found, notes=list(layout.notes), warnings=list(layout.warnings))
