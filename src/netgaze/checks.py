"""Checks before training that data, task and source fit together."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from netgaze.errors import NetgazeError
from netgaze.run import Run

log = logging.getLogger(__name__)


def check_seen(data: Any, task: Any) -> None:
    """Whether there is something to train on, and whether training shows all classes that the test names.

    Raises:
        NetgazeError: it does not.
    """
    data.training_batches(data.labels("train"), 0, 1)
    if data.augment is not None and data.augment.mixes and not task.takes_mixed:
        raise NetgazeError(
            f"data.augment.mixup and data.augment.cutmix mix images of two classes, of which {type(task).__name__} can "
            "learn nothing. Set both to 0, or choose another task."
        )
    unseen = set(data.labels("test").tolist()) - set(data.labels("train").tolist())
    guessed = data.training.pseudo_labels is not None  # these need not name every class; finetuning follows
    if unseen and data.training.label_noise and task.classifies:
        raise NetgazeError(
            f"data.label_noise={data.training.label_noise} leaves no training image with the label "
            f"{data.class_names[min(unseen)]}. Give less, or more training images."
        )
    if unseen and not guessed and task.classifies and task.class_names == data.class_names:
        raise NetgazeError(
            f"{type(task).__name__} learns to name classes, but {len(unseen)} of those in the test of {data.title} are "
            f"not in its training ({', '.join(data.class_names[label] for label in sorted(unseen)[:3])}, ...). Where "
            "no person is in two splits, choose task=siamese, which tells strangers apart."
        )


def check_monitor(monitor: str | None, callbacks: Iterable[Any]) -> None:
    """Whether the number that was typed to choose the best epoch is one that figures find while the network trains.

    Without the task's own number the last epoch is kept, see `callbacks.keep`.

    Args:
        monitor: as typed; None for the task's own.
        callbacks: those of the run.

    Raises:
        NetgazeError: the figures are not asked.
    """
    for callback in callbacks:
        metrics = [metric for figure in getattr(callback, "figures", {}).values() for metric in figure.metrics]
        if monitor and monitor.removeprefix("val/") in metrics and not callback.every:
            raise NetgazeError(
                f"task.monitor={monitor} is to choose the best epoch, but no figure measures it during training. Give "
                "callback.online_eval.every=1, the number of epochs between two evaluations."
            )


def check_recorded(figures: Mapping[str, Any], callbacks: Iterable[Any]) -> None:
    """Whether what figures will show of single training examples is recorded while the network trains.

    Args:
        figures: those of the run, by name.
        callbacks: those of the run.

    Raises:
        NetgazeError: it is not.
    """
    asked = [name for name, figure in figures.items() if "examples" in figure.needs]
    if asked and not any(getattr(callback, "record", False) for callback in callbacks):
        raise NetgazeError(
            f"figure=[{','.join(asked)}] shows a record of the training examples, which is not recorded. Type "
            "callback.examples.record=true, or leave it out."
        )


def check_export(data: Any, task: Any) -> None:
    """Whether there are predictions to export.

    Raises:
        NetgazeError: there are none.
    """
    if data.official_test() is None:
        raise NetgazeError(
            f"export_predictions=true: {data.title} has no official test split to predict. Choose one of "
            "data=decathlon/..., or export_predictions=false."
        )
    if not task.classifies or task.class_names != data.class_names:
        raise NetgazeError(
            f"export_predictions=true: {type(task).__name__} does not predict the classes of {data.title}. Choose "
            "another task, or export_predictions=false."
        )


def check_source(task: Any, init: str | None, data: Any, loaded: dict[str, Any] | None) -> None:
    """Of a task that trains nothing: whether a whole trained network was loaded; a warning of what it may have seen.

    Args:
        task: the task.
        init: the file or run, as typed.
        data: what it is evaluated on.
        loaded: what loading reported; None where nothing was loaded.

    Raises:
        NetgazeError: it was not.
    """
    if loaded is None or loaded["new"]:
        missing = f"{loaded['new'][0]} is not in {init}" if loaded else "init=null gives none"
        name = type(task).__module__.rpartition(".")[2]
        raise NetgazeError(
            f"task={name} needs a trained network, but {missing}. Give init=outputs/<run>, a run with the same model "
            "and classes."
        )
    source = Run(Path(loaded["source"]))
    if source.exists and source.facts.get("data") != data.fingerprint:
        log.warning(
            "%s was trained on labeled images that are not labeled here: it may know labels that were removed.",
            source.folder,
        )
