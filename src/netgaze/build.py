"""The only place that turns config into objects."""

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import hydra
import torch
from hydra.errors import InstantiationException
from omegaconf import MISSING, DictConfig, OmegaConf
from pytorch_lightning import Callback, LightningDataModule, LightningModule
from pytorch_lightning.loggers import Logger
from pytorch_lightning.strategies import Strategy
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch.nn import Module
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from netgaze import trusted
from netgaze.constructors import check_arguments, check_given, check_numbers
from netgaze.early_checks import check_validation_number
from netgaze.errors import NetgazeError, raise_if_too_large
from netgaze.glossary import NUMBERS, explain
from netgaze.schema import resolve
from netgaze.trusted import check_may_import, import_named

MAKE_TRAINER = "netgaze.trainer.make_trainer"  # the one function that a config may name
# Of `trainer` set_globals reads the first two, build_task the third, training the fourth, `budget` the last; of `task`
# build_task reads it for all.
READ_ELSEWHERE = {
    "trainer": ("threads", "deterministic", "channels_last", "compile", "max_time"),
    "task": ("monitor",),
}
FOREIGN = (Module, Optimizer, LRScheduler, Callback, Logger, Strategy, LightningModule, LightningDataModule)
_PLACES = {
    **{"data": "data", "models": "model", "tasks": "task", "figures": "figure", "callbacks": "callback"},
    **{"loggers": "logger", "schedules": "schedule", "trainer": "trainer", "exports": "export"},
}

_REFUSALS = (TypeError, ValueError, ArithmeticError, LookupError, MisconfigurationException)


def build(config: Any, **extra: Any) -> Any:
    """The object that a config with `_target_` describes.

    Args:
        config: a plain dict or a DictConfig; its keys are the constructor's arguments.
        extra: further arguments, already built objects among them.

    Raises:
        NetgazeError: a target that is not ours and not a class of a kind in `FOREIGN` (a config may come from a
            stranger), or arguments that the constructor refuses.
    """
    content: Any = OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else config
    if not isinstance(content, dict) or "_target_" not in content:
        raise NetgazeError(f"Nothing can be built from {str(content)[:80]}: it has no _target_. Check the config.")
    _check_targets(content)
    _check_arguments(content)
    if extra or not content.get("_partial_"):
        check_given(content, extra)
    try:
        if extra:  # a partial: built objects must not go through Hydra, which would copy them into a config
            return hydra.utils.instantiate(content | {"_partial_": True}, _convert_="all")(**extra)
        return hydra.utils.instantiate(content, _convert_="all")
    except (InstantiationException, RuntimeError, MemoryError, *_REFUSALS) as error:
        cause = error.__cause__ if isinstance(error, InstantiationException) and error.__cause__ else error
        if isinstance(cause, NetgazeError):
            raise cause from error
        if isinstance(cause, _REFUSALS):
            said = str(cause).splitlines()[0].rstrip(".")
            raise NetgazeError(f"{_name_place(content['_target_'])} refuses its arguments: {said}.") from error
        raise_if_too_large(cause, f"{_name_place(content['_target_'])}: smaller numbers make a smaller one.")
        raise


def _name_place(target: str) -> str:
    """Where in a config an object of such a class is described, and the class: `task Finetune`."""
    room, name = target.removeprefix("netgaze.").partition(".")[0], target.rpartition(".")[2]
    place = _PLACES.get(room, "optim" if target.startswith("torch.optim.") else "")
    return f"{place} {name}".strip() if place else target


def trust(config: Any) -> None:
    """Import what a config names that was typed or composed from one's own files: `build` then knows it.

    Args:
        config: a DictConfig, not resolved.

    Raises:
        NetgazeError: a name leads to nothing.
    """
    for key, name in _list_targets(OmegaConf.to_container(config)):
        if "${" not in name and name != MISSING:
            import_named(name, key)
            if key == "target":  # a network of one's own, which need be no class
                trusted.trust(name)


def _list_targets(content: Any) -> Iterator[tuple[str, str]]:
    """Every `_target_` in a plain config, and every `target` beside one."""
    if isinstance(content, dict) and "_target_" in content:
        yield from ((key, str(content[key])) for key in ("_target_", "target") if key in content)
    for value in content.values() if isinstance(content, dict) else content if isinstance(content, list) else ():
        yield from _list_targets(value)


def _check_targets(content: Any, key: str = "") -> None:
    if isinstance(content, dict):
        if "_target_" in content:
            _check_target(str(content["_target_"]))
        for name, value in content.items():
            _check_targets(value, str(name))
    elif isinstance(content, list):
        for value in content:
            _check_targets(value, key)
    elif isinstance(content, str) and "${" in content:  # Hydra would resolve it, into a further target even
        raise NetgazeError(f"{key}={content[:80]} is refused: a stored config contains values, not references.")


