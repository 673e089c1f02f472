"""From a table of runs to an answer: CSV, text, winner, and the plot of a swept number."""

import csv
import io
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from netgaze.files import atomic_write, write_text

Row = dict[str, Any]

SHARED_NUMBER = "test/knn20"  # compares networks that were trained to predict different things
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
_ABOUT = (
    "label",
    "run",
    "setting",
    "folder",
    "status",
    "kind",
    "seed",
    "monitor",
    "monitor_mode",
    "eval_fingerprint",
    "drawn",
    "error",
)


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
    names = _filled(rows)
    cells = [[row["label"], row["status"], *(_cell(name, row.get(name)) for name in names)] for row in rows]
    return ["run", "status", *(name.replace("best/", "best ") for name in names)], cells


def over_seeds(rows: Sequence[Row]) -> list[Row]:
    """Finished runs that differ in nothing but their seed, or in how the data was divided, as one row of means.

    None where no two runs do. Such a row has the `setting` as its label, `runs` (how many), the mean of every number,
    and as `std` the standard deviation of every number over the runs (n - 1), where two or more have it.
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        if row["status"] == "finished":
            groups.setdefault(_setting(row), []).append(row)
    alone = all(len(group) < 2 for group in groups.values())
    repeated = any(
        len({(row.get("seed"), row.get("drawn")) for row in group}) < len(group) for group in groups.values()
    )
    return [] if alone or repeated else [_mean(group) for group in groups.values()]


def _setting(row: Row) -> tuple[Any, ...]:
    """What runs of several seeds, or of several divisions of the data, have in common."""
    return row["setting"], row.get("kind"), None if row.get("drawn") is not None else row.get("eval_fingerprint")


def _mean(group: Sequence[Row]) -> Row:
    merged = dict(group[0]) | {"label": group[0]["setting"], "runs": len(group), "std": {}}
    if merged.get("drawn") is not None:
        merged["eval_fingerprint"] = tuple(sorted({str(row.get("eval_fingerprint")) for row in group}))
    for name in group[0]:
        values = [row.get(name) for row in group]
        if ("/" in name or name == "seconds") and all(isinstance(value, int | float) for value in values):
            merged[name] = statistics.fmean(values)  # type: ignore[arg-type]
            if len(values) > 1:
                merged["std"][name] = statistics.stdev(values)  # type: ignore[type-var]
    return merged


def seeds_table(means: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """The table of `over_seeds` for people: mean ± standard deviation."""
    names = [name for name in _filled(means) if name != "best/epoch"]

    def cell(row: Row, name: str) -> str:
        std = row["std"].get(name)
        return _cell(name, row.get(name)) + ("" if std is None else f" ± {_cell(name, std)}")

    return ["setting", "runs", *names], [
        [row["label"], str(row["runs"]), *(cell(row, name) for name in names)] for row in means
    ]


def pictured(rows: Sequence[Row], most: int) -> list[Row]:
    """The runs whose pictures are shown, best first: at most `most`, and of those that share a setting the best.

    Where the data was divided in several ways, of each setting the run on the first division that all of them have.
    """
    means = over_seeds(rows)
    if not means:
        return ranked(rows)[1][:most]
    settings = [_setting(row) for row in ranked(means)[1][:most]]
    order = ranked(rows)[1]
    groups = [[row for row in order if _setting(row) == setting] for setting in settings]
    shared = set.intersection(*({row.get("drawn") for row in group} for group in groups))
    if shared:
        first = min(shared, key=lambda drawn: (drawn is not None, drawn))
        groups = [[row for row in group if row.get("drawn") == first] for group in groups]
    return [group[0] for group in groups]


def _filled(rows: Sequence[Row]) -> list[str]:
    return [name for name in SHOWN if any(row.get(name) is not None for row in rows)]


def format_numbers(numbers: dict[str, Any]) -> str:
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
    if name in ("best/epoch", "test/images"):
        return str(int(value)) if value else "-"
    return f"{value:.1f}" if name == "seconds" else f"{value:.4f}"


def ranked(rows: Sequence[Row]) -> tuple[str | None, list[Row]]:
    """The number by which runs can be told apart fairly, and the finished runs, best first.

    Runs that predict the same classes of the same data compare by what chose their best epochs, on the validation
    split. Others compare by a shared number where every one has it, or else not at all: then the number is None.
    """
    finished = [row for row in rows if row["status"] == "finished"]
    kinds = {(row.get("kind"), row.get("monitor"), row.get("eval_fingerprint")) for row in finished}
    if len(kinds) == 1:
        number, sign = str(finished[0].get("monitor")), 1 if finished[0].get("monitor_mode") == "max" else -1
    else:
        number, sign = SHARED_NUMBER, 1
    same_data = len({row.get("eval_fingerprint") for row in finished}) == 1
    if not finished or not same_data or any(row.get(number) is None for row in finished):
        return None, finished
    return number, sorted(finished, key=lambda row: -sign * row[number])


def winner(rows: Sequence[Row]) -> str:
    """A sentence that names the winner, by its mean where runs differ in their seeds, or says why there is none."""
    means = over_seeds(rows)
    number, order = ranked(means or rows)
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
    why += " (means over runs)" if means else ""
    return (
        f"Winner: {first['label']}, with {number} {first[number]:.4f} against {second[number]:.4f} "
        f"of the next, {second['label']}{why}{test}."
    )


def swept_number(rows: Sequence[Row]) -> str | None:
    """The setting that was swept over numbers, in all rows; None where there is none, or more than one."""
    known = {*SHOWN, *_ABOUT, "runs", "std"}
    keys = dict.fromkeys(name for row in rows for name in row if name not in known and "/" not in name)
    swept = [key for key in keys if len({_number(row.get(key)) for row in rows} - {None}) > 1]
    return swept[0] if len(swept) == 1 and all(_number(row.get(swept[0])) is not None for row in rows) else None


def plot_sweep(rows: Sequence[Row], path: Path) -> bool:
    """Plot the swept number against accuracy: best on validation, of the last epoch, and test, a color an approach.

    Where runs differ in their seeds too, their means, with the standard deviations as bars. False where no number was
    swept, or the runs do not compare.
    """
    rows = [row for row in over_seeds(rows) or rows if row["status"] == "finished"]
    key = swept_number(rows)
    number, _ = ranked(rows)
    if key is None or number is None:
        return False
    approaches = _approaches(rows, key)
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.add_subplot()
    for color, (approach, group) in enumerate(approaches.items()):
        for name, style in ((number, "o-"), ("last/val_acc", "v:"), ("test/acc", "s--"), (SHARED_NUMBER, "^-.")):
            points = [
                (_number(row[key]), row[name], row.get("std", {}).get(name, 0))
                for row in sorted(group, key=lambda row: _number(row[key]) or 0.0)
                if row.get(name) is not None
            ]
            if points and (name == number or name != SHARED_NUMBER or len(approaches) == 1):
                across, heights, stds = zip(*points, strict=True)
                bars = stds if any(stds) else None
                words = f"{approach} {name}".strip()
                shade = f"C{color}" if len(approaches) > 1 else None
                axes.errorbar(across, heights, bars, fmt=style, color=shade, label=words, capsize=3)
    places = sorted({_number(row[key]) or 0.0 for row in rows})
    if places[0] > 0 and places[-1] / places[0] >= 10:
        axes.set_xscale("log")
        axes.set_xticks(places, [f"{value:g}" for value in places])
        axes.minorticks_off()
    what = "accuracy" if number.rpartition("/")[2].startswith(("acc", "knn")) else number
    axes.set(xlabel=key, ylabel=what, title=f"{key} against {what}")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", fontsize="small", ncols=1 if len(approaches) == 1 else 2)
    with atomic_write(path) as beside:
        figure.savefig(beside, format="png", dpi=120)
    return True


def plot_matrix(rows: Sequence[Row], path: Path) -> bool:
    """A heat map of test accuracy, sources (`init`) down and target sets (`data`) across, a panel an approach.

    A cell is the mean over the seeds of one setting, of several the best by validation. False where not both differ.
    """
    rows = [row for row in over_seeds(rows) or rows if row["status"] == "finished" and "test/acc" in row]
    if any(len({row.get(key) for row in rows}) < 2 for key in ("init", "data")):
        return False
    panels = list(dict.fromkeys(str(row.get("task", "")) for row in rows))
    sources, targets = (list(dict.fromkeys(_end(row.get(key)) for row in rows)) for key in ("init", "data"))
    size = (1.5 + 1.1 * len(targets) * len(panels), 1.2 + 0.6 * len(sources))
    figure = Figure(figsize=(max(6.0, size[0]), size[1]), layout="constrained")
    for place, (panel, axes) in enumerate(zip(panels, figure.subplots(1, len(panels), squeeze=False)[0], strict=True)):
        values = np.full((len(sources), len(targets)), np.nan)
        chosen: dict[tuple[int, int], float] = {}
        for row in rows:
            cell = sources.index(_end(row.get("init"))), targets.index(_end(row.get("data")))
            if str(row.get("task", "")) == panel and row["val/acc"] > chosen.get(cell, -1.0):
                chosen[cell], values[cell] = row["val/acc"], row["test/acc"]
        axes.imshow(values, vmin=0, vmax=1, cmap="viridis", aspect="auto")
        for (down, across), value in np.ndenumerate(values):
            words, color = ("-", "black") if np.isnan(value) else (f"{value:.3f}", "black" if value > 0.6 else "white")
            axes.text(across, down, words, ha="center", va="center", color=color)
        axes.set_xticks(range(len(targets)), targets)
        axes.set_yticks(range(len(sources)), sources if place == 0 else [""] * len(sources))
        axes.set_title(panel, fontsize="medium")
    figure.suptitle("Test accuracy: from what (rows) to what (columns)", fontsize="medium")
    with atomic_write(path) as beside:
        figure.savefig(beside, format="png", dpi=120)
    return True


def _end(value: Any) -> str:
    """A source or a set by the last part of its path; what starts from nothing is random."""
    return "random" if value in (None, "null") else str(value).rpartition("/")[2]


def _approaches(rows: Sequence[Row], key: str) -> dict[str, list[Row]]:
    """The runs by all that differs but the swept key, which their labels end or begin with."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        parts = [part for part in row["label"].split(", ") if not part.startswith(f"{key.rpartition('.')[2]}=")]
        groups.setdefault(", ".join(parts), []).append(row)
    return groups


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def flatten(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested config as `group.key` names, without `_target_` and the like."""
    content: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            content |= flatten(value, f"{prefix}{name}.")
        elif not name.startswith("_"):
            content[f"{prefix}{name}"] = value
    return content
