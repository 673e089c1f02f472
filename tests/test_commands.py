"""The twin of a command does what the command does, and leaves the process of the tests as it was."""

import logging
import os
import random
import re
import signal
import sys
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from tests.commands import command
from tests.conftest import CONF, TINY, typed
from tests.tiny_runs import read_rows, same, weights

WORDS = [*TINY, "figure=[]"]


def state():
    """What is set for the whole process."""
    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in ("netgaze", "hydra", "pytorch_lightning"))]
    return {
        "folder": Path.cwd(),
        "environment": dict(os.environ),
        "words": list(sys.argv),
        "streams": (sys.stdout, sys.stderr, sys.excepthook, sys.modules["__main__"], list(sys.path)),
        "loggers": [(list(it.handlers), it.level, it.propagate, it.disabled) for it in loggers],
        "warnings": list(warnings.filters),
        "signals": [signal.getsignal(which) for which in (signal.SIGINT, signal.SIGTERM)],
        "hydra": GlobalHydra.instance().hydra,
        "hydra config": HydraConfig.instance().cfg,
        "torch": [
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            torch.backends.cudnn.benchmark,
            torch.get_float32_matmul_precision(),
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
        ],
        "draws": [random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()],
        "matplotlib": dict(matplotlib.rcParams),
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "words", "expected"),
    [
        ([], ["trainer.deterministic=false", "trainer.threads=2", "seed=5"], 0),
        (["-m"], ["seed=1,2", "trainer.deterministic=false", "figure=[curves]"], 0),
        ([], ["optim.lr=1e30"], 1),
        ([], ["task=rotatoin"], 1),
    ],
)
def test_it_leaves_the_process_as_it_was(flags, words, expected, tmp_path):
    with initialize_config_dir(str(CONF), version_base="1.3"):  # which stays initialized
        before = state()
        code, printed = command(*flags, *WORDS, *words, cwd=tmp_path, NETGAZE_WORD="here")
        assert code == expected, printed
        after = state()
    assert {name for name in before if before[name] != after[name]} == set()


@pytest.mark.slow
def test_it_does_what_the_command_does(tmp_path):
    """The same code, lines and files, and the same bits, of a run that ends well and of one that does not."""
    said = {}
    for run in (command, typed):
        (tmp_path / run.__name__).mkdir()
        code, printed = run("-m", *WORDS, "optim.lr=0.05,1e30", "hydra.sweep.dir=sweep", cwd=tmp_path / run.__name__)
        assert code == 1, printed
        said[run] = re.sub(
            r" +\d+(\.\d+)? s\b|\d+ per second|\d+ images/s| +\d+\.\d( |$)", "", printed, flags=re.MULTILINE
        )
    assert said[command] == said[typed]
    first, second = (tmp_path / name / "sweep" for name in ("command", "typed"))
    written = [
        {path.relative_to(folder) for path in folder.rglob("*") if "tfevents" not in path.name}
        for folder in (first, second)
    ]
    assert written[0] == written[1]
    assert same(weights(first / "0"), weights(second / "0"))
    assert read_rows(first / "0") == read_rows(second / "0")


def test_an_error_that_is_nobodys_mistake_has_a_trace(tmp_path, monkeypatch):
    monkeypatch.setattr("netgaze.commands.arguments.prepare", lambda *_: {}["missing"])
    code, printed = command(cwd=tmp_path)
    assert code == 1
    assert "Traceback" in printed
    assert "KeyError: 'missing'" in printed
