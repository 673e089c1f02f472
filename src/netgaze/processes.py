"""The processes that train one run: this one, those that it starts, or a launcher's."""

from pytorch_lightning.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from pytorch_lightning.utilities import rank_zero_only

from netgaze.errors import NetgazeError
from netgaze.ranks import count_nodes, count_started, forget_leftovers

_KNOWN = ("auto", "ddp", "ddp_find_unused_parameters_true", "ddp_find_unused_parameters_false")
_MOST = 1024


class Srun(SLURMEnvironment):
    """The tasks of one `srun`, which Lightning knows by the job's number of tasks, and so not without sbatch."""

    def __init__(self) -> None:
        super().__init__(auto_requeue=False)

    def world_size(self) -> int:
        """The tasks that this srun started."""
        return count_started()["srun"]

    def validate_settings(self, num_devices: int, num_nodes: int) -> None:
        """Nothing: `choose_processes` has compared the numbers."""

    @staticmethod
    def _validate_srun_used() -> None: ...

    @staticmethod
    def _validate_srun_variables() -> None: ...


class Own(LightningEnvironment):
    """This process, and those that Lightning starts from it, which it knows by `LOCAL_RANK`."""

    def __init__(self, num: int):
        super().__init__()
        forget_leftovers(num)

    def node_rank(self) -> int:
        """0: a run that Lightning starts stays on one machine."""
        return 0

    def teardown(self) -> None:
        """Nothing: the processes train the next stage together, and are told apart by the environment until the end."""


def choose_processes(devices: int) -> ClusterEnvironment:
    """Who the processes of a run on so many devices are.

    Args:
        devices: of the run on each machine; -1 for all that there are.

    Raises:
        NetgazeError: a launcher started another number of processes than the run has devices.
    """
    environments: dict[str, type[ClusterEnvironment]] = {"torchrun": TorchElasticEnvironment, "srun": Srun}
    for name, num in count_started().items():
        if num > 1:
            if devices not in (num // count_nodes(), -1):
                raise NetgazeError(
                    f"{name} started {num} processes, but trainer.devices={devices}: each would train the same run. "
                    f"Type trainer.devices={num // count_nodes()}, or start one process."
                )
            return environments[name]()
    if devices == 1:
        # Lightning has read it from RANK, LOCAL_RANK or SLURM_PROCID, whoever left them there.
        rank_zero_only.rank = 0  # type: ignore[attr-defined]
    return Own(devices)


def count_devices(devices: int, is_cpu: bool) -> int:
    """How many devices of each machine train a run: of -1 as many as a launcher has started, else Lightning's all.

    Raises:
        NetgazeError: a number that cannot be.
    """
    if devices == -1 and (num := max(count_started().values())) > 1:
        return num // count_nodes()
    if devices == -1 and is_cpu:
        raise NetgazeError("trainer.devices=-1 means all GPUs, but there are none. Give a number: trainer.devices=2.")
    if devices != -1 and not 1 <= devices <= _MOST:
        raise NetgazeError(f"trainer.devices={devices} must be 1 or more, or -1 for all.")
    return devices


def check_strategy(strategy: str) -> None:
    """Whether runs can be trained by a strategy of Lightning.

    Raises:
        NetgazeError: they cannot.
    """
    if strategy not in _KNOWN:
        raise NetgazeError(
            f"trainer.strategy={strategy} is not possible here. On one device it is auto, on several ddp: each holds "
            "the whole network, which all that looks into it needs."
        )
