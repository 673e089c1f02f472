"""The command line. Imports Hydra only; torch waits until the config is composed."""

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
from netgaze.commands.flags import HELP, split_flags
from netgaze.commands.folders import CONF, find_own_folder
from netgaze.commands.help import explain
from netgaze.commands.latest import name_latest
from netgaze.commands.run_words import answer, asks_for_list
from netgaze.early_checks import check_analyze, check_train
from netgaze.errors import NetgazeError, Stopped, sentence
from netgaze.program import spell
from netgaze.ranks import count_started, find_rank, forget_leftovers, is_main_process
from netgaze.request import Request
from netgaze.requeue import pass_on
from netgaze.waiting import choose_waiting

log = logging.getLogger(__name__)

Job = Callable[[DictConfig, Path, Request], Any]
Check = Callable[[DictConfig, Path], None]


def train(words: Sequence[str]) -> None:
    """Train one run, or a sweep with -m; see `run`."""
    run("train", words, check_train, _fit)


def analyze(words: Sequence[str]) -> None:
    """Look at finished runs side by side, or at a network without one; see `run`."""
    run("analyze", words, lambda config, _: check_analyze(config), _analyze)


def run(name: str, words: Sequence[str], check: Check, job: Job) -> None:
    """Compose the config, check it, call `job(config, folder, request)`, and turn a user's mistake into a sentence.

    Args:
        name: "train" or "analyze".
        words: what was typed after it.
        check: says of a config and a folder what cannot be done, without torch; a sweep's jobs ask it themselves, as
            their folders say what failed.
        job: does the work; imports torch itself.

    Exits with 0; 1 after a mistake or a failed run; 130 after Ctrl-C; as the signal has it after one that stops a run.
    """
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    _print_whatever_comes()
    schema.register()
    try:
        _start(name, words, check, job)
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


def _start(name: str, words: Sequence[str], check: Check, job: Job) -> None:
    if set(HELP) & set(words):
        _show(explain(name, words))
        return
    if name == "analyze" and asks_for_list(words):
        answer(words)
        return
    words = name_latest(words)
    own = find_own_folder(split_flags(words)[0])
    prepared = arguments.prepare(words, CONF, name)
    _hydra(name, prepared, own, check, job, shlex.join([*spell(name).split(), *words]))


def _show(text: str) -> None:
    """Print a page, to the end or as far as somebody reads, as `head` does."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python writes when it ends


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


def _fit(config: DictConfig, folder: Path, request: Request) -> None:
    """Imports torch only now: the config has been composed, and asks for something that can be done."""
    from netgaze.experiment import fit

    fit(config, folder, request)


def _analyze(config: DictConfig, folder: Path, request: Request) -> None:
    from netgaze.analysis import analyze

    analyze(config, folder, request)


def _hydra(name: str, prepared: list[str], own: Path | None, check: Check, job: Job, command: str) -> None:
    failed: list[NetgazeError] = []
    typed = list(sys.argv)
    if not is_main_process():
        prepared.append("hydra.output_subdir=null")  # of several it alone writes

    def task(config: DictConfig) -> None:
        settings = HydraConfig.get()
        sys.argv = typed  # what Lightning starts again for each further device
        forget_leftovers(config.get("trainer", {}).get("devices", 1))
        if not _takes_part(config):
            return
        if own is not None:
            _admit(own)
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

    sys.argv = [*sys.argv[:1], *prepared]
    hydra.main(version_base="1.3", config_path=str(CONF), config_name=name)(task)()
    if failed:
        raise failed[0]


def _admit(own: Path) -> None:
    """Say that a person's own configs are in use, and let them name Python files beside their folder."""
    log.info("Configs in %s override netgaze's own.", own)
    sys.path[:] = dict.fromkeys([*sys.path, str(own.parent)])


def _takes_part(config: DictConfig) -> bool:
    """Whether this process has work to do: several train a run, all but one of them quietly; one looks at it."""
    if is_main_process():
        return True
    _be_quiet()
    return "trainer" in config


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
        print(f"\nStopped. Resume with: {spell('train')} resume={_short(folder)}", file=sys.stderr)
        raise
    except Stopped as stop:
        log.info("%s Resume with: %s resume=%s", stop, spell("train"), _short(folder))
        pass_on(stop)
        raise


def _job_of_sweep(job: Job, config: DictConfig, folder: Path, request: Request) -> None:
    """A sweep's job never raises: Hydra would not call its end-of-sweep hook. Its folder says what failed."""
    try:
        if config.trainer.devices != 1 and max(count_started().values()) == 1:
            raise NetgazeError(
                "-m cannot be combined with several devices: each process would start its own sweep. Start the runs "
                "one by one, or let SLURM start the processes of each run: hydra/launcher=slurm "
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
