"""Checks the files of a run's folder, which may be damaged or untrusted."""

import csv
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from netgaze.errors import NetgazeError
from netgaze.files import read_bounded, read_json, read_json_object

MOST_CSV_BYTES, MOST_COLUMNS = 50_000_000, 10_000
_GROUPS = ("data", "model", "task", "optim", "schedule", "trainer")
_OF_TRAINER = ("accelerator", "channels_last", "max_epochs")  # what opening a network asks of the group
_NUMBER = (int, float, type(None))
_FACTS: dict[str, Any] = {
    "status": str,
    "command": str,
    "overrides": list,
    "choices": dict,
    "config": dict,
    "classes": list,
    "layers": list,
    "found": dict,
    "versions": dict,
    "seconds": _NUMBER,
    "seed": _NUMBER,
    "data": str,
    "eval_fingerprint": str,
    "task": str,
    "init": dict,
}


def read_facts(path: Path) -> dict[str, Any]:
    """The content of a `run.json`.

    Raises:
        NetgazeError: it is damaged, or something else.
    """
    facts = read_json_object(path)
    if "status" not in facts:
        raise _wrong(path, "it has no status")
    for name, kind in _FACTS.items():
        if name in facts and facts[name] is not None and not isinstance(facts[name], kind):
            raise _wrong(path, f"{name} is a {type(facts[name]).__name__}")
    if not all(isinstance(word, str) for word in facts.get("overrides") or ()):
        raise _wrong(path, "overrides are not texts")
    _check_groups(path, facts.get("config") or {})
    return {name: value for name, value in facts.items() if value is not None or _FACTS.get(name) in (None, _NUMBER)}


def check_checkpoint(path: Path, content: Mapping[str, Any]) -> None:
    """Whether a checkpoint says, as train.py's do, which network it belongs to.

    Raises:
        NetgazeError: it does not.
    """
    facts = content.get("netgaze")
    if not isinstance(facts, dict):
        raise NetgazeError(f"{path} was not written by train.py: it does not say which network it belongs to.")
    config, names = facts.get("config"), facts.get("class_names")
    if not isinstance(config, dict) or not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _wrong(path, "its facts lack a config, or names of classes")
    _check_groups(path, config)
    lacking = [name for name in (*_GROUPS, "seed") if name not in config]
    lacking += [f"trainer.{key}" for key in _OF_TRAINER if key not in config.get("trainer", {})]
    if lacking:
        raise _wrong(path, f"its config lacks {lacking[0]}")
    if not isinstance(content.get("state_dict"), dict) or not isinstance(content.get("callbacks", {}), dict):
        raise _wrong(path, "it has no weights by name")
    if type(content.get("epoch")) is not int or not isinstance(facts.get("data"), str):
        raise _wrong(path, "it does not say its epoch, or its data")


def _check_groups(path: Path, config: Mapping[str, Any]) -> None:
    for name in (*_GROUPS, "callback", "figure", "stages"):
        if not isinstance(config.get(name, {}), dict):
            raise _wrong(path, f"{name} of its config is a {type(config[name]).__name__}")
    for name, figure in config.get("figure", {}).items():
        if not isinstance(figure, dict):
            raise _wrong(path, f"figure.{name} of its config is a {type(figure).__name__}")


def read_numbers(path: Path) -> dict[str, Any]:
    """The content of a `metrics.json`: numbers by name, None where one is not finite.

    Raises:
        NetgazeError: it is damaged, or something else.
    """
    numbers = read_json_object(path)
    for name, value in numbers.items():
        if not isinstance(value, _NUMBER):
            raise _wrong(path, f"{name} is no number")
    return numbers


def read_variants(path: Path) -> list[dict[str, Any]]:
    """The content of a `variants.json`: settings and numbers of each network.

    Raises:
        NetgazeError: it is damaged, or something else.
    """
    variants = read_json(path)
    if not isinstance(variants, list) or not all(
        isinstance(each, dict) and isinstance(each.get("lr"), int | float) for each in variants
    ):
        raise _wrong(path, "it is no list of networks with their learning rates")
    return variants


def read_history(path: Path) -> list[dict[str, float]]:
    """The rows of a `history.csv`, one per epoch; numbers that an epoch lacks are left out.

    Raises:
        NetgazeError: it is damaged, or something else.
    """
    try:
        reader = csv.DictReader(io.StringIO(read_bounded(path, MOST_CSV_BYTES).decode(), newline=""))
        if len(reader.fieldnames or ()) > MOST_COLUMNS:
            raise _wrong(path, f"it has {len(reader.fieldnames or ())} columns")
        rows = [{name: float(value) for name, value in row.items() if value} for row in reader]
    except (ValueError, TypeError, csv.Error) as error:
        raise _wrong(path, str(error)) from error
    if not all(math.isfinite(row.get("epoch", math.nan)) for row in rows):
        raise _wrong(path, "a row does not say its epoch")
    return [row | {"epoch": int(row["epoch"])} for row in rows]


def _wrong(path: Path, what: str) -> NetgazeError:
    return NetgazeError(f"{path} is not as train.py writes it: {what[:200]}. It is damaged, or another file.")
