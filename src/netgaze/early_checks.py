"""Checks of a command before torch is imported: missing files, checkpoints and names.

The same is asked again, or for the first time, where a run or an analysis starts in a sweep or a notebook.
"""

import difflib
import importlib.util
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from netgaze.errors import NetgazeError
from netgaze.folders.pictures import find_pictures
from netgaze.places import find_pseudo_labels, find_run_folders, find_weights, locate_checkpoint
from netgaze.schema import resolve
from netgaze.stored import read_facts
from netgaze.trusted import check_may_import
from netgaze.upgrade import find_new_name, upgrade_facts

_CHECKPOINTS = ("best", "last")
_PRECISIONS = ("auto", "32")
_TRACKERS = ("wandb", "mlflow")  # packages that a logger needs
_STORES = r"(https?|(sqlite|postgresql|mysql|mssql)(\+\w+)?)://|databricks(://|$)"  # mlflow's, but for its old folders


@dataclass(frozen=True)
class Known:
    """What there is in a network and its data, for those who name a part of it; an empty one says nothing.

    Attributes:
        layers: `named_modules` names.
        classes: that it tells apart.
        num_images: of the split that is looked at; 0 where that is not known.
    """

    layers: Sequence[str] = ()
    classes: Sequence[str] = ()
    num_images: int = 0

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any], own_data: bool) -> "Known":
        """As a run's `run.json` says it; runs of earlier versions name no layers."""
        images = facts.get("found", {}).get("images") if own_data else None
        num = images.get("test") if isinstance(images, dict) else None
        layers, classes = ([str(name) for name in facts.get(kind, ())] for kind in ("layers", "classes"))
        return cls(layers, classes, num if isinstance(num, int) else 0)


def check_train(config: DictConfig, folder: Path) -> None:
    """Say what cannot become a run; nothing of one that has begun, and needs no files but its own.

    Args:
        config: composed from `conf/train.yaml`, not resolved.
        folder: of the run.

    Raises:
        NetgazeError: a value that cannot be resolved, an unknown control, a number that cannot choose the best epoch,
            or a missing file.
    """
    if locate_checkpoint(folder, "last").is_file():
        return
    if not config.stages:  # else what one of them lacks another may have
        resolve(config)
    check_control(config.control)
    _check_precision(config)
    stages = list(map(str, config.stages))
    for place in ("", *(f"stages.{stage}." for stage in stages)):
        source = _select(config, f"{place}init")
        source = source.get("file") if isinstance(source, dict) else source
        if source is not None and source not in ("imagenet", *stages):
            find_weights(str(source))
        labels = _select(config, f"{place}data.pseudo_labels")
        if labels is not None and labels not in stages:
            find_pseudo_labels(labels)
        monitor = _select(config, f"{place}task.monitor")
        if monitor is not None:
            check_validation_number(monitor)
    _check_pictures(_select(config, "figure"))
    for name in config.get("logger", {}):
        check_tracker(str(name))
        check_store(_select(config, f"logger.{name}.tracking_uri"))


def check_validation_number(monitor: Any) -> None:
    """Whether what was typed to choose the best epoch names a number of the validation split.

    Raises:
        NetgazeError: it does not.
    """
    if not isinstance(monitor, str) or not monitor.startswith("val/"):
        raise NetgazeError(
            f"task.monitor={monitor}: the best epoch is chosen by validation alone. Give a number that begins with "
            "val/, as val/acc, val/loss or val/knn20."
        )


def check_tracker(name: str) -> None:
    """Whether the package of a tracker is installed; a folder of its name, as wandb leaves them, is none.

    Raises:
        NetgazeError: it is not.
    """
    found = importlib.util.find_spec(name) if name in _TRACKERS else None
    if name in _TRACKERS and (found is None or found.origin is None):
        raise NetgazeError(
            f"logger={name} needs {name}: pip install 'netgaze[trackers]', or leave it out. To resume a run "
            f"without it, type ~logger.{name}."
        )


