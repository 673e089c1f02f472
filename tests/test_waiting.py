"""Who sleeps while it waits: where more threads are at work than there are cores, and nowhere else."""

import os

import pytest
from omegaconf import OmegaConf

from netgaze import waiting


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """Four cores, and an environment that says nothing."""
    monkeypatch.setattr(waiting, "count_cores", lambda: 4)
    monkeypatch.setattr(waiting, "num_cpus", lambda: 4)
    monkeypatch.setattr(os, "environ", {})


def choose(launcher=None, **trainer):
    waiting.choose_waiting(OmegaConf.create({"trainer": trainer} if trainer else {}), launcher or {})
    return os.environ.get("OMP_WAIT_POLICY")


@pytest.mark.parametrize(
    ("threads", "jobs", "policy"),
    [
        (4, 1, None),
        (5, 1, "PASSIVE"),
        (2, 2, None),
        (2, 3, "PASSIVE"),
        (1, -1, None),
        (2, -1, "PASSIVE"),
        (1, -2, None),
        (4, -2, "PASSIVE"),
        (4, -4, None),
        (4, -9, None),
        (4, None, None),
    ],
)
def test_threads_sleep_where_there_are_more_of_them_than_cores(threads, jobs, policy):
    assert choose({"n_jobs": jobs}, threads=threads) == policy


def test_processes_of_one_run_share_the_cores_of_a_cpu():
    assert choose(threads=4, devices=1, accelerator="cpu") is None
    assert choose(threads=4, devices=2, accelerator="gpu") is None
    assert choose(threads=4, devices=2, accelerator="cpu") == "PASSIVE"


def test_an_analysis_takes_all_cores():
    assert choose() is None
    assert choose({"n_jobs": 2}) == "PASSIVE"


def test_what_the_environment_says_stays():
    os.environ["OMP_WAIT_POLICY"] = "ACTIVE"
    assert choose(threads=5) == "ACTIVE"
    assert waiting.describe_threads(1) == "1 thread on 4 cores, OMP_WAIT_POLICY ACTIVE"


def test_a_value_that_cannot_be_worked_out_is_said_elsewhere():
    assert choose(threads="${nowhere}") is None
    assert waiting.describe_threads(2) == "2 threads on 4 cores, OMP_WAIT_POLICY not set"
