"""A command in this process: what `typed` does, many times faster, wherever a process of its own proves nothing."""

import io
import logging
import os
import random
import runpy
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from hydra.core.global_hydra import GlobalHydra
from tests.conftest import ROOT

from netgaze.subjects import forget_data


def command(*words: str, cwd: Path, script: str = "train.py", **env: str) -> tuple[int, str]:
    """Run a command to its end: (exit code, what it printed). Nothing of it stays behind but its files."""
    code, said = 0, io.StringIO()
    with as_it_was(), chdir(cwd), patch.dict(os.environ, env), redirect_stdout(said), redirect_stderr(said):
        try:
            sys.argv = [script, *words]
            runpy.run_path(str(ROOT / script), run_name="__main__")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except Exception:
            traceback.print_exc()
            code = 1
    return code, said.getvalue()


@contextmanager
def as_it_was() -> Iterator[None]:
    """What a command sets for its whole process, and what it has opened there, is put back afterwards."""
    root, initialized = logging.getLogger(), GlobalHydra.instance().hydra
    handlers, level = list(root.handlers), root.level
    threads, states = torch.get_num_threads(), (random.getstate(), np.random.get_state(), torch.get_rng_state())
    deterministic = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark, precision = torch.backends.cudnn.benchmark, torch.get_float32_matmul_precision()
    GlobalHydra.instance().clear()
    forget_data()  # the same words in another folder may mean other files
    try:
        with warnings.catch_warnings(), patch.object(sys, "argv", []):
            yield
    finally:
        forget_data()
        for handler in set(root.handlers) - set(handlers):
            with suppress(OSError):  # its file may be on a full disk
                handler.close()
        root.handlers[:] = handlers
        root.setLevel(level)
        GlobalHydra.instance().hydra = initialized  # another instance, where a config was composed
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic[0], warn_only=deterministic[1])
        torch.backends.cudnn.benchmark = benchmark
        torch.set_float32_matmul_precision(precision)
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
