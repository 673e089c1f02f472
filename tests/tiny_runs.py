"""A run in this process, and what lies in its folder: the one place where tests know how a run is started and read."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, open_dict
from tests.conftest import CONF

from netgaze import analysis, experiment, schema
from netgaze.request import Request
from netgaze.rows import make_rows
from netgaze.run import Run
from netgaze.weights import read_checkpoint


def compose_request(*overrides: str, name: str = "train") -> tuple[DictConfig, Request]:
    """The config, and what the command line knows beside it: the words, and what they chose."""
    schema.register()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose(name, overrides=list(overrides), return_hydra_config=True)
    hydra = config.hydra
    request = Request.of_hydra(f"python {name}.py", hydra.overrides.task, hydra.runtime.choices)
    with open_dict(config):
        del config["hydra"]
    return config, request


def train(folder: Path, *words: str, typed: list[str] | None = None) -> Path:
    """Train a run as the command line would, without its checks of words: the run's folder.

    Args:
        folder: of the run, new or begun.
        words: overrides of `conf/train.yaml`.
        typed: those of them that the run takes for typed; None for all.
    """
    config, request = compose_request(*words)
    experiment.fit(config, folder, request if typed is None else replace(request, overrides=tuple(typed)))
    return folder


def analyze(folder: Path, *words: str) -> Path:
    """Look at runs or a network as `analyze.py` would, without its checks of words: the folder of pictures."""
    config, request = compose_request(*words, name="analyze")
    analysis.analyze(config, folder, request)
    return folder


def read_run(folder: Path) -> dict[str, Any]:
    """What `run.json` says."""
    return Run(folder).facts


def read_metrics(folder: Path) -> dict[str, Any]:
    """The final numbers by name."""
    return Run(folder).metrics


def read_variants(folder: Path) -> list[dict[str, Any]]:
    """Settings and numbers of each network that was trained at once."""
    return Run(folder).variants


def read_rows(folder: Path) -> list[dict[str, str]]:
    """The rows of `history.csv`, as they stand there but for the seconds, which no two runs share."""
    with open(folder / "history.csv", newline="") as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


def read_history(folder: Path) -> list[dict[str, float]]:
    """The rows of `history.csv` as numbers."""
    return Run(folder).epochs


def sum_seconds(folder: Path) -> float | None:
    """What a run and its stages have taken together."""
    return Run(folder).seconds


def tabulate(*folders: Path) -> list[dict[str, Any]]:
    """One row per network, as in `results.csv`."""
    return make_rows([Run(folder) for folder in folders])


def weights(folder: Path, name: str = "last") -> dict[str, torch.Tensor]:
    """The state of a run's network: "last" or "best"."""
    return read_checkpoint(folder / "checkpoints" / f"{name}.ckpt")["state_dict"]


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    """Whether two states are equal to the bit."""
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)
