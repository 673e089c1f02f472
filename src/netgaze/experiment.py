"""fit (and open_run): one run from its config to its end, trained, taken up again or left alone."""

import gc
import logging
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from netgaze import runs
from netgaze.build import build, build_task, resolve_config
from netgaze.callbacks.keep import Keep
from netgaze.ending import end
from netgaze.errors import NetgazeError
from netgaze.files import write_text
from netgaze.subjects import check_data, checkpoint_facts, open_run
from netgaze.trainer import choose_device, describe_device, resolve_precision, set_globals
from netgaze.weights import load_weights, read_checkpoint, restore

__all__ = ["fit", "open_run"]

log = logging.getLogger(__name__)


def fit(
    config: DictConfig,
    folder: Path,
    about: dict[str, Any],
    *,
    asked: DictConfig | None = None,
    told: Mapping[str, float] | None = None,
) -> None:
    """Train, test and look at one run; a folder with a checkpoint goes on from it, a finished one returns at once.

    Args:
        config: composed from `conf/train.yaml`, not resolved.
        folder: the run's folder.
        about: what the command line knows: `overrides`, `choices`.
        asked: what `resume` shall read, where the run is the last stage of a chain; None for `config` itself.
        told: numbers of earlier stages, by name, that become the run's own too.

    Raises:
        NetgazeError: what a person can mend; `run.json` says it too.
    """
    started, before, begun = time.time(), None, False
    try:
        before = _before(folder)
        typed = {override.partition("=")[0] for override in about["overrides"]}
        settings = _settle(resolve_config(config), before, typed)
        if _is_finished(folder, before, settings):
            log.info("%s is finished already.", folder)
            return
        data, task = _built(settings, folder if before is not None else None)
        runs.begin(folder, about)
        begun = True
        write_text(folder / ".hydra" / "config.yaml", OmegaConf.to_yaml(asked or config))
        unchanged = before is not None and _training(before) == _training(settings)
        _run(settings, data, task, folder, dict(told or {}), resumed=before is not None, unchanged=unchanged)
    except BaseException as error:
        if before is None or begun:  # else what was typed does not fit the run that is there: it stays as it was
            note_failure(folder, about, error, time.time() - started)
        raise
    finally:
        gc.collect()  # a sweep's next job needs the memory
    runs.note(folder, status="finished")
    runs.spend(folder, time.time() - started)


def note_failure(folder: Path, about: dict[str, Any], error: BaseException, seconds: float) -> None:
    """Write into a run's folder why it ended; call it where the error is handled."""
    if not runs.is_run(folder):
        runs.begin(folder, about)
    status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
    runs.note(folder, status=status, error=str(error) or type(error).__name__, trace=traceback.format_exc())
    runs.spend(folder, seconds)


def is_done(config: DictConfig, folder: Path, whatever: Sequence[str] = ()) -> bool:
    """Whether the folder holds a finished run of this very config.

    Args:
        config: composed, not resolved.
        folder: of a run, or none.
        whatever: keys that may have any value.
    """
    before = _before(folder)
    if before is None:
        return False
    compared = [OmegaConf.create(it) for it in (before, _settle(resolve_config(config), before, set()))]
    for settings in compared:
        for key in whatever:
            OmegaConf.update(settings, key, None)
    return _is_finished(folder, *(OmegaConf.to_container(settings) for settings in compared))  # type: ignore[arg-type]


def _is_finished(folder: Path, before: dict[str, Any] | None, settings: dict[str, Any]) -> bool:
    return before == settings and runs.read(folder)["status"] == "finished"


def _before(folder: Path) -> dict[str, Any] | None:
    """The config with which a run was trained so far; None where there is nothing to go on from."""
    last = folder / "checkpoints" / "last.ckpt"
    return checkpoint_facts(last, read_checkpoint(last))["config"] if last.exists() else None


