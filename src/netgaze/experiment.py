"""fit: a run from its config to its figures, stage by stage; trained, resumed or left as it is."""

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from netgaze.analysis import compare_stages, is_complete, report_run
from netgaze.build import build, build_task, build_trainer, init_from_data, trust
from netgaze.callbacks.keep import Keep
from netgaze.checks import check_export, check_monitor, check_recorded, check_seen, check_source
from netgaze.early_checks import Known, check_named, check_train
from netgaze.ending import draw_missing, end, test_best
from netgaze.errors import NetgazeError, Stopped, explaining_memory
from netgaze.failures import explain_run
from netgaze.files import check_writable
from netgaze.gathering import wait_for_all
from netgaze.ranks import forget_leftovers, is_main_process
from netgaze.request import Request
from netgaze.requeue import listen, release_signals
from netgaze.run import Run, open_run
from netgaze.stages import Stage, check_moved, check_stages, find_finished, move_data, plan_stage
from netgaze.subjects import controls, warn_of_changes
from netgaze.tracking import Tracking, build_trackers
from netgaze.trainer import choose_device, compile_steps, describe_device, set_globals
from netgaze.waiting import describe_threads
from netgaze.weights import load_weights, parse_init, restore

__all__ = ["fit", "open_run"]

log = logging.getLogger(__name__)

_LESS = "Choose a smaller data.batch_size, data.image_size, data.limit or model."


def fit(config: DictConfig, folder: Path, request: Request) -> Run:
    """Train, test and look at a run; a folder with a checkpoint goes on from it.

    A finished run stays as it is, but for figures that are missing: they are drawn.

    A run is a chain of stages, most of a single one. In a sweep, a stage that another job has finished with the very
    same config is taken from there. A stage with the key `run` is that run, finished before. In the end the stages are
    laid side by side in `<run>/stages/report.html`.

    Args:
        config: composed from `conf/train.yaml`, not resolved.
        folder: the run's folder.
        request: what was typed.

    Returns:
        The run.

    Raises:
        NetgazeError: what the user can fix; `run.json` says it too. Or, once all is written, figures that failed:
            any where `figures.strict` is true, else where none was drawn.
    """
    forget_leftovers(config.trainer.devices)
    whole, done, changed = Run(folder), dict[str, Run](), False
    *earlier, last = list(map(str, config.stages)) or [""]
    with whole.noting_failure(request, config), explaining_memory(_LESS):
        check_train(config, folder)
        if not request.is_of_stored_config:
            trust(config)
        check_stages(config, whole)
        for number, name in enumerate(earlier, start=1):
            stage = plan_stage(config, name, done, whole, request)
            if ready := find_finished(stage, name, config, whole):
                log.info("Stage %d of %d, %s: %s is finished.", number, len(earlier) + 1, name, ready.folder)
                changed |= ready is stage.run and is_main_process() and draw_missing(ready, stage.settings)
            else:
                log.info("Stage %d of %d, %s", number, len(earlier) + 1, name)
                whole.begin(request, config)
                with stage.run.noting_failure(stage.request, stage.config):
                    train(stage)
                    wait_for_all()  # the next stage begins from what the main process writes last
            done[name] = ready or stage.run
        is_new = _finish(plan_stage(config, last, done, whole, request))
    if not is_main_process():
        return whole
    own = [run for run in [*done.values(), whole] if run.folder.is_relative_to(folder)]
    failed = [_explain_failures(run, config) for run in own]
    if is_new:
        report_run(whole)
    if earlier and (changed or is_new or not is_complete(folder / "stages")):  # a kill may come between the two
        failed.append(compare_stages(done | {last: whole}, folder / "stages"))
    if any(failed):
        raise NetgazeError(" ".join(filter(None, failed)))
    return whole


def _finish(stage: Stage) -> bool:
    """Train a stage, or draw what a finished one lacks; whether there was anything to do."""
    if stage.is_moved:
        move_data(stage)
    elif not stage.is_finished:
        train(stage)
        return True
    if is_main_process() and draw_missing(stage.run, stage.settings):
        return True
    log.info("%s is already finished.", stage.run.folder)
    return False


def _explain_failures(run: Run, config: DictConfig) -> str | None:
    """Why a command fails by the figures of a run, or None."""
    why = explain_run(run.facts, bool(OmegaConf.select(config, "figures.strict")))
    return f"{run.folder}: {why}." if why else None


