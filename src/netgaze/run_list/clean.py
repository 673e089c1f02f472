"""Failed, interrupted and unfinished runs: which to keep, and how the others are removed."""

import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netgaze.errors import NetgazeError
from netgaze.run_list.alive import JUST_NOW
from netgaze.run_list.entry import Entry
from netgaze.run_list.sweeps import find_sweep, forget_in_table

REMOVED = ("failed", "interrupted", "unfinished")  # by status; a damaged run may have been a finished one
_AFTER_THE_END = 60.0  # seconds in which a run that has ended still writes its log


@dataclass(frozen=True)
class Plan:
    """What is to be cleared away.

    Attributes:
        removable: the runs.
        kept: those that came to nothing and stay all the same, and why.
    """

    removable: list[Entry] = field(default_factory=list)
    kept: dict[Entry, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Of all that is removable, in bytes."""
        return sum(entry.disk.size for entry in self.removable)


def plan(chosen: Sequence[Entry], every: Sequence[Entry]) -> Plan:
    """Which of some runs can go: failed, interrupted and unfinished ones that nobody writes to, and nobody needs.

    Args:
        chosen: the runs that are asked about.
        every: all that there are, chosen or not.
    """
    ended = [entry for entry in chosen if entry.status in REMOVED]
    kept = {entry: why for entry in ended if (why := _find_reason(entry, every))}
    going = [entry for entry in ended if entry not in kept]
    while needed := _find_needed(going, every):  # what stays for the sake of one that stays, and so on
        kept |= needed
        going = [entry for entry in going if entry not in needed]
    return Plan(going, kept)


def remove(entry: Entry, below: Path | str) -> bool:
    """Remove a run, its row in the table of its sweep, and folders above it that are empty then.

    `run.json` goes last: what is stopped halfway is found by the list again. Links go, what they lead to stays.

    Args:
        entry: one that can go by `plan`.
        below: the folder up to which empty ones go.

    Returns:
        Whether it went; it stays where it was taken up again meanwhile.

    Raises:
        NetgazeError: a file cannot be removed.
    """
    if Entry(entry.folder).status not in REMOVED:
        return False
    try:
        _remove_folder(entry.folder)
    except OSError as error:
        raise NetgazeError(f"Cannot remove {error.filename or entry.folder}: {error.strerror or error}.") from error
    forget_in_table(entry.folder)
    _remove_empty(entry.folder.parent, Path(below))
    return True


def _find_reason(entry: Entry, every: Sequence[Entry]) -> str:
    """Why a run stays, whoever needs it; empty where nothing speaks for it."""
    silent = time.time() - entry.disk.written
    is_taken_up = entry.status == "unfinished" or entry.disk.written > entry.noted + _AFTER_THE_END
    if silent < JUST_NOW and is_taken_up:
        return f"a file in it changed in the last {JUST_NOW / 60:.0f} minutes"
    sweep = find_sweep(entry.folder)
    if sweep and any(find_sweep(other.folder) == sweep and other.status == "running" for other in every):
        return "its sweep is running"
    stages = entry.folder / "stages"
    if further := [folder for folder in entry.disk.inside if folder.parent != stages]:
        return f"it contains another run, {further[0]}"
    return ""


def _find_needed(going: Sequence[Entry], every: Sequence[Entry]) -> dict[Entry, str]:
    """Those runs from which one that stays has begun, and which that is."""
    folders = {os.path.realpath(entry.folder): entry for entry in going}
    needed = dict[Entry, str]()
    for other in every if folders else ():
        if other in going:
            continue
        for place in _list_places(other):
            above = (str(folder) for folder in (Path(place), *Path(place).parents))
            if found := next((folders[folder] for folder in above if folder in folders), None):
                needed.setdefault(found, f"{other.folder} needs it")
    return needed


def _list_places(entry: Entry) -> Iterator[str]:
    """All that may be a path in what a run and its stages were told and have loaded, as absolute ones."""
    for each in (entry, *map(Entry, entry.disk.inside)):
        typed = [word.partition("=")[2].strip("'\"") for word in each.request.overrides]
        for text in _list_texts([typed, each.config, each.facts.get("init")]):
            if "/" in text:
                yield os.path.realpath(text)


def _list_texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, Mapping):
        yield from _list_texts(list(content.values()))
    elif isinstance(content, Iterable):
        for each in content:
            yield from _list_texts(each)


def _remove_folder(folder: Path) -> None:
    for path in sorted(folder.iterdir(), key=lambda path: path.name == "run.json"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    folder.rmdir()


def _remove_empty(folder: Path, below: Path) -> None:
    while below in folder.parents and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
