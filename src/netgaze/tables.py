"""Rows of runs as tables for people, in text and on a page."""

from collections.abc import Sequence
from typing import Any

from netgaze.runs import Row
from netgaze.text import count_columns, shorten, show

_MOST_COLUMNS = 60  # of the terminal, for a cell; the report has the whole

SHOWN = (
    "train/acc",
    "val/acc",
    "last/val_acc",
    "test/acc",
    "test/acc_macro",
    "test/top5",
    "val/auc",
    "test/eer",
    "test/auc",
    "test/knn20",
    "test/knn200",
    "teacher/acc",
    "student/acc",
    "unlabeled/right",
    "best/epoch",
    "seconds",
)


def tabulate(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """The table for people: (column titles, one list of cells per run); columns that no run fills are left out."""
    names = _filled(rows)
    cells = [[row["label"], row["status"], *(_cell(name, row.get(name)) for name in names)] for row in rows]
    return ["run", "status", *(name.replace("best/", "best ") for name in names)], cells


def tabulate_means(means: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """The table of `average_repeats` for people: mean ± standard deviation."""
    names = [name for name in _filled(means) if name != "best/epoch"]

    def cell(row: Row, name: str) -> str:
        std = row["std"].get(name)
        return _cell(name, row.get(name)) + ("" if std is None else f" ± {_cell(name, std)}")

    return ["setting", "runs", *names], [
        [row["label"], str(row["runs"]), *(cell(row, name) for name in names)] for row in means
    ]


def _filled(rows: Sequence[Row]) -> list[str]:
    return [name for name in SHOWN if any(row.get(name) is not None for row in rows)]


def format_numbers(numbers: dict[str, Any]) -> str:
    """A run's final numbers, one per line."""
    return align(
        ["number", "value"], [[name.replace("best/", "best "), _cell(name, value)] for name, value in numbers.items()]
    )


def align(titles: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """A table in aligned columns of a terminal; a long cell is shortened in its middle."""
    lines = [[shorten(show(cell), _MOST_COLUMNS) for cell in line] for line in (titles, *cells)]
    widths = [max(map(count_columns, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell + " " * (width - count_columns(cell)) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if name in ("best/epoch", "test/images"):
        return str(int(value)) if value else "-"
    return f"{value:.1f}" if name == "seconds" else f"{value:.4f}"
