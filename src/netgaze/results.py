"""From a table of runs to an answer: CSV, text, winner, and the plot of a swept number."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from netgaze.files import whole, write_text

Row = dict[str, Any]

SHARED_NUMBER = "test/knn20"  # compares networks that were trained to predict different things
SHOWN = ("val/acc", "test/acc", "test/acc_macro", "test/knn20", "test/knn200", "best/epoch", "seconds")
_ABOUT = ("label", "folder", "status", "kind", "monitor", "monitor_mode", "data", "error")


def write_csv(rows: Sequence[Row], path: Path) -> None:
    """Write all that is known of every run, one row a run."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def table(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """The table for people: (column titles, one list of cells a run); columns that no run fills are left out."""
    names = [name for name in SHOWN if any(row.get(name) is not None for row in rows)]
    cells = [[row["label"], row["status"], *(_cell(name, row.get(name)) for name in names)] for row in rows]
    return ["run", "status", *(name.replace("best/", "best ") for name in names)], cells


def numbers_as_text(numbers: dict[str, Any]) -> str:
    """A run's final numbers, one a line."""
    return as_text(
        ["number", "value"], [[name.replace("best/", "best "), _cell(name, value)] for name, value in numbers.items()]
    )


def as_text(titles: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """A table in aligned columns."""
    widths = [max(len(line[column]) for line in [titles, *cells]) for column in range(len(titles))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in [titles, *cells]
    )


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if name == "best/epoch":
        return str(int(value)) if value else "-"
    return f"{value:.1f}" if name == "seconds" else f"{value:.4f}"


def ranked(rows: Sequence[Row]) -> tuple[str | None, list[Row]]:
    """The number by which runs can be told apart fairly, and the finished runs, best first.

    Runs of one task on the same data compare by what chose their best epochs, on the validation split. Others
    compare by a shared number where every one has it, or else not at all: then the number is None.
    """
    finished = [row for row in rows if row["status"] == "finished"]
    kinds = {(row.get("kind"), row.get("monitor"), row.get("data")) for row in finished}
    if len(kinds) == 1:
        number, sign = str(finished[0].get("monitor")), 1 if finished[0].get("monitor_mode") == "max" else -1
    else:
        number, sign = SHARED_NUMBER, 1
    same_data = len({row.get("data") for row in finished}) == 1
    if not finished or not same_data or any(row.get(number) is None for row in finished):
        return None, finished
    return number, sorted(finished, key=lambda row: -sign * row[number])


def winner(rows: Sequence[Row]) -> str:
    """A sentence that names the winner, or says why there is none."""
    number, order = ranked(rows)
    if len(order) < 2:
        return "No winner: fewer than two runs finished." if len(rows) > 1 else ""
    if number is None:
        return "No winner is named: the runs do not share a number that could be compared fairly."
    first, second = order[0], order[1]
    if first[number] == second[number]:
        tied = ", ".join(row["label"] for row in order if row[number] == first[number])
        return f"No single winner: {tied} tie at {number} {first[number]:.4f}."
    test = f"; its test accuracy is {first['test/acc']:.4f}" if "test/acc" in first and number != "test/acc" else ""
    why = "" if number == first.get("monitor") else " (the tasks differ; this number they share)"
    return (
        f"Winner: {first['label']}, with {number} {first[number]:.4f} against {second[number]:.4f} "
        f"of the next, {second['label']}{why}{test}."
    )


def swept_number(rows: Sequence[Row]) -> tuple[str, list[float]] | None:
    """The one setting that was swept over numbers, and each run's value; None where there is no such setting."""
    known = set(SHOWN) | set(_ABOUT)
    keys = list(dict.fromkeys(name for row in rows for name in row if name not in known and "/" not in name))
    if len(keys) != 1:
        return None
    try:
        return keys[0], [float(row[keys[0]]) for row in rows]
    except (KeyError, TypeError, ValueError):
        return None


def plot_sweep(rows: Sequence[Row], path: Path) -> bool:
    """Plot the swept number against accuracy, best validation and test; False where no number was swept."""
    swept = swept_number(rows)
    monitors = {str(row.get("monitor")) for row in rows if row["status"] == "finished"}
    if swept is None or len(monitors) != 1:
        return False
    key, values = swept
    done = sorted(
        ((value, row) for value, row in zip(values, rows, strict=True) if row["status"] == "finished"),
        key=lambda pair: pair[0],
    )
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.add_subplot()
    for name, marker in ((monitors.pop(), "o"), ("test/acc", "s"), (SHARED_NUMBER, "^")):
        points = [(value, row[name]) for value, row in done if row.get(name) is not None]
        if points:
            axes.plot(*zip(*points, strict=True), marker=marker, label=name)
    places = [value for value, _ in done]
    if min(places) > 0 and max(places) / min(places) >= 10:
        axes.set_xscale("log")
        axes.set_xticks(places, [f"{value:g}" for value in places])
        axes.minorticks_off()
    axes.set(xlabel=key, ylabel="accuracy", title=f"{key} against accuracy")
    axes.grid(alpha=0.3)
    axes.legend()
    with whole(path) as beside:
        figure.savefig(beside, format="png", dpi=120)
    return True


def flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested config as `group.key` names, without `_target_` and the like."""
    content: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            content |= flat(value, f"{prefix}{name}.")
        elif not name.startswith("_"):
            content[f"{prefix}{name}"] = value
    return content
