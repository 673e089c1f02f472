"""Rows of runs as tables for people, in text and on a page."""

import textwrap
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from netgaze.glossary import NUMBERS, RUN_NUMBERS, explain, find_margin, format_number
from netgaze.results import measure_margin
from netgaze.rows import Row
from netgaze.text import align_columns, count_columns, shorten, show

_MOST_COLUMNS = 60  # of the terminal, for a cell; the report has the whole
_TITLE_COLUMNS = 13  # of the terminal, for a title over narrow cells: longer ones are wrapped

SHOWN = [name for name in RUN_NUMBERS if name != "last/val_acc"]  # that one is in the CSV: none chooses by it


def tabulate(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """The table for people: (columns, one list of cells per run); columns that no run fills are left out.

    A column is called by its key; `name_columns` says what readers see in its place.
    """
    names = list_shown(rows)
    cells = [[row["label"], row["status"], *(_cell(row, name) for name in names)] for row in rows]
    return ["run", "status", *names], cells


def tabulate_means(means: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """The table of `average_repeats` for people, its columns called as by `tabulate`: mean ± standard deviation."""
    names = [name for name in list_shown(means) if name != "best/epoch"]
    return ["setting", "runs", *names], [
        [row["label"], str(row["runs"]), *(_cell(row, name) for name in names)] for row in means
    ]


def name_columns(columns: Sequence[str]) -> list[str]:
    """The columns of a table in a reader's words."""
    return [RUN_NUMBERS[name].words if name in RUN_NUMBERS else name for name in columns]


def list_shown(rows: Sequence[Row]) -> list[str]:
    """Which numbers readers see: those of `SHOWN` that a run has, the class mean only where it is another number."""
    empty = {"best/epoch": (None, 0)}  # 0 where nothing was trained
    names = [name for name in SHOWN if any(row.get(name) not in empty.get(name, (None,)) for row in rows)]
    same = all(_is_close(row.get("test/acc_macro"), row.get("test/acc")) for row in rows)
    return [name for name in names if not (same and name == "test/acc_macro" and "test/acc" in names)]


def _is_close(value: float | None, other: float | None) -> bool:
    return value == other or (value is not None and other is not None and abs(value - other) < 5e-4)


def format_numbers(numbers: Mapping[str, Any], counts: Mapping[str, float]) -> str:
    """A run's final numbers, one per line, by their keys in `metrics.json`.

    Args:
        numbers: by name.
        counts: of how many examples they are, see `rows.count_examples`.
    """
    meant = {name: explain(name, NUMBERS) for name in numbers}
    sure = {name: find_margin({**numbers, **counts}, name, meaning) for name, meaning in meant.items()}
    return align(
        ["number", "value"],
        [[name, format_number(value, meant[name], sure[name])] for name, value in numbers.items()],
    )


def align(titles: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """A table in aligned columns of a terminal: a long title is wrapped, a long cell is shortened in its middle."""
    lines = [[shorten(show(cell), _MOST_COLUMNS) for cell in line] for line in cells]
    widths = [max(_TITLE_COLUMNS, *map(count_columns, column)) for column in zip(*lines, strict=True)]
    wrapped = [textwrap.wrap(title, width) for title, width in zip(titles, widths, strict=True)]
    return align_columns([*zip_longest(*wrapped, fillvalue=""), *lines])


def _cell(row: Row, name: str) -> str:
    value = row.get(name)
    if name == "best/epoch" and value is not None:
        return str(int(value)) if value else "-"
    return format_number(value, RUN_NUMBERS[name], measure_margin(row, name))
