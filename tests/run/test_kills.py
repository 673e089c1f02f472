"""A run killed at any moment and resumed ends like one that was not."""

import multiprocessing
import random
import sys
import time

import pytest
from tests.commands import command
from tests.conftest import TINY
from tests.tiny_runs import read_metrics, read_rows, read_run, same, weights

COMMAND = [*TINY, "figure=[]", "trainer.max_epochs=6", "data.limit=400"]
# Each run is a process of its own, forked from one that has imported all: else most kills would strike the imports.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["netgaze.chain", "tests.commands"])


def end_with_its_code(words, folder):
    """What a forked process does."""
    code, printed = command(*words, cwd=folder)
    print(printed)
    sys.exit(code)


def launch(words, folder):
    process = FORKS.Process(target=end_with_its_code, args=(words, folder))
    process.start()
    return process


@pytest.mark.slow
def test_kill_at_random_moments(tmp_path):
    """Weights, history, best and final numbers agree to the bit with a run that was left alone."""
    launch(["task=nowhere"], tmp_path).join()  # the imports
    begun = time.monotonic()
    process = launch([*COMMAND, "hydra.run.dir=whole"], tmp_path)
    process.join()
    assert process.exitcode == 0
    length = time.monotonic() - begun
    seed = time.time_ns()
    print("seed of the moments:", seed)
    lot = random.Random(seed)
    kills, words = 0, [*COMMAND, "hydra.run.dir=killed"]
    for _ in range(20):
        process = launch(words, tmp_path)
        process.join(lot.uniform(0.1, 0.9) * length)
        process.kill()
        process.join()
        assert process.exitcode in (0, -9)
        kills += process.exitcode == -9
        config = tmp_path / "killed" / ".hydra" / "config.yaml"
        if config.exists() and config.stat().st_size:  # Hydra makes it before it writes it
            words = ["resume=killed"]
        if process.exitcode == 0 and kills:
            break
        if process.exitcode == 0:  # quicker than when it was timed: begin anew, and strike earlier
            (tmp_path / "killed").rename(tmp_path / f"too quick {length}")
            length, words = 0.6 * length, [*COMMAND, "hydra.run.dir=killed"]
    assert kills >= 1
    process = launch(words, tmp_path)
    process.join()
    assert process.exitcode == 0
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for name in ("best", "last"):
        assert same(weights(whole, name), weights(killed, name))
    assert read_rows(whole) == read_rows(killed)
    assert read_metrics(whole) == read_metrics(killed)
    assert read_run(killed)["status"] == "finished"
