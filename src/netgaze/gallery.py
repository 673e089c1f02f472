"""The one function that draws: figures x subjects -> files."""

import functools
import logging
import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import netgaze
from netgaze.errors import NetgazeError
from netgaze.failures import Failure, explain_failures
from netgaze.features import read_source
from netgaze.figure import Figure, Finding, join_related
from netgaze.files import cache_root, digest, mark_used, trim_cache
from netgaze.pictures import Answers, remove_figure, write_failure, write_figure
from netgaze.subject import HOW, Subject

log = logging.getLogger(__name__)

_ALONE = "no other network to compare with"


class Found(dict[str, dict[str, Finding]]):
    """What `look` found, by figure and by label.

    Attributes:
        failed: why a figure has no picture; its findings until then are kept.
        left_out: what all networks lack for a figure.
    """

    def __init__(self) -> None:
        super().__init__()
        self.failed: dict[str, Failure] = {}
        self.left_out: dict[str, str] = {}

    def add(self, other: "Found") -> None:
        """Add the results of another look."""
        self.update(other)
        self.failed |= other.failed
        self.left_out |= other.left_out

    def explain(self, asked: Collection[str], strict: bool) -> str | None:
        """Why a command with these figures fails; see `failures.explain_failures`."""
        failed = {name: failure.error for name, failure in self.failed.items()}
        return explain_failures(asked, failed, self.left_out, strict)

    def as_facts(self) -> dict[str, Any]:
        """The entries of `run.json` on figures without a picture."""
        failed = {name: vars(failure) for name, failure in self.failed.items()}
        return {"figures_failed": failed, "figures_left_out": self.left_out}


def look(figures: Mapping[str, Figure], subjects: Sequence[Subject], out: Path, draw: bool = True) -> Found:
    """Compute every figure for every subject; write `<out>/<figure>.png` and `.json`; return the findings.

    The findings of a run's own look lie in its folder as `figures/<figure>.npz`, all others in the cache; they are read
    back if the same figure is computed for the same weights and data again, of controls too. A subject that lacks what
    a figure needs, or for which it fails, is left out and named in the JSON; if that leaves none, the figure is not
    drawn, and the log says why.
    The `files` of a figure become `<out>/<figure>/<label>/<name>.png`, or `.gif` if animated; its tables become
    `<out>/<figure>.csv`, with a column that names the network if there are several, and `tables` in the JSON.

    An exception costs only the figure that raised it: the message and the traceback are in the result, and in its JSON
    as `error` and `trace`; an earlier picture is removed. Only an interruption ends `look`.

    Args:
        figures: by name.
        subjects: the columns, in order; labels are distinct.
        out: the folder of the pictures.
        draw: False computes only (the callback during training needs only numbers) and does not report failures.
    """
    found = Found()
    _foresee(figures, subjects)
    for name, figure in figures.items():
        answers = _ask_all(name, figure, subjects, out)
        if answers.shows_networks:
            found[name] = answers.findings
            for label, refusal in answers.failed.items():
                log.warning("%s left out: %s [%s]", name, refusal.error, label)
            failure = _try_to_write(name, figure, answers, subjects, out) if draw else None
        elif (failure := _find_failure(answers, subjects)) is None:
            found.left_out[name] = _leave_out(name, answers, subjects, out, draw)
        if failure is not None:
            found.failed[name] = failure
            if draw:
                write_failure(name, failure, out, title=figure.title, question=figure.question, answers=answers)
    return found


def pick_numbers(finding: Finding, figure: Figure) -> dict[str, float]:
    """Those numbers of a finding that the figure lists in `metrics`, and that are numbers."""
    found = {name: finding.numbers.get(name) for name in figure.metrics}
    return {name: value for name, value in found.items() if isinstance(value, int | float)}


def _leave_out(name: str, answers: Answers, subjects: Sequence[Subject], out: Path, draw: bool) -> str:
    """Log why a figure is computed for no network, and remove the files of an earlier drawing."""
    lacking = {
        it.label: answers.left_out[it.label] for it in subjects if it.label in answers.left_out and not it.control
    }
    why = "; ".join(f"{label} has {parts}" for label, parts in lacking.items())
    if draw:
        log.info("%s is left out: %s", name, why)
        remove_figure(name, out)
    return why


def _find_failure(answers: Answers, subjects: Sequence[Subject]) -> Failure | None:
    """How a figure without any finding of a network failed: for the first one."""
    own = (answers.failed[it.label] for it in subjects if it.label in answers.failed and not it.control)
    return next(own, None)