def check_store(tracking_uri: str | None) -> None:
    """Whether what is given for a tracker's store can be one.

    Raises:
        NetgazeError: it cannot.
    """
    if tracking_uri is not None and not re.match(_STORES, tracking_uri):
        raise NetgazeError(
            f"logger.mlflow.tracking_uri={tracking_uri}: expected a server's address, as http://localhost:5000, or a "
            "database, as sqlite:///mlflow.db."
        )


def check_analyze(config: DictConfig) -> None:
    """Say what an analysis lacks.

    Args:
        config: composed from `conf/analyze.yaml`.

    Raises:
        NetgazeError: nothing to look at; an input that is none, is not needed, or is not known; runs, checkpoints,
            pictures, layers, classes or images that are not there; titles that do not fit; a network whose code
            is not trusted.
    """
    for key in ("runs", "labels", "images"):
        if not all(isinstance(text, str) for text in config[key] or ()):
            raise NetgazeError(f"{key}={config[key]}: expected a list of texts, as in {key}=[a,b].")
    if not config.runs and not config.model:
        raise NetgazeError(
            "runs is missing. Type runs=latest or runs=outputs/<run>, or a network without a run, as in model=vgg19 "
            "input=[3,224,224]."
        )
    _check_export(config)
    _check_input(config)
    check_control(config.control)
    _check_precision(config)
    if config.checkpoint not in _CHECKPOINTS:
        raise NetgazeError(f"Unknown checkpoint={config.checkpoint}. Choose {' or '.join(_CHECKPOINTS)}.")
    facts = _check_runs(config)
    figures = _select(config, "figure")
    _check_pictures(figures, config.images)
    if not config.model:
        own_data = "_target_" not in config.data and OmegaConf.select(config, "data.dir") is None
        check_named(figures, [Known.of_facts(each, own_data) for each in facts])


def _check_runs(config: DictConfig) -> list[dict[str, Any]]:
    """What the runs with the checkpoint that is asked for say of themselves, once they are fit to be looked at."""
    runs = find_run_folders(config.runs or [])
    if config.labels:
        check_labels(config.labels, len(runs) + bool(config.model))
    shown = [run for run in runs if locate_checkpoint(run, config.checkpoint).is_file()]
    if runs and not shown and not config.model:
        raise _explain_no_checkpoint(runs, config.checkpoint)
    facts = [upgrade_facts(read_facts(run / "run.json")) for run in shown]
    for run, each in zip(shown, facts, strict=True):
        if target := each.get("config", {}).get("model", {}).get("target"):
            check_may_import(str(target), f"{run}: model.target")
    return facts


def check_labels(labels: Sequence[str], num: int) -> None:
    """Whether there is one title for each of `num` networks, and no two are the same.

    Raises:
        NetgazeError: it is not so.
    """
    if len(labels) != num or len(set(labels)) < num:
        raise NetgazeError(f"labels: give one title per network, {num} different ones; got {list(labels)}.")


def check_named(figures: Mapping[str, Any], known: Sequence[Known]) -> None:
    """Whether the layers, classes and images that figures are asked for are there.

    Args:
        figures: their settings, by name.
        known: of each network; what one of them has, the others may lack, and are left out.

    Raises:
        NetgazeError: none of them has one.
    """
    for name, settings in figures.items():
        layers = [*(settings.get("layers") or ()), *filter(None, [settings.get("layer")])]
        _check_name(f"figure.{name}", "layer", layers, [each.layers for each in known])
        _check_name(f"figure.{name}", "class", filter(None, [settings.get("class_name")]), [it.classes for it in known])
        if "split" not in settings:  # else it names one of its own
            _check_indices(f"figure.{name}", settings.get("indices") or (), [each.num_images for each in known])