def _check_arguments(content: Any, place: str | None = None, joined: Sequence[str] = ()) -> None:
    """Hold each config with `_target_` in a config, at any depth, against its constructor."""
    if isinstance(content, list):
        for value in content:
            _check_arguments(value, place)
    if not isinstance(content, dict):
        return
    if "_target_" in content:
        check_arguments(content, place, joined)
    for key, value in content.items():
        _check_arguments(value, f"{place}.{key}" if place else place)


def _check_target(path: str) -> None:
    check_may_import(path, "_target_")
    target = import_named(path, "_target_")
    ours = path == MAKE_TRAINER or (inspect.isclass(target) and target.__module__.startswith("netgaze."))
    if not ours and not (inspect.isclass(target) and issubclass(target, FOREIGN)):
        allowed = ", ".join(sorted(kind.__name__ for kind in FOREIGN))
        raise NetgazeError(
            f"_target_: {path} is refused: outside netgaze only classes derived from {allowed} may be built."
        )


def build_trainer(settings: dict[str, Any], **joined: Any) -> Any:
    """Lightning's Trainer for the group `trainer` of a resolved config.

    Args:
        settings: the group; of its keys, those in `READ_ELSEWHERE` are no business of Lightning's.
        joined: what `trainer.make_trainer` takes besides.
    """
    return build({key: value for key, value in settings.items() if key not in READ_ELSEWHERE["trainer"]}, **joined)


def build_task(settings: dict[str, Any], class_names: Sequence[str]) -> Any:
    """The task of a resolved config with its network inside, weights drawn from the config's seed.

    Args:
        settings: a resolved train config.
        class_names: of the data.
    """
    torch.manual_seed(settings["seed"])
    model = build(settings["model"])
    build(settings["optim"] | {"_partial_": False}, params=[torch.nn.Parameter(torch.zeros(1))])  # refuses in time
    chosen = {key: value for key, value in settings["task"].items() if key not in READ_ELSEWHERE["task"]}
    task = build(chosen, model=model, optimizer=build(settings["optim"]), schedule=build(settings["schedule"]))
    if (monitor := settings["task"].get("monitor")) is not None:
        task.monitor, task.monitor_mode = monitor, choose_mode(monitor)
    task.max_epochs = settings["trainer"]["max_epochs"]
    task.name_classes(class_names)
    if len(task.class_names) != task.num_classes:
        raise NetgazeError(
            f"task.num_classes={task.num_classes}, but there are {len(task.class_names)} classes to tell apart. Leave "
            "the number out: it follows the data."
        )
    _check_network(settings, task)
    if settings["trainer"]["channels_last"] and getattr(model, "takes_channels_last", True):
        model.to(memory_format=torch.channels_last)
    return task


def choose_mode(monitor: str) -> str:
    """Whether the largest ("max") or the smallest ("min") value of a number is best.

    Raises:
        NetgazeError: it is no number of the validation split.
    """
    check_validation_number(monitor)
    meaning = explain(monitor, NUMBERS)
    return "min" if meaning is not None and meaning.better == "lower" else "max"


def init_from_data(task: Any, data: Any) -> None:
    """Let the network of a fresh task start from training images, evenly out of all, where it asks for some.

    Args:
        task: a `tasks.base.Task`.
        data: a `data.base.ImageData`, set up.
    """
    if num := getattr(task.model, "init_images", 0):
        last = len(data.labels("train")) - 1
        place = torch.linspace(0, last, min(num, last + 1)).long()
        task.model.init_from_images(data.normalize(data.images("train", place)))


def _check_network(settings: dict[str, Any], task: Any) -> None:
    """Whether what was typed of the network's two ends leaves room for images and classes."""
    data, model = settings["data"], settings["model"]
    if model.get("in_channels", data["num_channels"]) != data["num_channels"]:
        raise NetgazeError(
            f"model.in_channels={model['in_channels']}, but the images have {data['num_channels']}. Leave "
            "the number out: it follows the data."
        )
    if task.classifies and model.get("num_classes", task.num_classes) < task.num_classes:
        raise NetgazeError(
            f"model.num_classes={model['num_classes']} is less than the {task.num_classes} classes of the task. Leave "
            "the number out: it follows the task."
        )
    learns = settings["trainer"]["max_epochs"] and settings["optim"].get("scale_filters")
    if learns and not any(map(_is_norm, task.model.modules())):
        name = type(task.model).__module__.rpartition(".")[2]
        raise NetgazeError(
            f"The network {name} has no norms, which this optimizer needs because it rescales the filters. "
            "Choose optim=sgd and a small rate, as optim.lr=0.01."
        )


def _is_norm(module: Module) -> bool:
    """BatchNorm and its likes, of torch and of others, who agree on no common class but on the word."""
    return "norm" in type(module).__name__.lower()


def resolve_config(config: DictConfig) -> Any:
    """The config as a plain dict.

    Raises:
        NetgazeError: a value is missing, or a resolver refuses it, in its own words; or a key does not fit what it is
            an argument of.
    """
    settings = resolve(config)
    _check_targets(settings)
    check_numbers(settings, "")
    for group, content in settings.items():
        _check_arguments(content, str(group), READ_ELSEWHERE.get(str(group), ()))
    return settings