def _training(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings without what is done when training is over."""
    return {name: value for name, value in settings.items() if name != "export_predictions"}


def _settle(settings: Any, before: dict[str, Any] | None, typed: set[str]) -> dict[str, Any]:
    """The config with nothing left to the machine; a resumed run keeps what it had, unless typed: same bits."""
    trainer = settings["trainer"]
    for key in ("precision", "threads"):
        if before is not None and f"trainer.{key}" not in typed:
            trainer[key] = before["trainer"][key]
    trainer["precision"] = resolve_precision(str(trainer["precision"]), trainer["accelerator"])
    return settings


def _built(settings: dict[str, Any], resumed: Path | None) -> tuple[Any, Any]:
    """Data and task; of a resumed run with its last weights, so that what does not fit is said before all else."""
    chosen = settings["trainer"]
    set_globals(seed=settings["seed"], threads=chosen["threads"], deterministic=chosen["deterministic"])
    data = build(settings["data"])
    data.setup()
    task = build_task(settings, data.class_names)
    data.num_views = task.num_views
    if resumed is not None:
        last = resumed / "checkpoints" / "last.ckpt"
        restore(task, read_checkpoint(last), last)  # Lightning does it again, but has no sentence for a misfit
    _check_seen(data, task)
    if settings.get("export_predictions"):
        _check_export(data, task)
    return data, task


def _check_seen(data: Any, task: Any) -> None:
    """Say before training that there is nothing to train on, or classes to name that training does not show."""
    data.training_batches(data.labels("train"), 0, 1)
    unseen = set(data.labels("test").tolist()) - set(data.labels("train").tolist())
    told = data.training.pseudo_labels is not None  # a network's answers need not know every class; finetuning follows
    if unseen and not told and task.classifies and task.class_names == data.class_names:
        raise NetgazeError(
            f"{type(task).__name__} learns to name classes, but {len(unseen)} of those in the test of {data.title} are "
            f"not in its training ({', '.join(data.class_names[label] for label in sorted(unseen)[:3])}, ...). Where "
            "no person is in two splits, choose task=siamese, which tells strangers apart."
        )


def _check_export(data: Any, task: Any) -> None:
    """Say before training, not after it, why there is nothing to export."""
    if not hasattr(data, "official_test"):
        raise NetgazeError(
            f"export_predictions=true: {data.title} has no official test to predict. Choose one of data=decathlon/..., "
            "or export_predictions=false."
        )
    if not task.classifies or task.class_names != data.class_names:
        raise NetgazeError(
            f"export_predictions=true: {type(task).__name__} does not predict the classes of {data.title}. Choose "
            "another task, or export_predictions=false."
        )
    data.official_test()


def _run(
    settings: dict[str, Any],
    data: Any,
    task: Any,
    folder: Path,
    told: dict[str, float],
    *,
    resumed: bool,
    unchanged: bool,
) -> None:
    chosen = settings["trainer"]
    if settings["init"] is not None and not resumed:
        loaded = load_weights(task.model, settings["init"])
        log.info("%s", loaded)
        runs.note(folder, init=vars(loaded))
    if not task.trainable:
        _check_asked(task, settings["init"], data, runs.read(folder).get("init"))
    if settings["init"] is None and not all(p.requires_grad for p in task.model.parameters()):
        log.warning("What is frozen starts from random weights, its norms unscaled (init=null): it knows nothing.")
    figures = {name: build(figure) for name, figure in settings["figure"].items()}
    trainer = build(
        chosen if task.trainable else chosen | {"max_epochs": 0},
        callbacks=[build(callback) for callback in settings["callback"].values()],
        folder=folder,
        facts={"config": settings, "class_names": list(task.class_names), "data": data.fingerprint},
        monitor=task.monitor,
        monitor_mode=task.monitor_mode,
    )
    if resumed:
        check_data(folder, runs.read(folder).get("data"), data)
    runs.note(folder, **_circumstances(settings, data, task))
    log.info("%s", folder)
    log.info(
        "%d training images, %s, %s on %s",
        len(data.labels("train")),
        _parameters(task),
        chosen["precision"],
        describe_device(chosen["accelerator"]),
    )
    training_data = task.training_data(data, choose_device(chosen["accelerator"]))
    if not (resumed and unchanged and _was_stopped(folder)):
        _train(trainer, task, training_data, folder, resumed)
    end(trainer, task, data, training_data, figures, settings, folder, told)


def _check_asked(task: Any, init: str | None, data: Any, loaded: dict[str, Any] | None) -> None:
    """Of a task that learns nothing: whether the whole of a trained network was loaded, and what it may have seen."""
    if loaded is None or loaded["new"]:
        missing = f"{loaded['new'][0]} is not in {init}" if loaded else "init=null gives none"
        raise NetgazeError(
            f"{type(task).__name__} asks a trained network, but {missing}: give init=outputs/<run> of a run with the "
            "same model and classes."
        )
    source = Path(loaded["source"])
    seen = runs.read(source).get("data") if runs.is_run(source) else data.fingerprint
    if seen != data.fingerprint:
        log.warning(
            "%s was trained on other labeled images than are labeled here: it may know labels that were taken away.",
            source,
        )


def _parameters(task: Any) -> str:
    """How many parameters a task has, and how many of them learn where some do not."""
    num = sum(p.numel() for p in task.parameters())
    learning = sum(p.numel() for p in task.parameters() if p.requires_grad)
    return f"{num} parameters" if learning == num else f"{num} parameters ({learning} of them learning)"


def _circumstances(settings: dict[str, Any], data: Any, task: Any) -> dict[str, Any]:
    """What a number needs beside it to be believed."""
    return {
        "task": settings["task"]["_target_"],
        "classes": list(task.class_names),
        "monitor": task.monitor,
        "monitor_mode": task.monitor_mode,
        "seed": settings["seed"],
        "data": data.fingerprint,
        "eval_fingerprint": data.eval_fingerprint,
        "precision": settings["trainer"]["precision"],
        "threads": settings["trainer"]["threads"],
        "device": describe_device(settings["trainer"]["accelerator"]),
        "config": settings,
    }


def _train(trainer: Any, task: Any, data: Any, folder: Path, resumed: bool) -> None:
    last = folder / "checkpoints" / "last.ckpt"
    try:
        trainer.fit(task, datamodule=data, ckpt_path=last if resumed else None, weights_only=True)
    except SystemExit as stop:  # Lightning's answer to Ctrl-C
        raise KeyboardInterrupt from stop
    if trainer.interrupted:
        raise KeyboardInterrupt
    if not last.exists():  # max_epochs=0
        Keep.save(trainer, "best")
        Keep.save(trainer, "last")


def _was_stopped(folder: Path) -> bool:
    """Whether training ended before its last epoch, by patience or budget."""
    kept = read_checkpoint(folder / "checkpoints" / "last.ckpt")["callbacks"].get("Keep", {})
    return bool(kept.get("stopped"))
