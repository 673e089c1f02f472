"""The root keys of a config, and functions for YAML files. Imports no torch: the command line needs it at once."""

import os
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from netgaze.data.count import count_categories, count_classes, count_identities, count_people
from netgaze.errors import NetgazeError
from netgaze.ranks import count_cores, count_nodes, count_started, name_start


@dataclass
class Figures:
    """What all figures have in common."""

    strict: bool = False
    precision: str = "auto"


@dataclass
class Train:
    """Root keys of `conf/train.yaml`; each group's keys are the arguments of its constructor."""

    name: str = MISSING
    seed: int = 0
    init: Any = None  # a file or a run as text, or a dict of file and key
    control: str | None = "untrained"
    export_predictions: bool = False
    views_per_epoch: int = 1
    data: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    task: dict[str, Any] = field(default_factory=dict)
    optim: dict[str, Any] = field(default_factory=dict)
    schedule: dict[str, Any] = field(default_factory=dict)
    trainer: dict[str, Any] = field(default_factory=dict)
    callback: dict[str, Any] = field(default_factory=dict)
    logger: dict[str, Any] = field(default_factory=dict)
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
    control: str | None = "untrained"
    checkpoint: str = "best"
    seed: int = 0
    data: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    task: dict[str, Any] = field(default_factory=dict)
    figure: dict[str, Any] = field(default_factory=dict)
    figures: Figures = field(default_factory=Figures)
    export: dict[str, Any] = field(default_factory=dict)


def resolve(config: DictConfig) -> Any:
    """A config as a plain dict; what it describes is not looked at.

    Raises:
        NetgazeError: a value is missing, or a resolver refuses it, in its own words.
    """
    try:
        return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        raise NetgazeError(f"{error.full_key} is missing. Type {error.full_key}=...") from error
    except RecursionError as error:
        raise NetgazeError("A value refers to itself through ${...}. Check the values that you typed.") from error
    except OmegaConfBaseException as error:
        said = str(error).splitlines()[0]
        raise NetgazeError(said.removeprefix("NetgazeError raised while resolving interpolation: ")) from error


def num_cpus(processes: int = 1) -> int:
    """Cores this process may use, or fewer where `OMP_NUM_THREADS`, or a job of SLURM, says so.

    Args:
        processes: that it starts to train one run, and that share the cores; -1 where their number is not known.
    """
    wished = [os.environ.get(name, "") for name in ("OMP_NUM_THREADS", "SLURM_CPUS_PER_TASK")]
    given = [int(number) for number in wished if number.isdigit() and int(number) > 0]
    started = max(count_started().values())
    if started > 1:
        node = os.environ.get("SLURM_CPUS_ON_NODE", "")
        is_bound = node.isdigit() and count_cores() < int(node)  # to cores of its own
        processes = 1 if is_bound else started // count_nodes()
    return min([max(1, count_cores() // max(1, processes)), *given])


def divide(whole: float, part: float) -> float:
    """A budget shared out, a whole number where it is one."""
    share = whole / part
    return int(share) if share == int(share) else share


def register() -> None:
    """Make the schemas and resolvers known to Hydra; calling it again changes nothing."""
    store = ConfigStore.instance()
    store.store(name="schema_train", node=Train)
    store.store(name="schema_analyze", node=Analyze)
    OmegaConf.register_new_resolver("num_cpus", num_cpus, replace=True)
    OmegaConf.register_new_resolver("divide", divide, replace=True)
    OmegaConf.register_new_resolver("start", name_start, replace=True, use_cache=True)
    OmegaConf.register_new_resolver("count_classes", count_classes, replace=True)
    OmegaConf.register_new_resolver("count_people", count_people, replace=True)
    OmegaConf.register_new_resolver("count_categories", count_categories, replace=True, use_cache=True)
    OmegaConf.register_new_resolver("count_identities", count_identities, replace=True, use_cache=True)
