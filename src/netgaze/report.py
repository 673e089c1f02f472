"""One self-contained page from saved pictures and JSON: nothing is computed here."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from netgaze.files import read_json, write_text
from netgaze.results import average_repeats, name_winner
from netgaze.run import Run
from netgaze.runs import Row
from netgaze.tables import tabulate, tabulate_means
from netgaze.text import show


def write(
    folder: Path,
    title: str,
    rows: Sequence[Row],
    figures: Sequence[str],
    *,
    plots: Sequence[str] = (),
    note: str = "",
) -> Path:
    """Write `<folder>/report.html` and return its path.

    Args:
        folder: holds `figures/<figure>.png` and `.json`.
        title: of the page.
        rows: the table, from `runs.make_rows`; empty where there are no runs.
        figures: names in the order of the page.
        plots: of the table, in `figures/<plot>.png`.
        note: a sentence under the table.
    """
    titles, cells = tabulate(rows)
    page = (
        _environment()
        .get_template("report.html")
        .render(
            title=title,
            titles=titles,
            rows=[
                {"cells": line, "status": row["status"], "error": row["error"]}
                for line, row in zip(cells, rows, strict=True)
            ],
            means=tabulate_means(means) if (means := average_repeats(rows)) else None,
            winner=name_winner(rows),
            note=note,
            plots=[_inline(folder / "figures" / f"{plot}.png") for plot in plots],
            figures=[_figure(folder / "figures", name) for name in figures],
            runs=[_provenance(Path(row["folder"]), row["label"]) for row in rows],
        )
    )
    write_text(folder / "report.html", page)
    return folder / "report.html"


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("netgaze", "."),
        autoescape=True,
        finalize=lambda value: show(value, keep="\n") if isinstance(value, str) else value,
        undefined=StrictUndefined,
        trim_blocks=True,
    )


def _figure(folder: Path, name: str) -> dict[str, Any]:
    content = read_json(folder / f"{name}.json")
    labels = list(content["numbers"])
    names = list(dict.fromkeys(key for numbers in content["numbers"].values() for key in numbers))
    simple = [key for key in names if all(_is_simple(content["numbers"][label].get(key)) for label in labels)]
    table = [[key, *(format_number(content["numbers"][label].get(key)) for label in labels)] for key in simple]
    return {
        "name": name,
        "title": content["title"],
        "question": content["question"],
        "captions": list(dict.fromkeys(caption for caption in content["captions"].values() if caption)),
        "error": content.get("error"),
        "picture": None if "error" in content else _inline(folder / f"{name}.png"),
        "labels": labels,
        "controls": content["controls"],
        "table": table,
        "compared": [[key, format_number(value)] for key, value in content.get("compared", {}).items()],
        "left_out": _left_out(content["left_out"]),
        "tables": [_table(label, rows) for label, rows in content.get("tables", {}).items()],
    }


def _table(label: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A figure's own table of one network: titles, cells, and which columns are numbers."""
    titles = list(dict.fromkeys(name for row in rows for name in row))
    numeric = [any(isinstance(row.get(name), int | float) for row in rows) for name in titles]
    return {
        "label": label,
        "titles": [name.replace("_", " ") for name in titles],
        "numeric": numeric,
        "lines": [[format_number(row.get(name)) for name in titles] for row in rows],
    }


def _left_out(reasons: dict[str, str]) -> list[str]:
    """One sentence a reason, naming all whom it keeps out."""
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


def format_number(value: Any) -> str:
    """A number as a reader wants it: four digits behind the point, whole numbers whole, by thousands."""
    if value is None:
        return "-"
    if type(value) is int:
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 1000 else f"{value:.0f}"
    return str(value)


def _inline(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
