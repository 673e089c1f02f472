"""Rows and columns of a text file with any separator. Needs no torch."""

import csv
import io
import os
from collections.abc import Iterable

from netgaze.errors import NetgazeError

MOST_BYTES, MOST_COLUMNS, _MOST_IN_LINE = 100_000_000, 1000, 200_000
_TRIED = 200  # rows by which the file is judged


def read_rows(path: str, name: str) -> list[list[str]]:
    """All rows that hold something, equally long.

    Args:
        path: of a CSV or TSV file, or of one whose columns are told apart by ; or | or blanks.
        name: for a person to read.

    Raises:
        NetgazeError: too large, too wide, no text, or empty.
    """
    text = _read_text(path, name)
    if max(map(len, text.split("\n"))) > _MOST_IN_LINE:
        raise NetgazeError(
            f"{name} has a line of more than {_MOST_IN_LINE} characters, so it is not a table of labels."
        )
    rows = []
    try:
        for row in _split(text):
            if len(row) > MOST_COLUMNS:
                raise NetgazeError(f"{name} has more than {MOST_COLUMNS} columns, so it is not a table of labels.")
            if any(cell.strip() for cell in row):
                rows.append(row)
    except csv.Error as error:
        raise NetgazeError(f"{name} cannot be read as a table: {error}.") from error
    width = max(map(len, rows[:_TRIED]), default=0)
    if width < 2:
        raise NetgazeError(
            f"{name} has fewer than two columns. A table of labels names a picture and its class in each row."
        )
    return [row[:width] + [""] * (width - len(row)) for row in rows]


def _read_text(path: str, name: str) -> str:
    try:
        if os.path.getsize(path) > MOST_BYTES:
            raise NetgazeError(f"{name} is larger than {MOST_BYTES // 1_000_000} MB, so it is not a table of labels.")
        with open(path, "rb") as file:
            raw = file.read()
    except OSError as error:
        raise NetgazeError(f"Cannot read {path}: {error.strerror}.") from error
    text = _decode(raw)
    if "\0" in text[:10_000]:
        raise NetgazeError(f"{name} is not text. A table of labels is CSV or TSV.")
    return text


def _decode(raw: bytes) -> str:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):  # what spreadsheets call Unicode text
        return raw.decode("utf-16", errors="replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def _split(text: str) -> Iterable[list[str]]:
    """Rows by the delimiter that is in each of the first lines, the most often; by blanks where none is."""
    lines = [line for line in text[: _TRIED * 1000].splitlines()[:_TRIED] if line.strip()]
    counts = {delimiter: min((line.count(delimiter) for line in lines), default=0) for delimiter in "\t,;|"}
    best = max(counts, key=lambda delimiter: counts[delimiter])
    if not counts[best]:
        return (line.split() for line in text.splitlines())
    return csv.reader(io.StringIO(text, newline=""), delimiter=best)
