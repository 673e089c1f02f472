"""The one function that makes pictures: figures x subjects -> files."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from netgaze.errors import NetgazeError
from netgaze.features import read_source
from netgaze.figure import Figure, Finding
from netgaze.files import atomic_write, digest, make_file_names, write_csv, write_json
from netgaze.subject import Subject

log = logging.getLogger(__name__)

_FRAME, _LAST_FRAME = 120, 1500  # milliseconds of an animation


def look(
    figures: Mapping[str, Figure], subjects: Sequence[Subject], out: Path, draw: bool = True
) -> dict[str, dict[str, Finding]]:
    """Ask every figure of every subject; write `<out>/<figure>.png` and `.json`; return the findings.

    The findings of a subject that has a folder lie there as `figures/<figure>.npz`, and are read back when the
    same question is asked of the same weights and data again. A subject that lacks what a figure needs, or cannot be
    asked, is left out and named in the JSON; a figure for which that leaves none is not drawn, and the log says why.
    The `files` of a figure become `<out>/<figure>/<label>/<name>.png`, or `.gif` where they move; its tables
    `<out>/<figure>.csv`, of several networks below one another under their names, and `tables` in the JSON.

    Args:
        figures: by name.
        subjects: the columns, in order; labels are distinct.
        out: the folder of the pictures.
        draw: False computes only (the callback while training asks for numbers alone).

    Raises:
        NetgazeError: a figure cannot be asked of any subject but controls; the first one's reason.
    """
    seen = {}
    controls = {subject.label for subject in subjects if subject.control}
    for name, figure in figures.items():
        findings, left_out, refused = _ask_all(name, figure, subjects, out)
        if set(findings) <= controls:
            if refused:
                raise next(iter(refused.values()))
            if draw:
                why = "; ".join(f"{label} has {said}" for label, said in left_out.items() if label not in controls)
                log.info("%s is left out: %s", name, why)
            continue
        for label, error in refused.items():
            log.warning("%s leaves out what it cannot ask: %s [%s]", name, error, label)
        seen[name] = findings
        if draw:
            _write(name, figure, findings, left_out, controls, out)
    return seen


def _ask_all(
    name: str, figure: Figure, subjects: Sequence[Subject], out: Path
) -> tuple[dict[str, Finding], dict[str, str], dict[str, NetgazeError]]:
    """A figure's findings by subject, why it has none of others, and what these said when they were asked."""
    findings, left_out, refused = dict[str, Finding](), dict[str, str](), dict[str, NetgazeError]()
    for subject in subjects:
        if subject.control and not figure.controls:
            continue
        if lacking := subject.lacks(figure.needs):
            left_out[subject.label] = f"no {' and no '.join(lacking)}"
            continue
        try:
            findings[subject.label] = _ask(name, figure, subject, out)
        except NetgazeError as error:  # what one network lacks (a layer, a class) another may have
            refused[subject.label] = error
            left_out[subject.label] = str(error)
    return findings, left_out, refused


def _ask(name: str, figure: Figure, subject: Subject, out: Path) -> Finding:
    """The finding of one figure on one subject: read back where it was found before.

    Only a run's own look writes into its folder, so that its pictures and arrays stay of one piece.
    """
    if subject.folder is None or subject.training:
        return figure.compute(subject)
    own = [(path, os.path.getmtime(path), os.path.getsize(path)) for path in _own_pictures(figure)]
    key = digest(name, read_source(figure), vars(figure), own, subject.identity(figure.needs), subject.split)
    stem = subject.folder / "figures" / name
    finding = Finding.load(stem, key)
    if finding is None:
        finding = figure.compute(subject)
        if out == stem.parent:
            finding.save(stem, key)
    return finding


def _own_pictures(figure: Figure) -> list[str]:
    """A person's own files that a figure shows: they may change under the same name."""
    paths = [os.path.expanduser(path) for path in figure.images]
    return [path for path in paths if os.path.exists(path)]


def _write(
    name: str,
    figure: Figure,
    findings: dict[str, Finding],
    left_out: dict[str, str],
    controls: set[str],
    out: Path,
) -> None:
    picture = figure.draw(findings)
    with atomic_write(out / f"{name}.png") as beside:
        picture.savefig(beside, format="png", dpi=120)
    for folder, finding in zip(make_file_names(findings), findings.values(), strict=True):
        _write_files(figure.files(finding), out / name / folder)
    content: dict[str, Any] = {
        "figure": name,
        "title": figure.title,
        "question": figure.question,
        "captions": {label: finding.caption for label, finding in findings.items()},
        "numbers": {label: finding.numbers for label, finding in findings.items()},
        "controls": sorted(controls & set(findings)),
        "left_out": left_out,
    }
    if compared := figure.compare(findings):
        content["compared"] = compared
    content |= figure.metadata(findings)
    tables = {label: figure.table(finding) for label, finding in findings.items()}
    if any(tables.values()):
        content["tables"] = tables
        _write_table(tables, out / f"{name}.csv")
    write_json(out / f"{name}.json", content)
    if summary := figure.summary(findings):
        log.info("%s", summary)
    log.info("%s", out / f"{name}.png")


def _write_table(tables: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Rows as CSV; of several networks the first column names each."""
    named = [{"network": label} | row for label, rows in tables.items() for row in rows]
    rows = named if len(tables) > 1 else next(iter(tables.values()))
    write_csv(path, rows)


def _write_files(images: dict[str, np.ndarray], folder: Path) -> None:
    for name, image in images.items():
        if image.ndim == 4:
            first, *others = [Image.fromarray(frame) for frame in image]
            with atomic_write(folder / f"{name}.gif") as beside:
                durations = [_FRAME] * len(others) + [_LAST_FRAME]
                first.save(beside, format="gif", save_all=True, append_images=others, duration=durations, loop=0)
        else:
            with atomic_write(folder / f"{name}.png") as beside:
                Image.fromarray(image).save(beside, format="png")
