"""Exports the networks of runs in the chosen formats, with a model card."""

import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from netgaze import __version__
from netgaze.build import build
from netgaze.card import write_card
from netgaze.errors import NetgazeError
from netgaze.exports.base import Export, Exported
from netgaze.files import atomic_write
from netgaze.run import Run
from netgaze.subject import Subject

log = logging.getLogger(__name__)

_CARD = "README.md"
_TRIED = 8  # images that a written network is tried on


def export_runs(settings: Mapping[str, Any], opened: Sequence[tuple[Run, Subject]], checkpoint: str) -> None:
    """Write each run's network into `<run>/export/`, in all chosen forms with their card, or nothing of it.

    Args:
        settings: of the forms, by name.
        opened: runs and their networks.
        checkpoint: which of their checkpoints these are, "best" or "last".

    Raises:
        NetgazeError: a form is not possible, or the forms are given away under different licenses.
    """
    chosen = [build(each) for each in settings.values()]
    licenses = {each.license: name for name, each in zip(settings, chosen, strict=True) if each.license}
    if len(licenses) > 1:
        said = " and ".join(f"export.{name}.license={license}" for license, name in licenses.items())
        raise NetgazeError(f"{said}: both share one card. Give both the same value.")
    for run, subject in opened:
        _export(run, subject, checkpoint, chosen)


def _export(run: Run, subject: Subject, checkpoint: str, chosen: Sequence[Export]) -> None:
    numbers = _pick_numbers(run, checkpoint)
    facts = _list_facts(run, subject, checkpoint, numbers)
    exported = Exported.of_task(subject.task, subject.data, _TRIED, facts)
    said, folder = {}, run.folder / "export"
    with ExitStack() as files:  # put in place together, at its end
        card = files.enter_context(atomic_write(folder / _CARD))
        for form in chosen:
            said[form.file] = form.write(exported, files.enter_context(atomic_write(folder / form.file)))
        text = write_card(run, checkpoint, numbers, exported, chosen)
        card.write_text(text, encoding="utf-8", errors="backslashreplace")
    for file, found in said.items():
        log.info("%s: %s", folder / file, found)
    log.info("%s: the model card. Read it before you share it", folder / _CARD)


def _pick_numbers(run: Run, checkpoint: str) -> dict[str, Any]:
    """What was measured of a checkpoint: the test of the best epoch's, the validation of the last."""
    if checkpoint == "best":
        return {name: value for name, value in run.metrics.items() if name.startswith("test/")}
    last = run.epochs[-1] if run.epochs else {}
    renamed = {"val/acc": "last/val_acc"}  # the other is of the best epoch, in people's words
    return {renamed.get(name, name): value for name, value in last.items() if name.startswith("val/")}


def _list_facts(run: Run, subject: Subject, checkpoint: str, numbers: Mapping[str, Any]) -> dict[str, str]:
    """What the files say of a network, as text."""
    task, data, config = subject.task, subject.data, subject.config or {}
    last = run.epochs[-1]["epoch"] if run.epochs else 0
    facts = {
        "netgaze": __version__,
        "command": run.request.command,
        "checkpoint": checkpoint,
        "epoch": str(run.metrics.get("best/epoch", last) if checkpoint == "best" else last),
        "model": json.dumps(config.get("model")),
        "data": str(run.facts.get("data")),
        "mean": json.dumps(list(data.mean)),
        "std": json.dumps(list(data.std)),
        "numbers": json.dumps(numbers),
    }
    if task.classifies:
        facts["class_names"] = json.dumps(list(task.class_names), ensure_ascii=False)
    if subject.verifier is not None and subject.verifier.threshold.isfinite():
        facts["threshold"] = str(float(subject.verifier.threshold))
    return facts
