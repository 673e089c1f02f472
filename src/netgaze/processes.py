"""Which processes train one run: this one alone, those that Lightning starts, or those that srun or torchrun started.

What a job's script, a container or an earlier command left in the environment (`SLURM_NTASKS`, `RANK`, `MASTER_ADDR`)
says nothing about this process: only a launcher that started several of them does.
"""

import os

from pytorch_lightning.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from pytorch_lightning.utilities import rank_zero_only

from netgaze.errors import NetgazeError

_STARTED = ("LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # what Lightning gives those that it starts


class Srun(SLURMEnvironment):
    """The tasks of one `srun`, which Lightning knows by the job's number of tasks, and so not without sbatch."""

    def __init__(self) -> None:
        super().__init__(auto_requeue=False)

    def world_size(self) -> int:
        """The tasks that this srun started."""
        return _count("SLURM_STEP_NUM_TASKS")

    def validate_settings(self, num_devices: int, num_nodes: int) -> None:
        """Nothing: `choose_processes` has compared the numbers."""

    @staticmethod
    def _validate_srun_used() -> None: ...

    @staticmethod
    def _validate_srun_variables() -> None: ...


class Own(LightningEnvironment):
    """This process, and those that Lightning starts from it.

    Lightning knows those by `LOCAL_RANK`. Whoever left that there without all the rest is not Lightning: it is taken
    away, and is there again once this process has started others.
    """

    def __init__(self, num: int):
        super().__init__()
        whole = all(map(os.environ.get, _STARTED))
        if num == 1 or not whole or num not in (_count("WORLD_SIZE"), -1):
            os.environ.pop("LOCAL_RANK", None)

    def node_rank(self) -> int:
        """0: a run stays on one machine."""
        return 0


def choose_processes(devices: int) -> ClusterEnvironment:
    """Who the processes of a run on so many devices are.

    Args:
        devices: of the run; -1 for all that there are.

    Raises:
        NetgazeError: a launcher started another number of processes than the run has devices.
    """
    launchers: dict[str, tuple[int, type[ClusterEnvironment]]] = {
        "torchrun": (_count("WORLD_SIZE") if _is_of_torchrun() else 1, TorchElasticEnvironment),
        "srun": (_count("SLURM_STEP_NUM_TASKS"), Srun),
    }
    for name, (num, environment) in launchers.items():
        if num > 1:
            if devices not in (num, -1):
                raise NetgazeError(
                    f"{name} started {num} processes, but trainer.devices={devices}: each would train the same run. "
                    f"Type trainer.devices={num}, or start one process."
                )
            return environment()
    if devices == 1:
        # Lightning has read it from RANK, LOCAL_RANK or SLURM_PROCID, whoever left them there.
        rank_zero_only.rank = 0  # type: ignore[attr-defined]
    return Own(devices)


def _is_of_torchrun() -> bool:
    return all(name in os.environ for name in ("TORCHELASTIC_RUN_ID", "RANK", *_STARTED))


def _count(name: str) -> int:
    """A number of processes in the environment; 1 where there is none."""
    value = os.environ.get(name, "")
    return int(value) if value.isdigit() else 1
