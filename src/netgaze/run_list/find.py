"""Finds the runs in a folder."""

import os
from collections.abc import Iterator
from pathlib import Path

from netgaze.run_list.entry import Entry


def find_entries(below: Path | str) -> list[Entry]:
    """The runs below a folder, those of sweeps too, newest first; the stages of a run are part of it.

    Links to folders are not followed, hidden folders are passed over.

    Args:
        below: the folder; where it is not there, there are none.
    """
    entries = [Entry(folder) for folder in _find_folders(Path(below))]
    return sorted(entries, key=lambda entry: (-entry.started, -entry.noted, str(entry.folder)))


def _find_folders(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:  # not there, no folder, or not to be read
        return
    if any(entry.name == "run.json" and entry.is_file(follow_symlinks=False) for entry in entries):
        yield folder
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
            yield from _find_folders(Path(entry.path))
