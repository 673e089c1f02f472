"""The list of runs in a notebook: `runs()` is a table with one Run per row."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, overload

from netgaze.inline import draw_page, make_table
from netgaze.run import Run
from netgaze.run_list.choose import choose_entries, sort_entries
from netgaze.run_list.entry import COLUMNS, MISSING, Entry
from netgaze.run_list.find import find_entries
from netgaze.run_list.table import tabulate


class Runs(Sequence[Run]):
    """Runs in the order of the list: shown as a table, and `runs()[0]` is the first of them as a Run.

    Args:
        entries: the runs.
        keys: further keys to show, by which they were sorted or chosen.
    """

    def __init__(self, entries: Sequence[Entry], keys: Sequence[str] = ()):
        self._entries = list(entries)
        self._keys = [key for key in dict.fromkeys(keys) if key not in COLUMNS]

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, place: int) -> Run: ...
    @overload
    def __getitem__(self, place: slice) -> "Runs": ...
    def __getitem__(self, place: int | slice) -> "Run | Runs":
        if isinstance(place, slice):
            return Runs(self._entries[place], self._keys)
        return Run(self._entries[place].folder)

    def __repr__(self) -> str:
        return f"Runs({[str(entry.folder) for entry in self._entries]})"

    @property
    def table(self) -> Any:
        """A row per run, by its folder (pandas): the list's columns, ages as time spans, sizes in bytes.

        `key_number` is the number that chose the best epoch, and `value` what it is.
        """
        rows = [_make_row(entry, self._keys) for entry in self._entries]
        table = make_table(rows)
        return table.set_index("name") if rows else table

    def _repr_html_(self) -> str:
        titles, *cells = tabulate(self._entries, self._keys)
        table = make_table([dict(zip(titles, line, strict=True)) for line in cells])
        return draw_page([] if cells else ["There are no such runs."], table, [])


def runs(
    where: Mapping[str, Any] | None = None,
    sort: str = "age",
    limit: int | None = None,
    below: Path | str = "outputs",
) -> Runs:
    """The runs below a folder, newest first: `runs(where={"task": "rotation", "optim.lr": 0.1}, sort="test/acc")`.

    Args:
        where: what is wanted by key, a column of the table, a number such as "test/acc", or a key of the run's config:
            a value; a list, of which one must fit; a pattern with * or ?; or a comparison, as ">0.8", ">7d", "<1GB".
        sort: a key: the newest, the largest, or the best by a number first.
        limit: the most that are given; None for all.
        below: the folder that is looked through; links in it are not followed.

    Raises:
        NetgazeError: a key that no run has, or a comparison with what is no number.
    """
    wanted = list((where or {}).items())
    found = sort_entries(choose_entries(find_entries(below), wanted), sort)
    return Runs(found[:limit], [sort, *(key for key, _ in wanted)])


def _make_row(entry: Entry, keys: Sequence[str]) -> dict[str, Any]:
    from pandas import Timedelta

    name, value = entry.key_number
    row = {column: _find(entry, column) for column in COLUMNS[:-2]}
    row |= {"key_number": name or None, "value": value} | {key: _find(entry, key) for key in keys}
    return row | {"age": Timedelta(seconds=round(entry.age)), "size": entry.disk.size}


def _find(entry: Entry, key: str) -> Any:
    value = entry.find(key)
    return None if value is MISSING else value
