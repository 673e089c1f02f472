"""Every typed key, choice and value held against the config, before anything heavy is imported.

A key that does not exist is answered with the nearest one, one of an earlier version or of another tool with today's,
and a value must have the type of the default that it replaces.
"""

import difflib
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, ValueType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException

from netgaze.configs import Configs, check_plugin
from netgaze.errors import NetgazeError, sentence
from netgaze.foreign import explain_foreign
from netgaze.kinds import fits, name_kind
from netgaze.upgrade import explain_gone, find_new_name

OF_HYDRA = re.compile(r"hydra($|[./@])")  # keys that are none of ours
REMOVABLE = ("figure", "callback", "stages")  # groups whose entries may be taken away


def split_stage(key: str) -> tuple[str | None, str]:
    """The stage that a key is about, and the key without it: `stages.teacher.optim.lr` -> ("teacher", "optim.lr")."""
    first, _, rest = key.lstrip("+").partition(".")
    stage, _, own = rest.partition(".")
    return (stage, own) if first == "stages" and stage else (None, key)


def check_overrides(
    words: Sequence[str], conf: Path, name: str, sweeps: bool = False, added: Sequence[str] = ()
) -> None:
    """Hold every typed key, choice and value against the config as it is without them.

    Args:
        words: `key=value` each.
        conf: the folder of configs.
        name: of the primary config.
        sweeps: whether several values with commas in between may be given.
        added: further folders of configs.

    Raises:
        NetgazeError: the first that does not fit, with the nearest that would.
    """
    overrides = parse(words)
    searched = [str(path) for o in overrides if o.key_or_group == "hydra.searchpath" for path in _listed(o.value())]
    configs = Configs(conf, name, (*added, *searched))
    ours = [override for override in overrides if not OF_HYDRA.match(override.key_or_group)]
    for override in overrides:
        if override not in ours:
            check_plugin(str(override.input_line))
    for override in ours:
        _check_form(override, sweeps, configs)
    groups = [override for override in ours if override.key_or_group in configs.groups]
    _check_stages(groups, configs)
    for override in groups:
        for choice in _values(override):
            _check_choice(override, choice, configs)
    others = [override for override in ours if override not in groups]
    for picked in itertools.islice(itertools.product(*(_values(group) for group in groups)), 16):
        chosen = [_choose(group, choice) for group, choice in zip(groups, picked, strict=True)]
        _check_values(others, chosen, configs, sweeps)
        _check_references(others, chosen, configs)


def parse(words: Sequence[str]) -> list[Override]:
    """The words in Hydra's grammar.

    Raises:
        NetgazeError: one that has another form.
    """
    overrides = []
    for word in words:
        try:
            overrides += OverridesParser.create().parse_overrides([word])
        except (HydraException, ValueError) as error:
            if "=" not in word:
                raise NetgazeError(f"{word} has no value. Type key=value, as in optim.lr=0.1.") from error
            raise NetgazeError(
                f"{word} cannot be read. Type key=value, and put what has brackets, spaces, commas or quotes into "
                f"quotes, as in {_quoted_example(word)}."
            ) from error
    return overrides


def _quoted_example(word: str) -> str:
    key, _, value = word.partition("=")
    bare = value.replace("'", "").replace('"', "")
    return f"\"{key}='{bare}'\"" if key and bare and len(value) < 60 else "\"name='a (b)'\""


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _check_form(override: Override, sweeps: bool, configs: Configs) -> None:
    """Whether a word has a form that can be meant: a key, several values only in a sweep, nothing taken away in vain."""
    word, key = str(override.input_line), override.key_or_group
    if override.is_delete():
        first, dot, _ = key.partition(".")
        if configs.takes_many(key):
            raise NetgazeError(f"{word}: for none type {key}=[].")
        if not (first in REMOVABLE if dot else key in configs.groups and not configs.needs(key)):
            raise NetgazeError(
                f"{word}: only figures, callbacks and stages can be taken away, as in ~figure.cam. Give "
                f"{key.lstrip('~')} another value, or null where it may have none."
            )
        return
    if "=" not in word or not key:
        raise NetgazeError(f"{word} has no key or no value. Type key=value, as in optim.lr=0.1.")
    if "/" in key:
        group, _, choice = key.partition("/")
        raise NetgazeError(f"{word}: type {group}={choice}/{_written(override)}.")
    if override.is_interval_sweep():
        raise NetgazeError(f"{word}: type the values to try one by one, as in {key}=0.1,0.03.")
    if key in configs.groups:
        if (override.is_add() or override.is_force_add()) and override.package is None and key in configs.defaults:
            raise NetgazeError(f"{word}: choose without +, {key}={_written(override)}.")
        if override.is_sweep_override() and not sweeps:
            _refuse_several(override, takes_lists=configs.takes_many(key))


