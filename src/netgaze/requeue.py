"""Signals that stop a run: noted during training, passed on once it has saved."""

import logging
import os
import signal
import subprocess
import threading
import time
from typing import Any

from netgaze.errors import Stopped
from netgaze.ranks import is_main_process

log = logging.getLogger(__name__)

SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGUSR1", "SIGUSR2") if hasattr(signal, name)]
_SOON = 5.0  # seconds in which SLURM may say the same again, to the job and to its step
_PATIENCE = 3600.0  # seconds in which SLURM ends a job that it has told to end


_before: dict[int, Any] = {}  # what signals did
_heard: list[int] = []


def listen() -> None:
    """Note signals from now on, instead of what they did before; asked again, instead of what others put there."""
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            _before.setdefault(number, signal.signal(number, lambda heard, frame: _heard.append(heard)))


def find_heard() -> int | None:
    """The first signal that was heard; None where there was none."""
    return _heard[0] if _heard else None


def release_signals() -> None:
    """Let signals do again what they did before; those that were heard are forgotten."""
    for number, handler in _before.items():
        signal.signal(number, handler)
    _before.clear()
    _heard.clear()


def pass_on(stop: Stopped) -> None:
    """Let a stopped run end as its signal has it.

    SIGUSR1 in a job of SLURM (`#SBATCH --signal=USR1@120`) means that its time is nearly up: it is put into the queue
    again. A job that gets SIGTERM is cancelled or makes room for another: SLURM ends it, and queues it again where it
    was preempted, but only if it has not ended by itself; so it waits. A handler that was there before, as submitit's,
    has its turn. All else ends the process.

    Args:
        stop: why the run was stopped.
    """
    if stop.number is None or not is_main_process():
        return
    job = _name_job()
    if job and stop.number == signal.SIGUSR1:
        _requeue(job)
        release_signals()
        time.sleep(_PATIENCE)  # until SLURM ends this process, and starts another
    if job and stop.number == signal.SIGTERM:
        log.info("Waiting for SLURM to end job %s or queue it again.", job)
        time.sleep(_SOON)
        release_signals()
        time.sleep(_PATIENCE)
    logging.shutdown()
    release_signals()
    os.kill(os.getpid(), stop.number)


def _name_job() -> str:
    """This job of SLURM, one of an array too; empty outside."""
    array, task = (os.environ.get(f"SLURM_ARRAY_{name}_ID", "") for name in ("JOB", "TASK"))
    return f"{array}_{task}" if array else os.environ.get("SLURM_JOB_ID", "")


def _requeue(job: str) -> None:
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, capture_output=True, text=True, timeout=60)
        log.info("SLURM job %s is queued again.", job)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or error
        log.warning("Could not queue SLURM job %s again: %s", job, str(said).strip())
