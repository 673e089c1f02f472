"""The sweep of a run, and its table."""

import csv
import io
from contextlib import suppress
from pathlib import Path

from netgaze.files import read_bounded, write_csv
from netgaze.stored import MOST_CSV_BYTES


def find_sweep(folder: Path) -> Path | None:
    """The folder of the sweep that a run is a job of; None where it is none."""
    return folder.parent if (folder.parent / "multirun.yaml").is_file() else None


def forget_in_table(folder: Path) -> None:
    """Take the rows of a run that is gone out of the `results.csv` of its sweep; without a row left the file goes, too.

    A table that cannot be read stays as it is.
    """
    sweep = find_sweep(folder)
    path = sweep / "results.csv" if sweep else None
    if path is None or not path.is_file():
        return
    with suppress(csv.Error, UnicodeDecodeError):
        content = read_bounded(path, MOST_CSV_BYTES).decode()
        rows = list(csv.DictReader(io.StringIO(content, newline="")))
        kept = [row for row in rows if Path(row.get("folder") or "").name != folder.name]
        if kept and len(kept) < len(rows):
            write_csv(path, kept)
        elif not kept:
            path.unlink()
