"""One self-contained page from saved pictures and JSON, and the explorer on its own: nothing is computed here."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from netgaze.files import read_json, write_text
from netgaze.glossary import RUN_NUMBERS, Glossary, Meaning, find_margin, format_named, format_number
from netgaze.labels import find_differing, list_settings
from netgaze.page.parts import assemble, read_parts
from netgaze.page.render import render
from netgaze.results import average_repeats
from netgaze.rows import COUNTS, Row
from netgaze.run import Run
from netgaze.tables import tabulate, tabulate_means
from netgaze.winner import name_winner

MOST_ROWS = 200  # of a figure's own table on the page; the CSV has all
EXPLORE = "explore"  # the figure that is the interactive page
MOST_DIFFERENCES = 10  # sentences at the top of a page


def write(
    folder: Path,
    title: str,
    rows: Sequence[Row],
    figures: Sequence[str],
    *,
    plots: Sequence[str] = (),
    note: str = "",
) -> Path:
    """Write `<folder>/report.html` and return its path; of the figure `explore` alone also `explore.html`.

    Args:
        folder: holds `figures/<figure>.png` and `.json`.
        title: of the page.
        rows: the table, from `rows.make_rows`; empty where there are no runs.
        figures: names in the order of the page.
        plots: of the table, in `figures/<plot>.png`.
        note: a sentence under the table.
    """
    columns, cells = tabulate(rows)
    explorer = _read_explorer(folder, figures, rows)
    counts = {row["label"]: {name: row[name] for name in COUNTS if name in row} for row in rows}
    shown = [name for name in figures if explorer is None or name != EXPLORE]
    context = {
        "title": title,
        "columns": _explain_columns(columns),
        "rows": [
            {"cells": line, "status": row["status"], "error": row["error"]}
            for line, row in zip(cells, rows, strict=True)
        ],
        "means": _describe_means(rows),
        "meanings": [RUN_NUMBERS[name] for name in columns if name in RUN_NUMBERS],
        "winner": name_winner(rows),
        "note": note,
        "plots": [_inline(folder / "figures" / f"{plot}.png") for plot in plots],
        "differences": collect_differences(folder, figures),
        "figures": [_figure(folder / "figures", name, counts) for name in shown],
        "runs": [_provenance(Path(row["folder"]), row["label"]) for row in rows],
    }
    write_text(folder / "report.html", render("report.html", context, explorer))
    if explorer is not None and list(figures) == [EXPLORE]:
        write_text(folder / "explore.html", render("explore.html", {"title": title}, explorer))
    return folder / "report.html"


def _read_explorer(folder: Path, figures: Sequence[str], rows: Sequence[Row]) -> dict[str, Any] | None:
    """What the interactive part shows; None where the figure `explore` is not among those drawn."""
    content = read_json(folder / "figures" / f"{EXPLORE}.json") if EXPLORE in figures else {"error": "not asked"}
    if "error" in content:
        return None
    parts = read_parts(folder / "figures", figures)
    own = list_settings([Run(Path(row["folder"])) for row in rows])
    labels, keys = [row["label"] for row in rows], find_differing(own)
    settings = {label: {key: one[key] for key in keys if key in one} for label, one in zip(labels, own, strict=True)}
    return _figure(folder / "figures", EXPLORE, {}) | {"block": assemble(parts, settings)}


def collect_differences(folder: Path, figures: Iterable[str]) -> list[str]:
    """Sentences of the figures on how networks differ, at most ten, the figures taking turns."""
    said = [read_json(folder / "figures" / f"{name}.json").get("differences", []) for name in figures]
    in_turns = [sentence for some in zip_longest(*said) for sentence in some if sentence]
    return in_turns[:MOST_DIFFERENCES]


def _describe_means(rows: Sequence[Row]) -> dict[str, Any] | None:
    """The table of repeated runs, where some were repeated."""
    means = average_repeats(rows)
    if not means:
        return None
    columns, cells = tabulate_means(means)
    return {"columns": _explain_columns(columns), "rows": cells}


def _explain_columns(columns: Sequence[str]) -> list[Meaning]:
    return [RUN_NUMBERS.get(name, Meaning(name)) for name in columns]


def _figure(folder: Path, name: str, counts: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    content = read_json(folder / f"{name}.json")
    glossary = Glossary({key: Meaning(**meaning) for key, meaning in content.get("glossary", {}).items()})
    numbers = content["numbers"]
    beside = [counts.get(label, {}) for label in numbers]
    names = list(dict.fromkeys(key for own in numbers.values() for key in own))
    simple = [key for key in names if all(_is_simple(own.get(key)) for own in numbers.values())]
    own = [key for key in simple if len(numbers) > 1 and sum(key in each for each in numbers.values()) == 1]
    told = [label for label in numbers if label not in content["controls"]]
    owners = [label for label in told if any(key in numbers[label] for key in own)]
    compared = content.get("compared", {})
    tables = {label: rows for label, rows in content.get("tables", {}).items() if rows}
    return {
        "name": name,
        "title": content["title"],
        "question": content["question"],
        "reading": [content[key] for key in ("look_for", "pitfall") if content.get(key)],
        "captions": list(dict.fromkeys(caption for caption in content["captions"].values() if caption)),
        "error": content.get("error"),
        "picture": None if "error" in content else _inline(folder / f"{name}.png"),
        "labels": list(numbers),
        "controls": content["controls"],
        "table": [_line(key, glossary.get(key), numbers.values(), beside) for key in simple if key not in own],
        "own": [
            _list_own(label, [key for key in own if key in numbers[label]], numbers[label], glossary)
            for label in owners
        ],
        "compared": [_line(key, glossary.get(key), [compared], [{}]) for key in compared],
        "precisions": _describe_precisions(content.get("precisions", {})),
        "left_out": _left_out(content["left_out"]),
        "meanings": _list_said(glossary, [*simple, *compared, *(key for rows in tables.values() for key in rows[0])]),
        "tables": [_table(label, rows, glossary) for label, rows in tables.items()],
    }


def _line(
    key: str, meaning: Meaning | None, each: Iterable[Mapping[str, Any]], counts: Iterable[Mapping[str, float]]
) -> dict[str, Any]:
    """A number as a line of a table: its meaning, and a cell for each network, whose run may know counts too."""
    cells = [
        format_number(own.get(key), meaning, find_margin({**some, **own}, key, meaning))
        for own, some in zip(each, counts, strict=True)
    ]
    return {"meaning": meaning or Meaning(key), "cells": cells}


def _list_own(label: str, names: Sequence[str], numbers: Mapping[str, Any], glossary: Glossary) -> str:
    """A sentence with the numbers that only one network has: in a table they would leave columns empty."""
    said = [f"{glossary.get(name, Meaning(name)).words}: {format_named(numbers, name, glossary)}" for name in names]
    return f"Only for {label}: {'; '.join(said)}."


def _list_said(glossary: Glossary, names: Iterable[str]) -> list[Meaning]:
    """The meanings listed below a table: of several with the same explanation, as for layers, the first."""
    said = {glossary[name].says: glossary[name] for name in reversed(list(names)) if name in glossary}
    return [meaning for meaning in reversed(said.values()) if meaning.says]


def _table(label: str, rows: Sequence[dict[str, Any]], glossary: Glossary) -> dict[str, Any]:
    """A figure's own table of one network: its columns, its first lines, and which columns are numbers."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [[format_named(row, name, glossary) for name in names] for row in rows[:MOST_ROWS]]
    return {
        "label": label,
        "columns": [glossary.get(name, Meaning(name.replace("_", " "))) for name in names],
        "numeric": [any(isinstance(row.get(name), int | float) for row in rows) for name in names],
        "lines": lines,
        "num": len(rows),
    }


def _describe_precisions(precisions: dict[str, str]) -> str:
    """A sentence on the precision of the computation, where that was not fp32."""
    rounded = [label for label, precision in precisions.items() if precision == "bf16"]
    if not rounded:
        return ""
    return (
        f"Computed in bf16, the head in fp32: {', '.join(rounded)}. Accuracies may differ by up to 0.2 points from "
        "the run's own test accuracy."
    )


def _left_out(reasons: dict[str, str]) -> list[str]:
    """One sentence per reason, naming all networks that it leaves out."""
    return [
        f"Left out: {', '.join(label for label in reasons if reasons[label] == why)} ({why})."
        for why in dict.fromkeys(reasons.values())
    ]


def _provenance(folder: Path, label: str) -> dict[str, Any]:
    run = Run(folder).facts
    return {
        "label": label,
        "folder": str(folder),
        "command": run.get("command"),
        "facts": ", ".join(
            f"{name} {run[key]}"
            for name, key in (("seed", "seed"), ("precision", "precision"), ("on", "device"), ("started", "started"))
            if run.get(key) is not None
        ),
        "versions": ", ".join(f"{name} {value}" for name, value in run["versions"].items() if value),
    }


def _is_simple(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _inline(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