def _ask_all(name: str, figure: Figure, subjects: Sequence[Subject], out: Path) -> Answers:
    answers = Answers()
    networks = [subject.label for subject in subjects if not subject.control]
    if figure.compares and len(networks) < 2:
        return Answers(left_out=dict.fromkeys(networks, _ALONE))
    for subject in subjects:
        if not _is_asked(figure, subject):
            continue
        try:
            if lacking := subject.lacks(figure.needs):
                answers.left_out[subject.label] = _describe_lacking(lacking)
                continue
            answers.findings[subject.label] = _ask(name, figure, subject, out)
            if subject.control:
                answers.controls.append(subject.label)
        except Exception as error:  # what one network lacks (a layer, a class) another may have
            answers.failed[subject.label] = Failure.of(error)
            answers.left_out[subject.label] = answers.failed[subject.label].error
    told = [label for label in networks if label in answers.findings]
    if figure.compares and len(told) == 1:
        answers.findings.clear()
        answers.controls.clear()
        answers.left_out.update(dict.fromkeys(told, _ALONE))
    return answers


def _describe_lacking(needs: Sequence[str]) -> str:
    """What a subject lacks, and how a run gets it, if only few have it."""
    said = [f"no {need}" + (f" ({HOW[need]})" if need in HOW else "") for need in needs]
    return " and ".join(said)


def _foresee(figures: Mapping[str, Figure], subjects: Sequence[Subject]) -> None:
    """Announce to each subject whether outputs will be needed, so that one pass gives them and the features."""
    for subject in subjects:
        asked = [set(figure.needs) for figure in figures.values() if _is_asked(figure, subject)]
        if any({"classes", "data"} <= needs for needs in asked):
            subject.foresee_outputs()


def _is_asked(figure: Figure, subject: Subject) -> bool:
    return not (subject.control and figure.controls == "none")


def _ask(name: str, figure: Figure, subject: Subject, out: Path) -> Finding:
    """The finding of one figure on one subject, read back if it was computed before.

    Only a run's own look writes into its folder, so that its pictures and arrays stay of one piece.
    """
    # Code from elsewhere may change unseen by `_digest_code`: only a run's folder keeps what it found.
    is_cached = type(figure).__module__.startswith("netgaze.")
    if subject.training or (subject.folder is None and not is_cached):
        return _compute(figure, subject)
    own = [(path, os.path.getmtime(path), os.path.getsize(path)) for path in _own_pictures(figure)]
    question = [name, read_source(figure), vars(figure), own, subject.identity(figure.needs), subject.split]
    key, stem = digest(*question), None if subject.folder is None else subject.folder / "figures" / name
    finding = None if stem is None else Finding.load(stem, key)
    if stem is not None and stem.parent == out:
        if finding is None:
            finding = _compute(figure, subject)
            finding.save(stem, key)
        return finding
    if finding is None:
        finding = _ask_cached(figure, subject, question) if is_cached else _compute(figure, subject)
    return finding


def _ask_cached(figure: Figure, subject: Subject, question: Sequence[Any]) -> Finding:
    """The finding from the cache, which all reports share; computed and stored if missing."""
    # Of all code, as no folder of a run bounds what an answer of yesterday's code would be shown beside.
    told = [vars(subject.data.found.remarks), subject.data.title] if "data" in figure.needs else []
    key = digest(*question, *told, _digest_code())
    stem = cache_root() / "findings" / key
    finding = Finding.load(stem, key)
    if finding is not None:
        mark_used(stem.with_suffix(".npz"))
        return finding
    finding = _compute(figure, subject)
    with suppress(NetgazeError):  # a cache that cannot be written to costs time alone
        finding.save(stem, key)
        trim_cache()
    return finding


def _compute(figure: Figure, subject: Subject) -> Finding:
    finding = figure.compute(subject)
    finding.precision = subject.name_precision(figure.needs)
    return finding


@functools.cache
def _digest_code() -> str:
    """A digest of all code of the project."""
    paths = sorted(Path(netgaze.__file__).parent.rglob("*.py"))
    return digest(*(path.read_text(encoding="utf-8") for path in paths))


def _own_pictures(figure: Figure) -> list[str]:
    """The user's own files that a figure shows: they may change under the same name."""
    paths = [os.path.expanduser(path) for path in figure.images]
    return [path for path in paths if os.path.exists(path)]


def _try_to_write(
    name: str, figure: Figure, answers: Answers, subjects: Sequence[Subject], out: Path
) -> Failure | None:
    """Draw a figure; how it failed, or None."""
    try:
        join_related(figure, answers.findings, subjects)
        write_figure(name, figure, answers, out)
    except Exception as error:
        return Failure.of(error)
    return None
