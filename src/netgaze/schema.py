"""The root keys of a config and what YAML files can compute. Imports no torch: the command line needs it at once."""

import os
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf

from netgaze.data.count import count_categories, count_classes, count_identities


@dataclass
class Train:
    """Root keys of `conf/train.yaml`; each group's keys are the arguments of its constructor."""

    name: str = MISSING
    seed: int = 0
    init: str | None = None
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


@dataclass
class Analyze:
    """Root keys of `conf/analyze.yaml`."""

    name: str = MISSING
    runs: list[str] = MISSING
    labels: list[str] | None = None
    images: list[str] | None = None
    control: str | None = "random"
    checkpoint: str = "best"
    seed: int = 0
    data: dict[str, Any] = field(default_factory=dict)
    figure: dict[str, Any] = field(default_factory=dict)


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
    OmegaConf.register_new_resolver("count_categories", count_categories, replace=True, use_cache=True)
    OmegaConf.register_new_resolver("count_identities", count_identities, replace=True, use_cache=True)
