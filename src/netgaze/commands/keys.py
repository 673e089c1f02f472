"""Checks typed keys and values against the config."""

from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException

from netgaze.commands.answers import answer_unknown, name_choices, suggest, write_with
from netgaze.commands.configs import Configs
from netgaze.commands.words import REMOVABLE, get_written, is_added, list_values, refuse_several, split_stage, write
from netgaze.errors import NetgazeError, sentence
from netgaze.foreign import explain_foreign
from netgaze.kinds import fits, name_kind

_DECIMALS = ("trainer.max_epochs",)  # keys whose default is a whole number, and which take parts of one


def check_keys(overrides: Sequence[Override], chosen: Sequence[str], configs: Configs, sweeps: bool) -> None:
    """Whether keys are there, and their values of the kind that is there.

    Args:
        overrides: the words about keys.
        chosen: the words that choose, with which the keys must go.
        configs: where configs lie.
        sweeps: whether several values may be given.

    Raises:
        NetgazeError: the first that does not fit.
    """
    reference = configs.compose(chosen)
    known = list_keys(reference)
    for override in overrides:
        about = _list_about(split_stage(override.key_or_group)[1], chosen)
        key = _check_stage(override, reference, about)
        if override.is_delete():
            _check_deleted(override, key, known, about)
            continue
        is_staged = key != override.key_or_group
        if is_added(override) and not is_staged:
            _check_added(override, reference, known, configs)
        elif key not in known:
            answer_unknown(key, known, about, configs)
        if key in known and not override.key_or_group.endswith(".run"):
            _check_value(override, reference, key)
        if override.is_sweep_override() and not sweeps:
            refuse_several(override, isinstance(_get_default(reference, key), list | None))


def _check_deleted(override: Override, key: str, known: Sequence[str], about: str) -> None:
    whole = override.key_or_group
    if key not in known and whole not in known:
        raise NetgazeError(f"{override.input_line}: there is no {whole}{write_with(about)}.{suggest(key, known)}")


def check_references(overrides: Sequence[Override], chosen: Sequence[str], configs: Configs) -> None:
    """Whether the `${...}` of values lead to something, and not to themselves; see `check_keys`."""
    typed = [override for override in overrides if "${" in str(override.input_line)]
    for override in typed:
        if override.is_sweep_override():
            continue
        word = str(override.input_line)
        try:
            config = configs.compose([*chosen, word])
        except NetgazeError as error:
            raise NetgazeError(f"{word} cannot be read. ${{...}} takes a key, as in ${{optim.lr}}.") from error
        try:
            value = OmegaConf.select(config, override.key_or_group)
            if OmegaConf.is_config(value):
                OmegaConf.to_container(value, resolve=True)
        except InterpolationKeyError as error:
            said = str(error).splitlines()[0]
            raise NetgazeError(f"{word}: {said[0].lower()}{said[1:]}. Name a key, as in ${{optim.lr}}.") from error
        except (OmegaConfBaseException, RecursionError, ValueError, TypeError) as error:
            said = "it refers to itself" if isinstance(error, RecursionError) else sentence(error)
            raise NetgazeError(f"{word} cannot be resolved: {said.rstrip('.')}.") from error


def list_keys(config: DictConfig, prefix: str = "") -> list[str]:
    """The paths of all keys of a config, at any depth."""
    names: list[str] = []
    for name in map(str, config):
        full = f"{prefix}{name}"
        names.append(full)
        node = None if OmegaConf.is_missing(config, name) else config._get_node(name)
        if isinstance(node, DictConfig) and not node._is_none():
            names += list_keys(node, f"{full}.")
    return names


def _check_stage(override: Override, reference: DictConfig, about: str) -> str:
    """The key under which an override's default lies: of a stage that says nothing of it, the whole run's own."""
    key = override.key_or_group
    stage, own = split_stage(key)
    if stage is None:
        return key
    stages = list_keys(reference.stages) if "stages" in reference else []
    if stage not in stages:
        raise NetgazeError(f"There is no stage {stage}{write_with(about)}.{suggest(stage, stages)}")
    if own == "run":
        return f"stages.{stage}"  # it may be given of any stage
    return key if f"{stage}.{own}" in stages else own


