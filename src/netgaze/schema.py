"""The root keys of a config and what YAML files can compute. Imports no torch: the command line needs it at once."""

import os
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf

from netgaze.data.count import count_categories, count_classes, count_identities, count_people
from netgaze.errors import NetgazeError


@dataclass
class Figures:
    """What all figures have in common."""

    strict: bool = False


@dataclass
class Train:
    """Root keys of `conf/train.yaml`; each group's keys are the arguments of its constructor."""

    name: str = MISSING
    seed: int = 0
    init: Any = None  # a file or a run as text, or a dict of file and key
    control: str | None = "random"
    export_predictions: bool = False
    data: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    task: dict[str, Any] = field(default_factory=dict)
    optim: dict[str, Any] = field(default_factory=dict)
    schedule: dict[str, Any] = field(default_factory=dict)
    trainer: dict[str, Any] = field(default_factory=dict)
    callback: dict[str, Any] = field(default_factory=dict)
    figure: dict[str, Any] = field(default_factory=dict)
    figures: Figures = field(default_factory=Figures)
    stages: dict[str, Any] = field(default_factory=dict)


@dataclass
class Analyze:
    """Root keys of `conf/analyze.yaml`."""

    name: str = MISSING
    runs: list[str] | None = None
    input: Any = None
    labels: list[str] | None = None
    images: list[str] | None = None
    control: str | None = "random"
    checkpoint: str = "best"
    seed: int = 0
    data: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    task: dict[str, Any] = field(default_factory=dict)
    figure: dict[str, Any] = field(default_factory=dict)
    figures: Figures = field(default_factory=Figures)


def check_analyze(config: DictConfig) -> None:
    """Say what an analysis lacks before anything heavy is imported.

    Args:
        config: composed from `conf/analyze.yaml`.

    Raises:
        NetgazeError: nothing to look at, or an input that is none, is not needed, or is not known.
    """
    for key in ("runs", "labels", "images"):
        if not all(isinstance(text, str) for text in config[key] or ()):
            raise NetgazeError(f"{key}={config[key]}: expected a list of texts, as in {key}=[a,b].")
    if not config.runs and not config.model:
        raise NetgazeError(
            "runs must be given: type runs=outputs/<run>, or a network without one, as in model=vgg19 "
            "input=[3,224,224]."
        )
    if config.input is None:
        if config.model and not config.runs and "_target_" not in config.data:
            raise NetgazeError("input must be given: type what the network reads, as in input=[3,224,224].")
        return
    if not config.model:
        raise NetgazeError("input is what a network without a run reads: add model=..., or leave it out.")
    said = OmegaConf.to_container(config.input) if OmegaConf.is_config(config.input) else config.input
    whole = isinstance(said, list) and all(type(size) is int and size > 0 for size in said)
    if not isinstance(said, list) or len(said) != 3 or not whole:
        raise NetgazeError(
            f"input={str(said).replace(' ', '')}: expected channels, height and width, whole numbers of 1 or more, as "
            "in input=[3,224,224]."
        )


def num_cpus() -> int:
    """Cores this process may use, or fewer where `OMP_NUM_THREADS` says so."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wished = os.environ.get("OMP_NUM_THREADS", "")
    return min(allowed, int(wished)) if wished.isdigit() and int(wished) > 0 else allowed


def register() -> None:
    """Make the schemas and resolvers known to Hydra; calling it again changes nothing."""
    store = ConfigStore.instance()
    store.store(name="schema_train", node=Train)
    store.store(name="schema_analyze", node=Analyze)
    OmegaConf.register_new_resolver("num_cpus", num_cpus, replace=True)
    OmegaConf.register_new_resolver("count_classes", count_classes, replace=True)
    OmegaConf.register_new_resolver("count_people", count_people, replace=True)
    OmegaConf.register_new_resolver("count_categories", count_categories, replace=True, use_cache=True)
    OmegaConf.register_new_resolver("count_identities", count_identities, replace=True, use_cache=True)
