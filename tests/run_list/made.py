"""Folders of runs made by hand, as small as the list can read them."""

import os
import time
from pathlib import Path
from typing import Any

from netgaze.files import write_csv, write_json

LONG_AGO = time.time() - 5 * 86400


def make_run(
    folder: Path,
    status: str = "finished",
    started: str = "2026-03-01T12:00:00+0000",
    task: str = "supervised",
    config: dict[str, Any] | None = None,
    numbers: dict[str, Any] | None = None,
    epochs: list[dict[str, Any]] | None = None,
    written: float = LONG_AGO,
    **facts: Any,
) -> Path:
    """Write a run's folder, whose files were written last at `written`."""
    config = {"task": {"num_classes": 10}, "optim": {"lr": 0.1}, "trainer": {"max_epochs": 9}} | (config or {})
    choices = {"task": task, "model": "resnet_small", "data": "shapes", "optim": "sgd", "experiment": None}
    known = {"status": status, "started": started, "choices": choices, "config": config, "versions": {"netgaze": "x"}}
    write_json(folder / "run.json", known | {"monitor": "val/acc", "monitor_mode": "max"} | facts)
    if numbers is not None:
        write_json(folder / "metrics.json", numbers)
    if epochs is not None:
        write_csv(folder / "history.csv", epochs)
    age(folder, written)
    return folder


def age(folder: Path, written: float = LONG_AGO) -> None:
    """Let all files of a folder be written at a time."""
    for path in folder.rglob("*"):
        os.utime(path, (written, written), follow_symlinks=False)
