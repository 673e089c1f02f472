"""Runs and their controls as Subjects."""

import hashlib
import logging
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from netgaze.build import build, build_task, init_from_data
from netgaze.early_checks import check_control
from netgaze.errors import NetgazeError
from netgaze.files import digest
from netgaze.program import spell
from netgaze.subject import Subject, Untrained
from netgaze.trainer import choose_device, resolve_figures_precision
from netgaze.verifier import Verifier
from netgaze.weights import restore

log = logging.getLogger(__name__)

CONTROL_SEED = 1803  # of the untrained networks that every picture is held against


def open_subject(
    run: Any,
    checkpoint: str,
    label: str | None,
    other: dict[str, Any] | None,
    data_dir: str | None,
    precision: str | None = None,
) -> Subject:
    """A run's network as a Subject, opened when first asked for; see `run.Run.open`.

    Args:
        run: a `run.Run`.
        checkpoint: "best" or "last".
        label: the column's title; None for the folder's name.
        other: settings of the data to look at; None for the run's own.
        data_dir: where the run's own data lies now; None for where it lay.
        precision: `figures.precision`; None for the run's own.
    """
    stored = run.read_checkpoint(checkpoint)
    facts = stored["netgaze"]
    own = facts["config"] | {"data": _find_labels(facts["config"]["data"], run.folder)}
    moved = data_dir is not None and "dir" in own["data"]
    if moved:
        own["data"] = own["data"] | {"dir": data_dir}
    if moved and other is None and not _is_same(run.folder, facts["data"], own["data"]):
        other = own["data"]
    settings = own if other is None else own | {"data": _take_form(own["data"], other)}

    def open_task() -> Any:
        task = build_task(own, facts["class_names"])
        restore(task, stored, run.locate_checkpoint(checkpoint))
        return task.to(choose_device(settings["trainer"]["accelerator"])).eval()

    def open_own() -> Any:
        data = _open_where_it_lay(own["data"], run.folder)
        warn_of_changes(run.folder, facts["data"], data)
        return _take_ranges(data, facts)

    def open_other() -> Any:
        data = _open_data(settings["data"])
        if other is not own["data"]:  # else its own is not there
            _warn_of_known_images(run.folder, open_own(), data)
        return _take_ranges(data, facts)

    return Subject(
        label or run.folder.name,
        task=open_task,
        data=open_own if other is None else open_other,
        reader=lambda: _take_ranges(build(settings["data"]), facts),
        history=(lambda: run.epochs) if run.epochs else None,
        metrics=run.metrics,
        config=settings,
        folder=run.folder if other is None else None,
        train_data=None if other is None else open_other if other is own["data"] else open_own,
        precision=choose_precision(settings, precision),
        examples=(lambda: run.examples) if run.has_examples else None,
        snapshots=(lambda: run.snapshots) if run.has_snapshots else None,
        untrained=lambda: plan_untrained(settings),
    )


def choose_precision(settings: dict[str, Any], precision: str | None = None) -> str:
    """What passes of a run's network over whole splits are computed in, "32" or "bf16".

    Args:
        settings: the run's resolved config; of earlier versions it says nothing of figures.
        precision: `figures.precision`; None for the run's own.
    """
    own = settings.get("figures", {}).get("precision", "auto")
    return resolve_figures_precision(precision or own, settings["trainer"]["accelerator"])


def open_model(settings: dict[str, Any], input_shape: tuple[int, int, int], label: str) -> Subject:
    """A network without a run as a Subject: its layers are there, its weights are not, wherever it can do without.

    Args:
        settings: resolved, of the model alone.
        input_shape: (C, H, W) of the images that it reads.
        label: the column's title.
    """

    def model() -> nn.Module:
        try:
            with torch.device("meta"):
                return build(settings)
        except NetgazeError:
            raise
        except Exception:  # a constructor that reads its own weights
            return build(settings)

    return Subject(label, model=model, input_shape=input_shape)


def _take_ranges(data: Any, facts: dict[str, Any]) -> Any:
    """Data that reads a person's own pictures by what was black and white in those that a run was trained on."""
    data.ranges = data.ranges or facts.get("ranges", {})
    return data


