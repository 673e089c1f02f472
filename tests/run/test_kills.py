"""A run killed at any moment and resumed ends like one that was not."""

import random
import shutil
import time

import pytest
from tests.conftest import TINY, start, typed
from tests.tiny_runs import read_metrics, read_rows, read_run, same, weights

COMMAND = [*TINY, "figure=[]", "trainer.max_epochs=6", "data.limit=400"]


@pytest.mark.slow
def test_kill_at_random_moments(tmp_path):
    """Weights, history, best and final numbers agree to the bit with a run that was left alone."""
    begun = time.monotonic()
    code, printed = typed(*COMMAND, "hydra.run.dir=whole", cwd=tmp_path)
    assert code == 0, printed
    length = time.monotonic() - begun
    seed = time.time_ns()
    print("seed of the moments:", seed)
    lot = random.Random(seed)
    kills, words = 0, [*COMMAND, "hydra.run.dir=killed"]
    for _ in range(8):
        process = start(*words, cwd=tmp_path)
        time.sleep(lot.uniform(0.3, 0.9) * length)
        struck = process.poll() is None
        process.kill()
        process.communicate()
        assert process.returncode in (0, -9)
        if not struck and not kills:  # quicker than when it was timed: begin anew, and strike earlier
            shutil.rmtree(tmp_path / "killed")
            length *= 0.6
            continue
        kills += struck
        if process.returncode == 0:
            break
        if (tmp_path / "killed" / ".hydra" / "config.yaml").exists():
            words = ["resume=killed"]
    assert kills >= 1
    code, printed = typed(*words, cwd=tmp_path)
    assert code == 0, printed
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for name in ("best", "last"):
        assert same(weights(whole, name), weights(killed, name))
    assert read_rows(whole) == read_rows(killed)
    assert read_metrics(whole) == read_metrics(killed)
    assert read_run(killed)["status"] == "finished"
