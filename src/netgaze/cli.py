"""The argument line -> one call. Imports hydra only: torch waits until the config has been composed."""

import io
import logging
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from netgaze import schema
from netgaze.commands import arguments
from netgaze.commands.configs import list_choices
from netgaze.commands.latest import name_latest
from netgaze.commands.run_words import answer, asks_for_list
from netgaze.errors import NetgazeError, Stopped, sentence
from netgaze.ranks import count_started, find_rank, forget_leftovers, is_main_process
from netgaze.request import Request
from netgaze.requeue import pass_on
from netgaze.waiting import choose_waiting

log = logging.getLogger(__name__)

Job = Callable[[DictConfig, Path, Request], Any]
Check = Callable[[DictConfig, Path], None]


def run(conf: Path, name: str, check: Check, job: Job, usage: str) -> None:
    """Compose the config, check it, call `job(config, folder, request)`, and turn a user's mistake into a sentence.

    Args:
        conf: the folder of configs.
        name: "train" or "analyze".
        check: says of a config and a folder what cannot be done, without torch; a sweep's jobs ask it themselves, as
            their folders say what failed.
        job: does the work; imports torch itself.
        usage: what `--help` prints first.

    Exits with 0; 1 after a mistake or a failed run; 130 after Ctrl-C; as the signal has it after one that stops a run.
    """
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    _print_whatever_comes()
    schema.register()
    words = sys.argv[1:]
    if {"--help", "-h"} & set(words):
        print(usage.rstrip() + "\n\n" + list_choices(conf))
        return
    try:
        _start(words, conf, name, check, job)
    except KeyboardInterrupt:
        sys.exit(130)
    except Stopped:
        sys.exit(0)  # a helper; the main process has ended as its signal has it
    except (NetgazeError, HydraException, OmegaConfBaseException, OSError) as error:
        if os.environ.get("NETGAZE_DEBUG"):
            raise
        _fail(error)
    except ValueError as error:
        if not isinstance(error.__cause__, OSError):  # else the log's file cannot be opened
            raise
        _fail(error.__cause__)


def _start(words: Sequence[str], conf: Path, name: str, check: Check, job: Job) -> None:
    if name == "analyze" and asks_for_list(words):
        answer(words)
        return
    words = name_latest(words)
    command = shlex.join(["python", f"{name}.py", *words])
    sys.argv[1:] = arguments.prepare(words, conf, name)
    _hydra(conf, name, check, job, command)


def _fail(error: Exception) -> NoReturn:
    who = "Error" if is_main_process() else f"Error in process {find_rank()}"
    print(f"{who}: {sentence(error)}", file=sys.stderr)
    sys.exit(1)


def _print_whatever_comes() -> None:
    """Let neither a name that the terminal's encoding lacks nor a log that cannot be written stop a command."""
    logging.raiseExceptions = False
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _hydra(conf: Path, name: str, check: Check, job: Job, command: str) -> None:
    failed: list[NetgazeError] = []
    if not is_main_process():
        sys.argv.append("hydra.output_subdir=null")  # of several it alone writes

    def task(config: DictConfig) -> None:
        settings = HydraConfig.get()
        forget_leftovers(config.get("trainer", {}).get("devices", 1))
        if not is_main_process():
            _be_quiet()
            if "trainer" not in config:
                return  # several train a run; one looks at it
        choose_waiting(config, settings.launcher if settings.mode == RunMode.MULTIRUN else {})
        folder = Path(settings.runtime.output_dir)
        request = Request.of_hydra(command, settings.overrides.task, settings.runtime.choices)
        if settings.mode == RunMode.MULTIRUN:
            _job_of_sweep(job, config, folder, request)
            return
        try:
            check(config, folder)
            _single(job, config, folder, request)
        except NetgazeError as error:  # raised below: Hydra would print lines of its own about it
            failed.append(error)

    hydra.main(version_base="1.3", config_path=str(conf.resolve()), config_name=name)(task)()
    if failed:
        raise failed[0]


def _be_quiet() -> None:
    """Leave what there is to say to the main process: of those that help it only what fails is told."""
    for handler in list(logging.getLogger().handlers):
        logging.getLogger().removeHandler(handler)
        handler.close()
    logging.getLogger().addHandler(logging.NullHandler())
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # to the end


def _single(job: Job, config: DictConfig, folder: Path, request: Request) -> None:
    try:
        job(config, _short(folder), request)
    except KeyboardInterrupt:
        print(f"\nStopped. Go on with: python train.py resume={_short(folder)}", file=sys.stderr)
        raise
    except Stopped as stop:
        log.info("%s Go on with: python train.py resume=%s", stop, _short(folder))
        pass_on(stop)
        raise


def _job_of_sweep(job: Job, config: DictConfig, folder: Path, request: Request) -> None:
    """A sweep's job never raises: Hydra would not call its end-of-sweep hook. Its folder says what failed."""
    try:
        if config.trainer.devices != 1 and max(count_started().values()) == 1:
            raise NetgazeError(
                "-m does not go with several devices: each process would start its own sweep. Start the runs one by "
                "one, or let SLURM start the processes of each: hydra/launcher=slurm "
                "hydra.launcher.tasks_per_node=2."
            )
        job(config, _short(folder), request)
    except Stopped as stop:
        log.info("%s", stop)
        pass_on(stop)
        raise
    except Exception as error:  # recorded by the job in its folder; the next job must start
        print(f"Run {folder.name} failed: {sentence(error)}", file=sys.stderr)


def _short(folder: Path) -> Path:
    """The folder relative to where the command was typed, if it lies there."""
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