def _refuse_several(override: Override, takes_lists: bool) -> None:
    word, values = str(override.input_line), _written(override)
    if takes_lists and override.value_type is ValueType.SIMPLE_CHOICE_SWEEP:
        raise NetgazeError(
            f"{word}: several in one run stand in brackets, {override.key_or_group}=[{values}]; with -m each is a run of "
            "its own."
        )
    raise NetgazeError(f"{word} has several values: add -m to run them all, one after the other.")


def _written(override: Override) -> str:
    return str(override.input_line).partition("=")[2]


def _check_stages(groups: Sequence[Override], configs: Configs) -> None:
    """Choices for a stage must be for one that there is: Hydra would make it."""
    stages = {split_stage(f"{group.package or ''}.")[0] for group in groups} - {None}
    if stages:
        plain = [_choose(group, _values(group)[0]) for group in groups if group.package is None]
        known = list(configs.compose(plain).get("stages", {}))
        for stage in sorted(map(str, stages)):
            if stage not in known:
                raise NetgazeError(f"There is no stage {stage}{_with(' '.join(plain))}.{_nearest(stage, known)}")


def _choose(group: Override, choice: Any) -> str:
    """A choice as a word, with the place that it is for where it is not its own: `+model@stages.teacher.model=...`."""
    added = "+" if group.is_add() else "~" if group.is_delete() else ""
    place = group.key_or_group if group.package is None else f"{group.key_or_group}@{group.package}"
    return f"{added}{place}" if group.is_delete() else f"{added}{place}={_literal(choice)}"


def _values(override: Override) -> list[Any]:
    """All values that an override takes in a sweep, or its one value."""
    if override.is_sweep_override() and not isinstance(override.value(), Glob):
        return [Override._convert_value(value) for value in override.sweep_iterator()]
    return [override.value()]


def _literal(choice: Any) -> str:
    if isinstance(choice, list):
        return f"[{','.join(map(_literal, choice))}]"
    return "null" if choice is None else str(choice)


def _check_choice(override: Override, choice: Any, configs: Configs) -> None:
    group, known = override.key_or_group, configs.list_options(override.key_or_group)
    if override.is_delete():
        return
    if choice is None and configs.needs(group):
        raise NetgazeError(f"{group}=null: a run needs one. Choose from {', '.join(known)}.")
    if isinstance(choice, dict):
        raise NetgazeError(
            f"{override.input_line}: type a choice, {group}=<name>, and its keys, {group}.<key>=<value>."
        )
    if isinstance(choice, list) and not configs.takes_many(group):
        raise NetgazeError(f"{override.input_line}: one {group} can be chosen, from {', '.join(known)}.")
    for name in _listed(choice):
        if name is not None and str(name) not in known:
            _answer_old(f"{group}={name}")
            raise NetgazeError(
                f"There is no {group}={name}.{_nearest(str(name), known)} Choose from {', '.join(known)}."
            )


def _check_values(overrides: Sequence[Override], words: Sequence[str], configs: Configs, sweeps: bool) -> None:
    reference = configs.compose(words)
    known = _keys(reference)
    for override in overrides:
        key = override.key_or_group
        chosen = _list_about(split_stage(key)[1], words)
        stage, own = split_stage(key)
        if stage is not None:
            stages = [name for name in _keys(reference.stages)] if "stages" in reference else []
            if stage not in stages:
                raise NetgazeError(f"There is no stage {stage}{_with(chosen)}.{_nearest(stage, stages)}")
            if own in ("", "run") or f"{stage}.{own}" in stages:
                _check_value(override, reference, key)
                continue
            key = own  # a stage takes any key of a run
        elif override.is_add() or override.is_force_add():
            _check_added(override, reference, known, configs)
        if override.is_delete() and key not in known:
            raise NetgazeError(f"{override.input_line}: there is no {key}{_with(chosen)}.{_nearest(key, known)}")
        if key in known and not override.is_delete():
            _check_value(override, reference, key)
        elif key not in known and (stage is not None or not (override.is_add() or override.is_force_add())):
            _answer_unknown(key, known, chosen, configs)
        if override.is_sweep_override() and not sweeps:
            _refuse_several(override, isinstance(_default(reference, key), list | None))


def _check_added(override: Override, reference: DictConfig, known: Sequence[str], configs: Configs) -> None:
    """Whether what is added has a place: a key of its own is read by nobody, and only a constructor knows the others."""
    word, key = str(override.input_line), override.key_or_group
    parent = key.rpartition(".")[0]
    if key in known:
        if override.is_add():
            raise NetgazeError(f"{word}: there is such a key already. Type it without +, {key}={_written(override)}.")
    elif not parent:
        raise NetgazeError(f"There is no key {key}, and nothing would read it.{_nearest(key, known)}")
    elif parent not in known or parent in REMOVABLE or not isinstance(_default(reference, parent), dict):
        if parent in known and parent not in REMOVABLE:
            raise NetgazeError(f"{word}: {parent} is a value and has no keys.")
        by_name = f" Choose by name, as in {parent}=[<name>]." if parent in configs.defaults else ""
        hint = by_name or _name_choices(parent, configs) or _nearest(key, known)
        raise NetgazeError(f"{word}: there is no {parent} to have such a key.{hint}")
    elif said := explain_foreign(key):
        raise NetgazeError(f"There is no key {key}. {said}.")


