"""One process is one process, whatever a job's script left in the environment; those of a launcher stay several."""

import os
import stat

import pytest
from pytorch_lightning.plugins.environments import TorchElasticEnvironment
from pytorch_lightning.utilities import rank_zero_only
from tests.commands import command
from tests.conftest import TINY

from netgaze import ranks
from netgaze.errors import NetgazeError
from netgaze.processes import Own, Srun, check_strategy, choose_processes, count_devices
from netgaze.schema import num_cpus

STEP = {
    "SLURM_NTASKS": "8",
    "SLURM_STEP_NUM_TASKS": "2",
    "SLURM_PROCID": "1",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "0",
    "SLURM_STEP_NUM_NODES": "1",
    "SLURM_CPUS_ON_NODE": "",
    "SLURM_CPUS_PER_TASK": "",
    "SLURM_STEP_ID": "",
    "ENVIRONMENT": "",
}
TORCHRUN = {
    **{"TORCHELASTIC_RUN_ID": "none", "RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"},
    **{"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"},
}
CHILD = {"LOCAL_RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
LEFT_OVER = {
    "an allocation": {"SLURM_NTASKS": "4", "SLURM_JOB_ID": "7"},
    "a batch script": {"SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "4", "SLURM_NNODES": "2", "SLURM_PROCID": "0"},
    "an interactive shell": {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "bash", "SLURM_STEP_NUM_TASKS": "1"},
    "an earlier torchrun": {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"},
    "half of torchrun": {"TORCHELASTIC_RUN_ID": "none"},
    "an address": {"MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "29500"},
    "a pod": {"KUBERNETES_PORT": "tcp://10.0.0.1:443", **CHILD, "RANK": "1"},
    "jsrun": {"LSB_JOBID": "1", "LSB_DJOB_RANKFILE": "x", "JSM_NAMESPACE_LOCAL_RANK": "1", "JSM_NAMESPACE_SIZE": "2"},
    "mpirun": {"PMI_RANK": "1", "PMI_SIZE": "2", "OMPI_COMM_WORLD_SIZE": "2"},
    "a container of one": {**CHILD, "WORLD_SIZE": "1"},
    "no number": {"SLURM_STEP_NUM_TASKS": "", "WORLD_SIZE": "two"},
}


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    for name in {name for left in (STEP, TORCHRUN, *LEFT_OVER.values()) for name in left} & set(os.environ):
        monkeypatch.delenv(name)
    monkeypatch.setattr(rank_zero_only, "rank", 0)


def put(monkeypatch, names):
    for name, value in names.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("left", LEFT_OVER.values(), ids=LEFT_OVER)
def test_what_is_left_over_makes_no_second_process(left, monkeypatch):
    put(monkeypatch, left)
    rank_zero_only.rank = 1  # as Lightning reads it at import
    own = choose_processes(1)
    assert isinstance(own, Own)
    assert (own.creates_processes_externally, own.local_rank(), own.node_rank(), own.world_size()) == (False, 0, 0, 1)
    assert rank_zero_only.rank == 0
    own.validate_settings(num_devices=1, num_nodes=1)


def test_tasks_of_srun_are_several_whatever_the_job_has(monkeypatch):
    put(monkeypatch, STEP)
    tasks = choose_processes(2)
    assert isinstance(tasks, Srun)
    assert (tasks.world_size(), tasks.global_rank(), tasks.local_rank()) == (2, 1, 1)
    assert tasks.creates_processes_externally
    tasks.validate_settings(num_devices=2, num_nodes=1)


def test_processes_of_torchrun_are_several(monkeypatch):
    put(monkeypatch, TORCHRUN)
    processes = choose_processes(2)
    assert isinstance(processes, TorchElasticEnvironment)
    assert processes.global_rank() == 1


@pytest.mark.parametrize(("launcher", "names"), [("srun", STEP), ("torchrun", TORCHRUN)])
def test_several_processes_do_not_train_the_same_run_each(launcher, names, monkeypatch):
    put(monkeypatch, names)
    with pytest.raises(NetgazeError, match=f"{launcher} started 2 processes, but trainer.devices=1"):
        choose_processes(1)


@pytest.mark.parametrize("devices", [2, -1])
def test_those_that_lightning_starts_know_their_place(devices, monkeypatch):
    assert not choose_processes(devices).creates_processes_externally
    put(monkeypatch, CHILD)
    assert choose_processes(devices).creates_processes_externally
    assert choose_processes(devices).local_rank() == 1
    monkeypatch.delenv("MASTER_PORT")
    assert not choose_processes(devices).creates_processes_externally


@pytest.mark.parametrize(("names", "rank"), [(STEP, 1), (TORCHRUN, 1), (CHILD, 1), ({}, 0)])
def test_one_of_several_processes_is_the_main_one(names, rank, monkeypatch):
    put(monkeypatch, names)
    assert (ranks.find_rank(), ranks.is_main_process()) == (rank, rank == 0)


@pytest.mark.parametrize("left", LEFT_OVER.values(), ids=LEFT_OVER)
def test_what_is_left_over_makes_nobody_a_helper(left, monkeypatch):
    put(monkeypatch, left)
    ranks.forget_leftovers(1)
    assert ranks.is_main_process()


def test_as_many_devices_as_a_launcher_has_started(monkeypatch):
    with pytest.raises(NetgazeError, match="devices=-1 means all GPUs, but there are none"):
        count_devices(-1, is_cpu=True)
    assert (count_devices(3, is_cpu=True), count_devices(-1, is_cpu=False)) == (3, -1)
    put(monkeypatch, STEP | {"SLURM_STEP_NUM_TASKS": "8", "SLURM_STEP_NUM_NODES": "2"})
    assert (count_devices(-1, is_cpu=True), ranks.count_nodes()) == (4, 2)
    assert isinstance(choose_processes(4), Srun)
    with pytest.raises(NetgazeError, match=r"Type trainer.devices=4"):
        choose_processes(8)


@pytest.mark.parametrize("devices", [0, -2, 1025])
def test_numbers_of_devices_that_cannot_be(devices):
    with pytest.raises(NetgazeError, match="must be 1 or more"):
        count_devices(devices, is_cpu=True)


@pytest.mark.parametrize("strategy", ["fsdp", "deepspeed_stage_2", "ddp_spawn", "nonsense"])
def test_strategies_that_hide_a_network_are_refused(strategy):
    with pytest.raises(NetgazeError, match=f"strategy={strategy} is not possible here"):
        check_strategy(strategy)


def test_cores_are_shared_by_the_processes_of_a_run(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("netgaze.schema.count_cores", lambda: 8)
    assert [num_cpus(devices) for devices in (1, 2, 16, -1)] == [8, 4, 1, 8]
    put(monkeypatch, STEP | {"SLURM_CPUS_ON_NODE": "8"})
    assert num_cpus(-1) == 4  # two tasks that are bound to nothing
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "16")
    assert num_cpus(-1) == 8  # each has cores of its own
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    assert num_cpus(-1) == 3


def test_a_job_that_starts_again_has_the_folder_that_it_had(monkeypatch):
    assert ranks.name_start(["a=1"]) != ranks.name_start(["a=1"])  # the time
    put(monkeypatch, {"SLURM_JOB_ID": "7", "ENVIRONMENT": "BATCH"})
    first = ranks.name_start(["a=1"])
    assert first == ranks.name_start(["a=1"]) == "slurm_7_" + first[-6:]
    assert first != ranks.name_start(["a=2"])
    put(monkeypatch, STEP | {"SLURM_STEP_ID": "3"})
    assert ranks.name_start(["a=1"]) == first.replace("slurm_7", "slurm_7.3")


@pytest.mark.slow
def test_a_run_in_a_job_says_nothing_of_it(tmp_path, monkeypatch):
    """Where there is an srun that was not used, Lightning advises it in every run."""
    srun = tmp_path / "srun"
    srun.write_text("#!/bin/sh\nexit 1\n")
    srun.chmod(srun.stat().st_mode | stat.S_IXUSR)
    path = f"{tmp_path}:{os.environ['PATH']}"
    code, printed = command(*TINY, "figure=[]", cwd=tmp_path, PATH=path, SLURM_NTASKS="4", SLURM_PROCID="2")
    assert code == 0, printed
    assert "srun" not in printed
    assert "SLURM" not in printed
