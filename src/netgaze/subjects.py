"""Runs and what they are held against, as Subjects."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from netgaze import runs
from netgaze.build import build, build_task
from netgaze.errors import NetgazeError
from netgaze.files import digest
from netgaze.subject import Subject
from netgaze.weights import read_checkpoint

CONTROL_SEED = 1803  # of the untrained networks that every picture is held against


def open_run(folder: Path | str, checkpoint: str = "best", label: str | None = None) -> Subject:
    """A run's folder as a Subject: its network is opened from the folder alone, when first asked for.

    Args:
        folder: the run.
        checkpoint: "best" or "last".
        label: the column's title; by default the folder's name.

    Raises:
        NetgazeError: no run is there, or it has no such checkpoint.
    """
    folder = Path(folder)
    runs.read(folder)
    path = folder / "checkpoints" / f"{checkpoint}.ckpt"
    stored = read_checkpoint(path)
    if "netgaze" not in stored:
        raise NetgazeError(f"{path} was not written by train.py: it does not say which network it belongs to.")
    settings, class_names = stored["netgaze"]["config"], stored["netgaze"]["class_names"]

    def task() -> Any:
        built = build_task(settings, class_names)
        built.load_state_dict(stored["state_dict"])
        return built.eval()

    history = runs.read_history(folder)
    return Subject(
        label or folder.name,
        task=task,
        data=lambda: _open_data(settings["data"]),
        history=(lambda: history) if history else None,
        metrics=runs.read_metrics(folder),
        config=settings,
        folder=folder,
    )


_opened: dict[str, Any] = {}


def _open_data(settings: dict[str, Any]) -> Any:
    """The data of a run; runs that look at the same data share it in memory (one set at a time)."""
    facts = {key: value for key, value in settings.items() if key not in ("seed", "batch_size", "augment")}
    key = digest(facts)
    if key not in _opened:
        _opened.clear()
        data = build(settings)
        data.setup()
        _opened[key] = data
    return _opened[key]


def controls(subjects: Sequence[Subject], control: str | None) -> list[Subject]:
    """What the subjects are held against: each distinct network untrained, and raw pixels.

    Args:
        subjects: with configs.
        control: "random", or None for no control.

    Raises:
        NetgazeError: another word.
    """
    if control is None:
        return []
    if control != "random":
        raise NetgazeError(f"control={control} is not known: choose random, or null for none.")
    distinct: dict[str, Subject] = {}
    for subject in subjects:
        assert subject.config is not None
        distinct.setdefault(digest(subject.config["model"], subject.config["task"]), subject)
    titles = ["random"] if len(distinct) == 1 else [f"random ({subject.label})" for subject in distinct.values()]
    columns = [_untrained(subject, title) for subject, title in zip(distinct.values(), titles, strict=True)]
    first = subjects[0]
    return [*columns, Subject("raw pixels", data=lambda: first.data, pixels=True, control=True)]


def _untrained(subject: Subject, title: str) -> Subject:
    assert subject.config is not None
    settings = subject.config | {"seed": CONTROL_SEED, "init": None}
    return Subject(
        title,
        task=lambda: build_task(settings, subject.data.class_names).eval(),
        data=lambda: subject.data,
        config=settings,
        split=subject.split,
        control=True,
    )
