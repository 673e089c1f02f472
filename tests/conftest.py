"""Shared by all tests: one thread, an own cache, the real data where it is, and what a tiny run is. Imports little."""

import gc
import os
import subprocess
import sys
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before torch: two multi-threaded processes slow each other many times

import pytest
from hydra import compose, initialize_config_dir
from hypothesis import settings
from omegaconf import DictConfig

from netgaze import schema

settings.register_profile("unhurried", deadline=None)  # a deadline is a timed assertion
settings.register_profile("repeatable", parent=settings.get_profile("unhurried"), derandomize=True, database=None)
settings.load_profile("repeatable" if os.environ.get("CI") else "unhurried")  # the same commit, the same verdict

ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf"
REAL = Path(os.environ.get("NETGAZE_DATA", ROOT / "data"))

# A network and a data set so small that a run takes a second.
TINY = [
    "data=digits",
    "data.limit=120",
    "data.batch_size=40",
    "model.depths=[1,1]",
    "model.widths=[8,16]",
    "optim.lr=0.05",
    "trainer.max_epochs=2",
    "trainer.precision=32",
    "trainer.threads=1",
]
NO_FIGURES = ["figure=[]"]


def pytest_collection_modifyitems(items):
    """Files with slow tests come first, so that in the end no worker is left alone with a long one."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def freeze_imports():
    """What is imported by now stays: each run ends in a collection, which need not look through millions of objects."""
    gc.collect()
    gc.freeze()


def pytest_collection_finish():
    freeze_imports()


def pytest_unconfigure():
    gc.unfreeze()


@pytest.fixture(autouse=True)
def one_thread():
    import torch  # here, as the process that only hands out tests needs none

    torch.set_num_threads(1)
    yield
    torch.set_num_threads(1)  # whoever looks at runs takes all cores


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    os.environ["NETGAZE_CACHE"] = str(folder)
    return folder


@pytest.fixture
def real_cifar():
    """The folder with the real CIFAR-10."""
    if not (REAL / "cifar-10-batches-py").is_dir():
        pytest.skip("the real CIFAR-10 is not here (NETGAZE_DATA)")
    return REAL


def composed(*overrides: str, name: str = "train") -> DictConfig:
    """A config as the command line would compose it."""
    schema.register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(name, overrides=list(overrides))


def start(*words: str, cwd: Path, script: str = "train.py", **env: str) -> subprocess.Popen:
    """A command as a person types it, in a folder of its own."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / script), *words],
        cwd=cwd,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def typed(*words: str, cwd: Path, script: str = "train.py", **env: str) -> tuple[int, str]:
    """Run a command to its end in a process of its own: (exit code, what it printed)."""
    process = start(*words, cwd=cwd, script=script, **env)
    printed, _ = process.communicate(timeout=500)
    return process.returncode, printed