def train(stage: Stage) -> None:
    """Train one stage, or go on with it; test it, draw its figures and write its numbers."""
    started, settings, run = time.time(), stage.settings, stage.run
    check_writable(run.folder)
    chosen = settings["trainer"]
    set_globals(seed=settings["seed"], threads=chosen["threads"], deterministic=chosen["deterministic"])
    data, task = _build_both(stage)
    check_named(settings["figure"], [Known(_list_layers(task), task.class_names, len(data.labels("test")))])
    figures = {name: build(figure) for name, figure in settings["figure"].items()}
    callbacks = [build(callback) for callback in settings["callback"].values()]
    check_monitor(settings["task"].get("monitor"), callbacks)
    check_recorded(figures, callbacks)
    controls([], settings["control"])  # says before training what it does not know
    tracking = Tracking(build_trackers(settings.get("logger", {}), stage.request))  # runs of before have none
    trainer = build_trainer(
        chosen if task.trainable else chosen | {"max_epochs": 0},
        callbacks=[*callbacks, tracking],
        folder=run.folder,
        facts={
            "config": settings,
            "class_names": list(task.class_names),
            "data": data.fingerprint,
            "ranges": data.found.as_facts()["ranges"],
        },
        resumed=stage.last,
        monitor=task.monitor,
        monitor_mode=task.monitor_mode,
    )
    check_moved(stage, data)
    if stage.last is not None:
        warn_of_changes(run.folder, run.facts.get("data"), data)
    if chosen["compile"]:
        compile_steps(task)
    loaded = _load_init(stage, task, data)
    run.begin(stage.request, stage.original_config, started, **loaded, **_describe(settings, data, task))
    log.info("%s", run.folder)
    log.info(
        "%d training images, %s, %s on %s",
        len(data.labels("train")),
        _count_parameters(task),
        chosen["precision"],
        describe_device(chosen["accelerator"]),
    )
    log.info("%s", describe_threads(chosen["threads"]))
    if (num := trainer.world_size) > 1:
        log.info("%d processes, of %d images each in a step: %d in all", num, data.batch_size, num * data.batch_size)
    training_data = task.training_data(data, choose_device(chosen["accelerator"]))
    with tracking.following(run):
        if not stage.is_trained:
            _fit(trainer, task, training_data, run, resumed=stage.last is not None)
        tested = test_best(trainer, task, data, training_data, run)
        if is_main_process():  # the others helped to train and to test; it alone writes and draws
            run.end("finished", **end(task, data, figures, settings, run, tested, stage.metrics))


def _build_both(stage: Stage) -> tuple[Any, Any]:
    """Data and task; of a resumed run with its last weights, so that what does not fit is said before all else."""
    settings = stage.settings
    data = build(settings["data"])
    data.setup()
    _say_found(data.found)
    task = build_task(settings, data.class_names)
    for remark in getattr(task.model, "remarks", ()):
        log.info("%s", remark)
    data.num_views = task.num_views
    if stage.last is not None:
        restore(task, stage.last, stage.run.locate_checkpoint("last"))
    check_seen(data, task)
    if settings.get("export_predictions"):  # runs from before there was this key can be resumed
        check_export(data, task)
    return data, task


def _say_found(found: Any) -> None:
    """What there is to train on, what was left out, and what may be a mistake: a line each."""
    for line in found.describe():
        log.info("%s", line)
    for warning in found.list_warnings():
        log.warning("Warning: %s", warning)


def _load_init(stage: Stage, task: Any, data: Any) -> dict[str, Any]:
    """Start from the weights of `init`, where a run starts; facts of what was loaded."""
    source, facts = parse_init(stage.settings["init"]), dict[str, Any]()
    if stage.last is None:
        init_from_data(task, data)
    if source is not None and stage.last is None:
        loaded = load_weights(task.model, source.file, source.key)
        log.info("%s", loaded)
        facts = {"init": vars(loaded)}
    if task.needs_init:
        known = stage.run.facts.get("init") if stage.run.exists else None
        check_source(task, source and source.file, data, facts.get("init", known))
    if source is None and task.has_frozen:
        log.warning("The frozen layers keep their initial random weights (init=null). Give init= to load trained ones.")
    return facts


def _list_layers(task: Any) -> list[str]:
    """The names by which figures can be asked for layers of a task's network."""
    return [name for name, _ in task.model.named_modules() if name]


def _count_parameters(task: Any) -> str:
    """How many parameters a task has, and how many of them are trained where some are not."""
    num = sum(p.numel() for p in task.parameters())
    trained = sum(p.numel() for p in task.parameters() if p.requires_grad)
    return f"{num} parameters" if trained == num else f"{num} parameters ({trained} of them trained)"


def _describe(settings: Mapping[str, Any], data: Any, task: Any) -> dict[str, Any]:
    """What a number needs beside it to be believed."""
    return {
        "task": settings["task"]["_target_"],
        "classes": list(task.class_names),
        "layers": _list_layers(task),
        "monitor": task.monitor,
        "monitor_mode": task.monitor_mode,
        "seed": settings["seed"],
        "data": data.fingerprint,
        "found": data.found.as_facts(),
        "eval_fingerprint": data.eval_fingerprint,
        "precision": settings["trainer"]["precision"],
        "threads": settings["trainer"]["threads"],
        "device": describe_device(settings["trainer"]["accelerator"]),
        "config": settings,
    }


def _fit(trainer: Any, task: Any, data: Any, run: Run, resumed: bool) -> None:
    last = run.locate_checkpoint("last")
    listen()  # before Lightning, which puts back at its end what it has found
    try:
        trainer.fit(task, datamodule=data, ckpt_path=last if resumed else None, weights_only=True)
    except BaseException as error:
        if not isinstance(error, Stopped):  # else further signals change nothing until the process ends
            release_signals()
        if isinstance(error, SystemExit):  # Lightning's answer to Ctrl-C
            raise KeyboardInterrupt from error
        raise
    release_signals()
    if trainer.interrupted:
        raise KeyboardInterrupt
    if not last.exists():  # max_epochs=0
        Keep.save(trainer, "best")
        Keep.save(trainer, "last")
