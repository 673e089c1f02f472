"""Writes a figure's picture, JSON, table and files, or why it failed."""

import logging
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Picture
from PIL import Image

from netgaze.errors import NetgazeError
from netgaze.failures import Failure
from netgaze.figure import Figure, Finding, pick_drawn
from netgaze.files import atomic_write, make_file_names, write_csv, write_json
from netgaze.glossary import explain_all
from netgaze.page.parts import SUFFIX, write_parts

log = logging.getLogger(__name__)

_DPI = 120
_SUFFIXES = (".png", ".csv", SUFFIX)  # of what is drawn; a figure's JSON says more
_FRAME, _LAST_FRAME = 120, 1500  # milliseconds of an animation


@dataclass(frozen=True)
class Answers:
    """The results of a figure for several subjects, by their labels.

    Attributes:
        findings: what it found of each subject.
        controls: the subjects that are only there for comparison.
        left_out: why it has no finding of another.
        failed: how it failed for another.
    """

    findings: dict[str, Finding] = field(default_factory=dict)
    controls: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    failed: dict[str, Failure] = field(default_factory=dict)

    @property
    def shows_networks(self) -> bool:
        """Whether it has a finding of any network that is not a control."""
        return len(self.findings) > len(self.controls)


def write_figure(name: str, figure: Figure, answers: Answers, out: Path) -> None:
    """Draw a figure into `<out>/<name>.png`, and write its other files beside it.

    Args:
        name: of the figure.
        figure: the figure.
        answers: what it found of each network.
        out: the folder of the pictures.
    """
    findings = answers.findings
    drawn = pick_drawn(figure, findings, answers.controls)
    picture = figure.draw(drawn)
    with atomic_write(out / f"{name}.png") as beside:
        picture.savefig(beside, format="png", dpi=_DPI)
    for folder, finding in zip(make_file_names(drawn), drawn.values(), strict=True):
        _write_files(figure.files(finding), out / name / folder)
    content = _make_head(name, figure.title, figure.question, answers)
    content |= {"look_for": figure.look_for, "pitfall": figure.pitfall}
    if answers.failed:
        content["traces"] = {label: failure.trace for label, failure in answers.failed.items()}
    if compared := figure.compare(findings):
        content["compared"] = compared
    if differences := figure.differences({k: v for k, v in findings.items() if k not in answers.controls}):
        content["differences"] = differences
    content |= figure.metadata(findings)
    tables = {label: figure.table(finding) for label, finding in findings.items()}
    if any(tables.values()):
        content["tables"] = tables
        _write_table(tables, out / f"{name}.csv")
    write_parts(out / name, {label: figure.explore(it) for label, it in findings.items()}, answers.controls)
    if meanings := explain_all(_list_names(answers, compared, tables), figure.glossary):
        content["glossary"] = meanings
    write_json(out / f"{name}.json", content)
    if summary := figure.summary(findings):
        log.info("%s", summary)
    log.info("%s", out / f"{name}.png")


def render(picture: Picture) -> np.ndarray:
    """A drawn figure as pixels, uint8 [H,W,3], the same as in its file."""
    picture.set_dpi(_DPI)
    canvas = FigureCanvasAgg(picture)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def write_failure(
    name: str, failure: Failure, out: Path, *, title: str, question: str, answers: Answers | None = None
) -> None:
    """Record in the log and in a figure's JSON that it failed, and remove the files of an earlier drawing.

    Args:
        name: of the figure.
        failure: why.
        out: the folder of the pictures.
        title: the figure's.
        question: the figure's.
        answers: what it had found by then.
    """
    log.warning("%s failed: %s [traceback in %s]", name, failure.error, out / f"{name}.json")
    answers = answers or Answers()
    content = _make_head(name, title, question, answers) | vars(failure)
    content["left_out"] = {label: why for label, why in answers.left_out.items() if why != failure.error}
    try:
        try:
            write_json(out / f"{name}.json", content)
        except (TypeError, ValueError):  # numbers that JSON does not know may be what failed
            write_json(out / f"{name}.json", content | {"numbers": {}, "captions": {}})
    except NetgazeError as error:  # where nothing can be written, what was there stays
        log.warning("%s", error)
        return
    remove_figure(name, out, _SUFFIXES if answers.shows_networks else (*_SUFFIXES, ".npz"))


def remove_figure(name: str, out: Path, suffixes: Sequence[str] = (*_SUFFIXES, ".npz", ".json")) -> None:
    """Remove the files of an earlier drawing of a figure, which would pass for the current one's."""
    shutil.rmtree(out / name, ignore_errors=True)
    for suffix in suffixes:
        with suppress(OSError):
            (out / f"{name}{suffix}").unlink(missing_ok=True)


def _make_head(name: str, title: str, question: str, answers: Answers) -> dict[str, Any]:
    precisions = {label: found.precision for label, found in answers.findings.items() if found.precision}
    head = {
        "figure": name,
        "title": title,
        "question": question,
        "captions": {label: finding.caption for label, finding in answers.findings.items()},
        "numbers": {label: finding.numbers for label, finding in answers.findings.items()},
        "controls": sorted(answers.controls),
        "left_out": answers.left_out,
    }
    return head | ({"precisions": precisions} if precisions else {})


def _list_names(answers: Answers, compared: dict[str, Any], tables: Mapping[str, list[dict[str, Any]]]) -> list[str]:
    """The names of a figure's numbers and columns."""
    named: list[Mapping[str, Any]] = [finding.numbers for finding in answers.findings.values()]
    named += [compared, *(row for rows in tables.values() for row in rows)]
    return list(dict.fromkeys(name for each in named for name in each))


def _write_table(tables: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Rows as CSV; with several networks, the first column names the network."""
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