def _answer_unknown(key: str, known: Sequence[str], chosen: str, configs: Configs) -> None:
    _answer_old(key)
    said = explain_foreign(key)
    near = _deeper(key, known) or _name_choices(key, configs) or (f" {said}." if said else _nearest(key, known))
    raise NetgazeError(
        f"There is no key {key}{_with(chosen)}.{near or ' python train.py --cfg job shows all that there are.'}"
    )


def _name_choices(key: str, configs: Configs) -> str:
    """A sentence that names the choices that would bring a key."""
    choices = configs.find_choices(key)
    more = f", and {len(choices) - 4} more" if len(choices) > 4 else ""
    return f" It comes with {', '.join(choices[:4])}{more}." if choices else ""


def _list_about(key: str, words: Sequence[str]) -> str:
    """Of the words that choose, those that say which keys there are like this one."""
    group = key.partition(".")[0]
    bare = [word.lstrip("+") for word in words]
    return " ".join(word for word in bare if word.partition("=")[0] in (group, "task", "experiment"))


def _answer_old(word: str) -> None:
    """Name the new word for a key or choice of an earlier version.

    Raises:
        NetgazeError: it is one.
    """
    if new := find_new_name(word):
        raise NetgazeError(f"{word} is now {new}.")
    if where := explain_gone(word):
        raise NetgazeError(f"{word} is gone: {where}.")


def _check_value(override: Override, reference: DictConfig, key: str) -> None:
    """Hold an override's values against the type of the default that they replace."""
    default, parent = _default(reference, key), key.rpartition(".")[0]
    node = OmegaConf.select(reference, parent) if parent else reference
    optional = not isinstance(node, DictConfig) or _is_optional(node, key.rpartition(".")[2])
    for value in _values(override):
        if key.rpartition(".")[2] == "init" and isinstance(value, dict):
            _check_file_and_key(override, value)
        elif not _fits(value, default) or (value is None and not optional):
            typed = _literal(value) if override.is_sweep_override() else _written(override)
            raise NetgazeError(
                f"{override.key_or_group}={typed}: expected {name_kind(type(default))}{_example(override, default)}."
            )


def _check_file_and_key(override: Override, value: dict[Any, Any]) -> None:
    if set(value) != {"file", "key"} or not all(isinstance(part, str) for part in value.values()):
        raise NetgazeError(f"{override.input_line}: type init=<file> init.key=<name in it>.")


def _is_optional(node: DictConfig, name: str) -> bool:
    child = node._get_node(name) if name in node else None
    return bool(getattr(child, "_metadata", None) is None or child._metadata.optional)  # type: ignore[union-attr]


def _example(override: Override, default: Any) -> str:
    if isinstance(default, dict):
        return f", type its keys one by one, as in {override.key_or_group}.{next(iter(default), '<key>')}=..."
    return f", as in {override.key_or_group}={_show(default)}"


def _check_references(overrides: Sequence[Override], chosen: Sequence[str], configs: Configs) -> None:
    """Whether the `${...}` of a value leads to something, and not to itself."""
    typed = [override for override in overrides if "${" in str(override.input_line)]
    for override in [] if any(override.is_sweep_override() for override in typed) else typed:
        word = str(override.input_line)
        try:
            config = configs.compose([*chosen, word])
        except NetgazeError as error:
            raise NetgazeError(f"{word} cannot be read: ${{...}} takes a key, as in ${{optim.lr}}.") from error
        try:
            OmegaConf.to_container(OmegaConf.create({"value": OmegaConf.select(config, override.key_or_group)}))
        except InterpolationKeyError as error:
            said = str(error).splitlines()[0]
            raise NetgazeError(f"{word}: {said[0].lower()}{said[1:]}. Name a key, as in ${{optim.lr}}.") from error
        except (OmegaConfBaseException, RecursionError, ValueError, TypeError) as error:
            said = "it leads back to itself" if isinstance(error, RecursionError) else sentence(error)
            raise NetgazeError(f"{word} cannot be worked out: {said.rstrip('.')}.") from error


def _with(chosen: str) -> str:
    return f" with {chosen}" if chosen else ""


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
    if same := _deeper(name, known):
        return same
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    if not near:
        last = name.rpartition(".")[2]
        ends = {key.rpartition(".")[2]: key for key in reversed(known)}
        near = [ends[match] for match in difflib.get_close_matches(last, list(ends), n=1, cutoff=0.7)]
    return f" Did you mean {near[0]}?" if near else ""


def _deeper(name: str, known: Sequence[str]) -> str:
    same = [key for key in known if key.endswith(f".{name}")]
    return f" Did you mean {same[0]}?" if same else ""