def _check_added(override: Override, reference: DictConfig, known: Sequence[str], configs: Configs) -> None:
    """Whether what is added has a place: a key by itself is read by nobody; others only a constructor knows."""
    word, key = str(override.input_line), override.key_or_group
    parent = key.rpartition(".")[0]
    if key in known:
        if override.is_add():
            raise NetgazeError(f"{word}: this key exists already. Type it without +, {key}={get_written(override)}.")
    elif not parent:
        raise NetgazeError(f"There is no key {key}: nothing would read it.{suggest(key, known)}")
    elif parent not in known or parent in REMOVABLE:
        by_name = f" Choose by name, as in {parent}=[<name>]." if parent in configs.defaults else ""
        hint = by_name or name_choices(parent, configs) or suggest(key, known)
        raise NetgazeError(f"{word}: there is no {parent} to have such a key.{hint}")
    elif not isinstance(_get_default(reference, parent), dict):
        raise NetgazeError(f"{word}: {parent} is a value, so it has no keys.")
    elif said := explain_foreign(key):
        raise NetgazeError(f"There is no key {key}. {said}.")


def _list_about(key: str, words: Sequence[str]) -> str:
    """Of the words that choose, those that say which keys there are like this one."""
    group = key.partition(".")[0]
    bare = [word.lstrip("+") for word in words]
    return " ".join(word for word in bare if word.partition("=")[0] in (group, "task", "experiment"))


def _check_value(override: Override, reference: DictConfig, key: str) -> None:
    """Hold an override's values against the type of the default that they replace."""
    default, typed = _get_default(reference, key), override.key_or_group
    may_be_null = _may_be_null(reference, key)
    for value in list_values(override):
        if key.rpartition(".")[2] == "init" and isinstance(value, dict):
            _check_file_and_key(override, value)
        elif value is None and isinstance(default, dict) and key.partition(".")[0] in REMOVABLE:
            raise NetgazeError(f"{typed}=null: to remove it, type ~{typed}.")
        elif not _fits(value, float(default) if key in _DECIMALS else default) or (value is None and not may_be_null):
            shown = write(value) if override.is_sweep_override() else get_written(override)
            if key == "figures":
                raise NetgazeError(f"figures={shown} chooses no figures. Did you mean figure={shown}?")
            example = f", as in {typed}={write(default).replace(' ', '')}"
            if isinstance(default, dict):
                example = f". Type its keys one by one, {typed}.{next(iter(default), '<key>')}=<value>"
            raise NetgazeError(f"{typed}={shown}: expected {name_kind(type(default))}{example}.")


def _check_file_and_key(override: Override, value: dict[Any, Any]) -> None:
    if set(value) != {"file", "key"} or not all(isinstance(part, str) for part in value.values()):
        raise NetgazeError(f"{override.input_line}: type init=<file> init.key=<name in it>.")


def _may_be_null(reference: DictConfig, key: str) -> bool:
    parent, _, name = key.rpartition(".")
    node = OmegaConf.select(reference, parent) if parent else reference
    child = node._get_node(name) if isinstance(node, DictConfig) and name in node else None
    return bool(getattr(child, "_metadata", None) is None or child._metadata.optional)  # type: ignore[union-attr]


def _get_default(reference: DictConfig, key: str) -> Any:
    try:
        value = OmegaConf.select(reference, key)
    except OmegaConfBaseException:  # an interpolation that needs what was typed
        return None
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value


def _fits(value: Any, default: Any) -> bool:
    """Whether a value has the type of its default; None as either fits, and text may be a number."""
    if default is None or value is None or (isinstance(value, str) and "${" in value):
        return True
    return fits(value, type(default))
