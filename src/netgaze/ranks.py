"""The rank of this process among those that train one run, and its cores. Needs no torch.

What a job's script, a container or an earlier command left in the environment (`SLURM_NTASKS`, `RANK`, `MASTER_ADDR`)
says nothing about this process: only a launcher that started several of them does.
"""

import hashlib
import os
import sys
import time
from collections.abc import Iterable

_STARTED = ("LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # what Lightning gives those that it starts
_PATIENCE = 300.0  # seconds in which the processes of torchrun must have started


def count_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def count_started() -> dict[str, int]:
    """How many processes of this run each launcher has started: one, unless it is the one that did."""
    return {
        "torchrun": _read("WORLD_SIZE", 1) if _is_of_torchrun() else 1,
        "srun": _read("SLURM_STEP_NUM_TASKS", 1),
    }


def count_nodes() -> int:
    """The machines on which a launcher has started processes of this run."""
    started = count_started()
    if started["torchrun"] > 1:
        return _read("GROUP_WORLD_SIZE", 1)
    return _read("SLURM_STEP_NUM_NODES", 1) if started["srun"] > 1 else 1


def find_rank() -> int:
    """The number of this process among those that train its run; 0 is the main one."""
    started = count_started()
    if started["torchrun"] > 1:
        return _read("RANK", 0)
    if started["srun"] > 1:
        return _read("SLURM_PROCID", 0)
    return _read("LOCAL_RANK", 0) if _is_of_lightning() else 0


def is_main_process() -> bool:
    """Whether this process alone writes, draws and logs."""
    return find_rank() == 0


def shows_progress() -> bool:
    """Whether somebody at a terminal watches this process: of several only the main one draws bars."""
    return sys.stderr.isatty() and is_main_process()


def forget_leftovers(devices: int) -> None:
    """Take a `LOCAL_RANK` away that Lightning did not set for a run of so many devices, or for all (-1).

    It is there again once this process has started others.
    """
    if devices == 1 or not _is_of_lightning() or devices not in (_read("WORLD_SIZE", 1), -1):
        os.environ.pop("LOCAL_RANK", None)


def is_slurm_job() -> bool:
    """Whether SLURM runs this process and may run its command anew: in a batch job, not from somebody's shell."""
    return "SLURM_JOB_ID" in os.environ and os.environ.get("ENVIRONMENT") == "BATCH"


def name_start(words: Iterable[str]) -> str:
    """What a run's folder is called that has no name of its own, the same in all of its processes: when it began.

    A job of SLURM is called by its number, and by what was typed: started again, it finds its folder and goes on.

    Args:
        words: what was typed.
    """
    started = count_started()
    if started["srun"] > 1 or is_slurm_job():
        step = f".{os.environ['SLURM_STEP_ID']}" if started["srun"] > 1 else ""
        typed = hashlib.blake2b("\0".join(words).encode(errors="surrogateescape"), digest_size=3).hexdigest()
        return f"slurm_{os.environ['SLURM_JOB_ID']}{step}_{typed}"
    now = time.strftime("%Y-%m-%d_%H-%M-%S") + f"_{time.time_ns() // 1000 % 10**6:06d}"
    return _share(now) if started["torchrun"] > 1 else now


def _share(text: str) -> str:
    """The text of the main process, in all that torchrun has started, also in those that it starts anew."""
    from datetime import timedelta

    from torch.distributed import TCPStore  # seconds to import, which a run of several processes takes anyway

    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = TCPStore(host, port, is_master=False, timeout=timedelta(seconds=_PATIENCE), wait_for_workers=False)
    if is_main_process():
        return store.compare_set("netgaze/start", "", text).decode()  # the first one stays
    return store.get("netgaze/start").decode()


def _is_of_torchrun() -> bool:
    return all(name in os.environ for name in ("TORCHELASTIC_RUN_ID", "RANK", *_STARTED))


def _is_of_lightning() -> bool:
    return all(map(os.environ.get, _STARTED))


def _read(name: str, otherwise: int) -> int:
    """A number in the environment."""
    value = os.environ.get(name, "")
    return int(value) if value.isdigit() else otherwise