def _check_name(figure: str, what: str, asked: Iterable[str], known: Sequence[Sequence[str]]) -> None:
    if not known or not all(known):
        return
    for name in asked:
        if not any(name in names for names in known):
            names = list(dict.fromkeys(name for names in known for name in names))
            near = ", ".join(difflib.get_close_matches(str(name), names, n=3, cutoff=0.0))
            network = "the network has" if len(known) == 1 else "none of the networks has"
            raise NetgazeError(f"{figure}: {network} no {what} {name}. Nearest names: {near}.")


def _check_indices(figure: str, asked: Iterable[Any], known: Sequence[int]) -> None:
    if not known or not all(known):
        return
    for index in asked:
        if isinstance(index, int) and not 0 <= index < max(known):
            raise NetgazeError(f"{figure}.indices: there is no image {index}. Choose from 0 to {max(known) - 1}.")


def check_control(control: str | None) -> None:
    """Whether there is that control.

    Raises:
        NetgazeError: there is none; the word of an earlier version is answered with today's.
    """
    if control not in (None, "untrained"):
        if new := find_new_name(f"control={control}"):
            raise NetgazeError(f"control={control} is now {new}.")
        raise NetgazeError(f"Unknown control={control}. Choose untrained, or null for none.")


def _check_precision(config: DictConfig) -> None:
    known = _select(config, "figures.precision")
    if known not in (None, *_PRECISIONS):  # a run from before there was this key has none
        raise NetgazeError(f"Unknown figures.precision={known}. Choose {' or '.join(_PRECISIONS)}.")


def _check_pictures(figures: Mapping[str, Any], images: Sequence[str] | None = None) -> None:
    """Whether a person's own pictures are there: those of an analysis, and those of single figures."""
    if images:
        shown = find_pictures(images)
        if figures and not any("images" in settings for settings in figures.values()):
            raise NetgazeError(
                "images: no chosen figure shows your own pictures. Choose one, as in figure=[response_maps]."
            )
        _check_files("images", shown)
        return
    for name, settings in figures.items():
        _check_files(f"figure.{name}.images", settings.get("images") or ())


def _check_files(key: str, paths: Iterable[str]) -> None:
    for path in paths:
        if not os.path.exists(os.path.expanduser(path)):
            raise NetgazeError(f"{key}: there is no file {path}.")


def _explain_no_checkpoint(runs: Sequence[Path], checkpoint: str) -> NetgazeError:
    other = next(name for name in _CHECKPOINTS if name != checkpoint)
    has = [run for run in runs if locate_checkpoint(run, other).is_file()]
    advice = f"Type checkpoint={other}, which it has." if has else "It was not trained so far."
    place = locate_checkpoint((has or list(runs))[0], checkpoint)
    return NetgazeError(f"checkpoint={checkpoint}: there is no {place}. {advice}")


def _check_export(config: DictConfig) -> None:
    if config.export and not config.runs:
        raise NetgazeError("export writes the networks of runs. Also type runs=outputs/<run>.")


def _check_input(config: DictConfig) -> None:
    if config.input is None:
        if config.model and not config.runs and "_target_" not in config.data:
            raise NetgazeError("input is missing. Type the network's input size, as in input=[3,224,224].")
        return
    if not config.model:
        raise NetgazeError("input is for a network without a run. Add model=..., or leave it out.")
    said = OmegaConf.to_container(config.input) if OmegaConf.is_config(config.input) else config.input
    whole = isinstance(said, list) and all(type(size) is int and size > 0 for size in said)
    if not isinstance(said, list) or len(said) != 3 or not whole:
        raise NetgazeError(
            f"input={str(said).replace(' ', '')}: expected channels, height and width, whole numbers of 1 or more, as "
            "in input=[3,224,224]."
        )


def _select(config: DictConfig, key: str) -> Any:
    """A part of a config as plain values; nothing where it cannot be worked out: that is said elsewhere."""
    try:
        value = OmegaConf.select(config, key)
        return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
    except OmegaConfBaseException:
        return {} if key == "figure" else None
