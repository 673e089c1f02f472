"""One run of the list: the content of its files, each read once and only when needed."""

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from netgaze.errors import NetgazeError
from netgaze.request import Request
from netgaze.run_list.alive import is_alive
from netgaze.stored import read_facts, read_history, read_numbers
from netgaze.upgrade import upgrade_facts, upgrade_numbers

COLUMNS = ("name", "task", "model", "data", "status", "epoch", "age", "size")
MISSING = object()  # what a run does not know


@dataclass(frozen=True)
class Disk:
    """What a run takes on the disk.

    Attributes:
        size: of all files, in bytes.
        written: when one of them was written last, by `time.time`.
        inside: the folders of further runs in it.
    """

    size: int
    written: float
    inside: tuple[Path, ...]


class Entry:
    """A run as the list knows it: never its network.

    Args:
        folder: that holds a `run.json`.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def __repr__(self) -> str:
        return f"Entry({str(self.folder)!r})"

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What `run.json` says; empty where it is damaged."""
        try:
            return upgrade_facts(read_facts(self.folder / "run.json"))
        except (NetgazeError, OSError):
            return {}

    @property
    def config(self) -> dict[str, Any]:
        """The resolved config; empty for a run that failed before it had one."""
        return self.facts.get("config", {})

    @cached_property
    def request(self) -> Request:
        """What was typed for it."""
        return Request.of_facts(self.facts)

    @cached_property
    def status(self) -> str:
        """The status of `run.json`; of one that says "running" and is not, "unfinished"; "damaged" without any."""
        status = str(self.facts.get("status", "damaged"))
        return "unfinished" if status == "running" and not is_alive(self.facts, self.disk.written) else status

    @cached_property
    def started(self) -> float:
        """When it was begun, by `time.time`; where it does not say, when its `run.json` was written."""
        try:
            return datetime.strptime(self.facts["started"], "%Y-%m-%dT%H:%M:%S%z").timestamp()
        except (KeyError, TypeError, ValueError):
            return self.noted

    @cached_property
    def noted(self) -> float:
        """When its `run.json` was written, by `time.time`."""
        try:
            return (self.folder / "run.json").stat().st_mtime
        except OSError:  # it is being removed
            return 0.0

    @property
    def age(self) -> float:
        """Seconds since it was begun."""
        return max(0.0, time.time() - self.started)

    @cached_property
    def disk(self) -> Disk:
        """What it takes on the disk; links count as links."""
        size, written, inside = 0, self.noted, list[Path]()
        for file in _walk(self.folder):
            try:
                found = file.stat(follow_symlinks=False)
            except OSError:  # gone by now
                continue
            size, written = size + found.st_size, max(written, found.st_mtime)
            if file.name == "run.json" and Path(file.path).parent != self.folder:
                inside.append(Path(file.path).parent)
        return Disk(size, written, tuple(sorted(inside)))

    @cached_property
    def epochs(self) -> list[dict[str, float]]:
        """The rows of `history.csv`; none where it is not there, or damaged."""
        try:
            return [upgrade_numbers(row) for row in read_history(self.folder / "history.csv")]
        except (NetgazeError, OSError):
            return []

    @property
    def epoch(self) -> int:
        """How many epochs it was trained."""
        return int(self.epochs[-1]["epoch"]) if self.epochs else 0

    @cached_property
    def numbers(self) -> dict[str, Any]:
        """The final numbers by name; of a run that has none yet, those of its best epoch so far."""
        try:
            return upgrade_numbers(read_numbers(self.folder / "metrics.json"))
        except (NetgazeError, OSError):
            return self._find_best_epoch()

    @property
    def key_number(self) -> tuple[str, float | None]:
        """Name and value of the number that chose its best epoch, or of the same of the test where nothing was chosen.

        By it `results.rank` compares runs, too.
        """
        name = str(self.facts.get("monitor") or "")
        if self.numbers.get(name) is None and self.numbers.get("best/epoch") == 0:
            name = f"test/{name.rpartition('/')[2]}"
        return name, self.numbers.get(name)

    def find(self, key: str) -> Any:
        """What it has under a key: a column, a number, a choice such as `optim`, or a key of its config.

        Of a run that failed before it had a config, as typed.
        """
        if key in ("epoch", "status", "age"):
            return getattr(self, key)
        if key in ("name", "size"):
            return self.folder.as_posix() if key == "name" else self.disk.size
        if "/" in key:  # no key of a config has one
            value = self.numbers.get(key)
            return MISSING if value is None else value
        if key in self.request.choices:
            return self.request.choices[key]
        return _look_up(self.config, key) if self.config else self.request.typed.get(key, MISSING)

    def list_keys(self) -> set[str]:
        """All keys under which it has something."""
        known = {*COLUMNS, *self.numbers, *self.request.choices, *_list_leaves(self.config)}
        return known if self.config else known | set(self.request.typed)

    def _find_best_epoch(self) -> dict[str, Any]:
        monitor = str(self.facts.get("monitor"))
        rows = [row for row in self.epochs if monitor in row]
        if not rows:
            return {}
        choose = min if self.facts.get("monitor_mode") == "min" else max
        return {name: value for name, value in choose(rows, key=lambda row: row[monitor]).items() if "/" in name}


def _walk(folder: Path) -> Iterator[os.DirEntry[str]]:
    """All files below a folder; what cannot be read is passed over, and no link is followed."""
    try:
        with os.scandir(folder) as found:
            entries = list(found)
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))
        else:
            yield entry


def _look_up(config: Mapping[str, Any], key: str) -> Any:
    value: Any = config
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            return MISSING
        value = value[part]
    return MISSING if isinstance(value, dict) else value


def _list_leaves(config: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in config.items():
        if isinstance(value, dict):
            yield from _list_leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
