"""Every typed key, choice and value held against the config, before anything heavy is imported.

A key that does not exist is answered with the nearest one, one of an earlier version with today's, and a value must
have the type of the default that it replaces.
"""

import difflib
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from netgaze.errors import NetgazeError
from netgaze.kinds import fits, name_kind
from netgaze.upgrade import explain_gone, find_new_name


def list_choices(conf: Path) -> str:
    """The choices of every group, one line each."""
    lines = [f"  {group}={' | '.join(_list_options(conf, group))}" for group in list_groups(conf)]
    return "Choices (python train.py data=shapes model=resnet20 ...):\n" + "\n".join(lines)


def list_groups(conf: Path) -> list[str]:
    """The names of all groups of choices."""
    return sorted(folder.name for folder in conf.iterdir() if folder.is_dir() and folder.name != "hydra")


def _list_options(conf: Path, group: str) -> list[str]:
    """The choices of a group; a name that begins with _ is what its files share."""
    files = [path for path in (conf / group).rglob("*.yaml") if not path.name.startswith("_")]
    return sorted(str(path.relative_to(conf / group).with_suffix("")) for path in files)


def split_stage(key: str) -> tuple[str | None, str]:
    """The stage that a key is about, and the key without it: `stages.teacher.optim.lr` -> ("teacher", "optim.lr")."""
    first, _, rest = key.lstrip("+").partition(".")
    stage, _, own = rest.partition(".")
    return (stage, own) if first == "stages" and stage else (None, key)


def check_overrides(words: Sequence[str], conf: Path, name: str, sweeps: bool = False) -> None:
    """Hold every typed key, choice and value against the config as it is without them.

    Args:
        words: `key=value` each.
        conf: the folder of configs.
        name: of the primary config.
        sweeps: whether several values with commas in between may be given.

    Raises:
        NetgazeError: the first that does not fit, with the nearest that would.
    """
    try:
        overrides = OverridesParser.create().parse_overrides(list(words))
    except HydraException as error:
        raise NetgazeError(
            f"{str(error).splitlines()[0].rstrip('.')}. Type key=value, and quote what has brackets, spaces or commas."
        ) from error
    for override in overrides:
        if override.is_sweep_override() and not sweeps:
            raise NetgazeError(
                f"{override.input_line} has several values: add -m to run them all, one after the other."
            )
    groups = [override for override in overrides if _is_group(override, conf)]
    _check_stages(groups, conf, name)
    for override in groups:
        for choice in _values(override):
            _check_choice(override.key_or_group, choice, conf)
    others = [o for o in overrides if o not in groups and not o.key_or_group.startswith("hydra")]
    for picked in itertools.islice(itertools.product(*(_values(group) for group in groups)), 16):
        chosen = [f"{_place(g)}={_literal(choice)}" for g, choice in zip(groups, picked, strict=True)]
        _check_values(others, _compose(chosen, conf, name), " ".join(chosen))


def _check_stages(groups: Sequence[Override], conf: Path, name: str) -> None:
    """Choices for a stage must be for one that there is: Hydra would make it."""
    stages = {split_stage(f"{group.package or ''}.")[0] for group in groups} - {None}
    if stages:
        plain = [f"{g.key_or_group}={_literal(_values(g)[0])}" for g in groups if g.package is None]
        known = list(_compose(plain, conf, name).get("stages", {}))
        for stage in sorted(map(str, stages)):
            if stage not in known:
                raise NetgazeError(f"There is no stage {stage}{_with(' '.join(plain))}.{_nearest(stage, known)}")


def _place(group: Override) -> str:
    """The group of a choice, with the place that it is for where it is not its own: `+model@stages.teacher.model`."""
    added = "+" if group.is_add() else ""
    return group.key_or_group if group.package is None else f"{added}{group.key_or_group}@{group.package}"


def _is_group(override: Override, conf: Path) -> bool:
    return (conf / override.key_or_group).is_dir()


def _values(override: Override) -> list[Any]:
    """All values that an override takes in a sweep, or its one value."""
    if override.is_sweep_override():
        return [str(value) for value in override.sweep_string_iterator()]
    return [override.value()]


