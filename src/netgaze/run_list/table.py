"""The list of runs as a table that fits the terminal."""

from collections.abc import Sequence
from typing import Any

from netgaze.glossary import NUMBERS, explain, format_number
from netgaze.run_list.entry import COLUMNS, MISSING, Entry
from netgaze.text import align_columns, count_columns, format_value, shorten, show

_NARROWEST = 20  # columns of a terminal that a name keeps
_PERIODS = (("d", 86400.0), ("h", 3600.0), ("min", 60.0))
_SIZES = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
_AT_NAME, _BEFORE_NUMBER = 0, 6  # places of columns


def draw_table(entries: Sequence[Entry], keys: Sequence[str] = (), width: int | None = None) -> str:
    """The runs as a table in aligned columns.

    Args:
        entries: the rows.
        keys: further keys to show, by which they were sorted or chosen.
        width: of the terminal, to which names are shortened in their middle; None for whole names.
    """
    lines = [[show(cell) for cell in line] for line in tabulate(entries, keys)]
    if width is not None:
        taken = sum(max(map(count_columns, column)) + 2 for column in list(zip(*lines, strict=True))[1:])
        room = max(_NARROWEST, width - taken)
        lines = [[shorten(line[_AT_NAME], room), *line[1:]] for line in lines]
    return align_columns(lines)


def tabulate(entries: Sequence[Entry], keys: Sequence[str] = ()) -> list[list[str]]:
    """The titles, then the cells of each run; see `draw_table`."""
    names = {entry.key_number[0] for entry in entries} - {""}
    shared = names.pop() if len(names) == 1 else None
    added = [key for key in dict.fromkeys(keys) if key not in COLUMNS and key != shared]
    titles = [*COLUMNS[:_BEFORE_NUMBER], shared or "key number", *added, *COLUMNS[_BEFORE_NUMBER:]]
    return [titles, *(_list_cells(entry, shared, added) for entry in entries)]


def format_age(seconds: float) -> str:
    """A time in its largest whole unit: "<1 min", "3 min", "2 h", "5 d"."""
    for unit, length in _PERIODS:
        if seconds >= length:
            return f"{int(seconds / length)} {unit}"
    return "<1 min"


def format_size(size: float) -> str:
    """Bytes in their largest unit: "18.8 kB", "20.2 MB", "1.20 GB"."""
    unit, length = next(pair for pair in _SIZES if size >= pair[1] or pair is _SIZES[-1])
    return f"{format_value(size / length)} {unit}"


def _list_cells(entry: Entry, shared: str | None, added: Sequence[str]) -> list[str]:
    name, value = entry.key_number
    number = "-" if value is None else format_number(value, explain(name, NUMBERS))
    if shared is None and value is not None:
        number = f"{name} {number}"
    return [
        entry.folder.as_posix(),
        *(_write(entry.find(group)) for group in ("task", "model", "data")),
        entry.status,
        _write_epoch(entry),
        number,
        *(_write_value(entry, key) for key in added),
        format_age(entry.age),
        format_size(entry.disk.size),
    ]


def _write_epoch(entry: Entry) -> str:
    """How far training got, of how many epochs it may take."""
    most = entry.find("trainer.max_epochs")
    return f"{entry.epoch}/{most:g}" if isinstance(most, int | float) else str(entry.epoch or "-")


def _write_value(entry: Entry, key: str) -> str:
    value = entry.find(key)
    return format_number(value, explain(key, NUMBERS)) if "/" in key and value is not MISSING else _write(value)


def _write(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return "-" if value is MISSING or value is None else str(value)