def _find_labels(settings: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The settings of a run's data; of a chain or sweep that was moved, with the labels that were moved with it."""
    known = settings.get("pseudo_labels")
    if known is None or Path(known).exists():
        return settings
    parts = Path(known).parts
    ends = [Path(*parts[-length:]) for length in (3, 1)]  # a stage of another job, or of the same chain
    moved = [parent / end for end in ends for parent in folder.resolve().parents[:3] if (parent / end).exists()]
    return settings | {"pseudo_labels": str(moved[0])} if moved else settings


def _take_form(own: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The settings of another data set, with the size, channels and normalization that a network knows."""
    known = ("num_channels", "image_size", "stored_size", "mean", "std", "fit")
    return other | {name: own[name] for name in known if name in own and name in other}


def _is_same(folder: Path, known: str, settings: dict[str, Any]) -> bool:
    """Whether the data that is said to have been moved is what a run was trained on; a warning where it is not.

    Raises:
        NetgazeError: it does not even have the same form.
    """
    try:
        same = _open_data(settings).fingerprint == known
    except NetgazeError as error:
        raise NetgazeError(f"data.dir={settings['dir']} is not the data of {folder}: {error}") from error
    if not same:
        log.warning(
            "%s: data.dir=%s contains other data than it was trained on; it is treated as other data.",
            folder,
            settings["dir"],
        )
    return same


def _open_where_it_lay(settings: dict[str, Any], folder: Path) -> Any:
    """A run's own data.

    Raises:
        NetgazeError: it cannot be opened; where it was moved, how to say so.
    """
    place = settings.get("dir")
    is_gone = place is not None and not Path(place).expanduser().exists()
    try:
        return _open_data(settings)
    except NetgazeError as error:
        if not is_gone:
            raise
        raise NetgazeError(
            f"The data of {folder} is no longer at {place}. Say where it lies now: data.dir=<folder>, or in a notebook "
            f"open_run(..., data_dir=<folder>); {spell('train')} resume={folder} data.dir=<folder> stores it."
        ) from error


def warn_of_changes(folder: Path, known: str | None, data: Any) -> None:
    """Warn where the data is no longer what a run was trained on: its test images may have been trained on."""
    if known is not None and known != data.fingerprint:
        log.warning("%s: its data has changed since training; numbers on it may mislead.", folder)


def _warn_of_known_images(folder: Path, own: Any, data: Any) -> None:
    """Warn where a run looks at test images that it was trained or chosen on."""
    known = {_name_of(image) for split in ("train", "val") for image in own.images(split)}
    seen = sum(_name_of(image) in known for image in data.images("test"))
    if seen:
        log.warning(
            "%s was trained or chosen on %d of the %d test images of this data, so its numbers on them are too good.",
            folder,
            seen,
            len(data.labels("test")),
        )


def _name_of(image: Tensor) -> bytes:
    """A short name for an image's pixels: all of a large set are held at once."""
    return hashlib.blake2b(image.numpy().tobytes(), digest_size=16).digest()


_opened: dict[str, Any] = {}


def _open_data(settings: dict[str, Any]) -> Any:
    """The data of a run; runs that look at the same images share these in memory (two sets at a time)."""
    key = digest(_what_is_shown(settings))
    if key not in _opened:
        for old in list(_opened)[:-1]:
            del _opened[old]
        data = build(settings)
        data.setup()
        _opened[key] = data
    return _opened[key].with_augment(build(settings["augment"]) if settings.get("augment") else None)


def forget_data() -> None:
    """Let go of the data that opened runs share: in a long process it may have changed on disk."""
    _opened.clear()


def _what_is_shown(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a data set without those that only training reads; the seed counts where it draws labels."""
    training_only = {"batch_size", "augment", "sampler", "epoch_size"}
    if not any(settings.get(drawing) for drawing in ("per_class", "labeled_fraction", "label_noise")):
        training_only.add("seed")
    return {key: value for key, value in settings.items() if key not in training_only}


def controls(subjects: Sequence[Subject], control: str | None) -> list[Subject]:
    """The controls of these subjects: each distinct network untrained, and raw pixels.

    Args:
        subjects: those that say how their untrained network is made; the others are held against nothing.
        control: "untrained", or None for no control.

    Raises:
        NetgazeError: another word.
    """
    check_control(control)
    if control is None:
        return []
    labels = {subject.label for subject in subjects}
    distinct: dict[str, Subject] = {}
    sets: dict[str, Subject] = {}
    for subject in subjects:
        if subject.untrained is not None:
            distinct.setdefault(subject.untrained.key, subject)
            sets.setdefault(subject.untrained.data_key, subject)
    return [
        *(_untrained(subject, _title("untrained", subject, distinct, labels)) for subject in distinct.values()),
        *(_pixels(subject, _title("raw pixels", subject, sets, labels)) for subject in sets.values()),
    ]


def plan_untrained(settings: dict[str, Any]) -> Untrained:
    """How the untrained network of a run is made, of resolved settings; see `controls`."""
    facts = _what_is_shown(settings["data"])
    # Of a task its kind alone: what it freezes or smooths in training changes no untrained network.
    key = digest(settings["model"], settings["task"]["_target_"], facts)
    return Untrained(key, digest(facts), partial(_build_untrained, settings))


def _title(what: str, subject: Subject, among: dict[str, Subject], labels: Collection[str]) -> str:
    """A control's label, which is that of no run."""
    title = what if len(among) == 1 else f"{what} ({subject.label})"
    return f"{title} (control)" if title in labels else title


def _pixels(subject: Subject, title: str) -> Subject:
    return Subject(title, data=lambda: subject.data, split=subject.split, pixels=True, control=True)


def _untrained(subject: Subject, title: str) -> Subject:
    assert subject.untrained is not None
    return subject.untrained.make(subject, title)


def _build_untrained(own: dict[str, Any], subject: Subject, title: str) -> Subject:
    settings = own | {"seed": CONTROL_SEED, "init": None}
    device = choose_device(settings["trainer"]["accelerator"])

    def task() -> Any:
        built = build_task(settings, subject.task.class_names)
        _share_body(built.model, settings)
        init_from_data(built, subject.train_data)
        built.to(device)
        if isinstance(built, Verifier):
            built.choose_threshold(subject.train_data, device)  # as that of a trained one was chosen
        return built.eval()

    return Subject(
        title,
        task=task,
        data=lambda: subject.data,
        reader=lambda: subject.reader,
        config=settings,
        split=subject.split,
        control=True,
        precision=subject.precision,
    )


def _share_body(model: Any, settings: dict[str, Any]) -> None:
    """Give an untrained network the body that it has where its outputs are the data's classes.

    What is drawn after a last layer depends on its size: tasks of other outputs would each have features of their own,
    to be computed for each and to be held against each other.
    """
    named = settings["model"].get("num_classes")
    if named in (None, settings["data"]["num_classes"]):
        return
    torch.manual_seed(settings["seed"])
    other = build(settings["model"] | {"num_classes": settings["data"]["num_classes"]}).state_dict()
    last = [model.last_layer] if hasattr(model, "last_layer") else list(model.head_layers)
    body = {name: value for name, value in other.items() if not name.startswith(tuple(f"{each}." for each in last))}
    model.load_state_dict(body, strict=False)