def _literal(choice: Any) -> str:
    return f"[{','.join(map(str, choice))}]" if isinstance(choice, list) else str(choice)


def _check_choice(group: str, choice: Any, conf: Path) -> None:
    known = _list_options(conf, group)
    for name in choice if isinstance(choice, list) else [choice]:
        if name is not None and str(name) not in known and not str(name).startswith(("[", "glob", "null")):
            _answer_old(f"{group}={name}")
            raise NetgazeError(
                f"There is no {group}={name}.{_nearest(str(name), known)} Choose from {', '.join(known)}."
            )


def _compose(chosen: Sequence[str], conf: Path, name: str) -> DictConfig:
    try:
        with initialize_config_dir(str(conf.resolve()), version_base="1.3"):
            return compose(name, overrides=list(chosen))
    except (HydraException, OmegaConfBaseException) as error:
        raise NetgazeError(" ".join(str(error).split("\n")[:2])) from error


def _check_values(overrides: Sequence[Override], reference: DictConfig, chosen: str) -> None:
    for override in overrides:
        key = override.key_or_group
        stage, own = split_stage(key)
        if stage is not None:
            stages = _keys(reference.stages) if "stages" in reference else []
            if stage not in stages:
                raise NetgazeError(f"There is no stage {stage}{_with(chosen)}.{_nearest(stage, stages)}")
            if own == "run" or f"{stage}.{own}" in stages:
                _check_value(override, _default(reference, key))
                continue
            key = own  # a stage takes any key of a run
        elif override.is_add() and "." not in key:
            raise NetgazeError(f"There is no key {key}, and nothing would read it.{_nearest(key, _keys(reference))}")
        if stage is None and (override.is_add() or override.is_force_add() or override.is_delete()):
            continue
        known = _keys(reference)
        if key not in known:
            _answer_old(key)
            raise NetgazeError(
                f"There is no key {key}{_with(chosen)}.{_nearest(key, known)} python train.py --cfg job shows all keys."
            )
        _check_value(override, _default(reference, key))


def _answer_old(word: str) -> None:
    """Name the new word for a key or choice of an earlier version.

    Raises:
        NetgazeError: it is one.
    """
    if new := find_new_name(word):
        raise NetgazeError(f"{word} is now {new}.")
    if where := explain_gone(word):
        raise NetgazeError(f"{word} is gone: {where}.")


def _check_value(override: Override, default: Any) -> None:
    """Hold an override's values against the type of the default that they replace."""
    key = override.key_or_group
    for value in _values(override):
        typed = _typed(value) if override.is_sweep_override() else value
        if not _fits(typed, default):
            if key == "figures":
                chosen = _literal(value)
                raise NetgazeError(f"figures={chosen} chooses no figures. Did you mean figure={chosen}?")
            raise NetgazeError(f"{key}={value}: expected {name_kind(type(default))}, as in {key}={_show(default)}.")


def _with(chosen: str) -> str:
    return f" with {chosen}" if chosen else ""


def _typed(text: str) -> Any:
    try:
        return OmegaConf.to_container(OmegaConf.create(f"value: {text}"))["value"]  # type: ignore[call-overload, index]
    except (yaml.YAMLError, OmegaConfBaseException):
        return text


def _keys(config: DictConfig, prefix: str = "") -> list[str]:
    names: list[str] = []
    for name in map(str, config):
        full = f"{prefix}{name}"
        names.append(full)
        node = None if OmegaConf.is_missing(config, name) else config._get_node(name)
        if isinstance(node, DictConfig) and not node._is_none():
            names += _keys(node, f"{full}.")
    return names


def _default(reference: DictConfig, key: str) -> Any:
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


def _show(default: Any) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default).replace(" ", "")


def _nearest(name: str, known: Sequence[str]) -> str:
    """A question that names what may have been meant: the same deeper down, else by the whole key, or its last part."""
    near = [key for key in known if key.endswith(f".{name}")][:1]
    near = near or difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    if not near:
        last = name.rpartition(".")[2]
        ends = {key.rpartition(".")[2]: key for key in reversed(known)}
        near = [ends[match] for match in difflib.get_close_matches(last, list(ends), n=1, cutoff=0.7)]
    return f" Did you mean {near[0]}?" if near else ""
