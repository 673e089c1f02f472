"""How threads wait: spinning, or asleep if there are more threads than cores. Imports no torch."""

import os
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from netgaze.ranks import count_cores
from netgaze.schema import num_cpus

_POLICY = "OMP_WAIT_POLICY"


def choose_waiting(config: DictConfig, launcher: Mapping[str, Any]) -> None:
    """Let idle threads sleep where this command starts more threads than there are cores; else leave OpenMP its way.

    A thread that spins while it waits goes on at once, which is a tenth of a training step on a CPU; but it takes its
    core from whatever else could run there. OpenMP reads the choice when torch is imported, so it is made before. What
    the environment says already stays.

    Args:
        config: of a run or an analysis, not resolved.
        launcher: Hydra's settings of what starts a sweep's jobs; empty where there is no sweep. `n_jobs` is how many of
            them run side by side, as joblib counts: -1 for as many as there are cores, -2 for one less.
    """
    cores = count_cores()
    jobs = _whole(launcher.get("n_jobs"), 1)
    processes = jobs if jobs > 0 else max(1, cores + 1 + jobs)
    if _select(config, "trainer.accelerator") == "cpu":
        processes *= max(1, _whole(_select(config, "trainer.devices"), 1))
    if _whole(_select(config, "trainer.threads"), num_cpus()) * processes > cores:
        os.environ.setdefault(_POLICY, "PASSIVE")


def describe_threads(threads: int) -> str:
    """How many threads of this process compute, on how many cores, and how they wait for each other."""
    waiting = os.environ.get(_POLICY, "").upper() or "not set"
    return f"{threads} {'thread' if threads == 1 else 'threads'} on {count_cores()} cores, {_POLICY} {waiting}"


def _select(config: DictConfig, key: str) -> Any:
    """A value of the config; None where it cannot be worked out: that is said elsewhere."""
    try:
        return OmegaConf.select(config, key)
    except Exception:  # whatever a resolver raises
        return None


def _whole(value: Any, otherwise: int) -> int:
    return value if type(value) is int else otherwise
