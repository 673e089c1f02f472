"""Checks every typed key, choice and value against the config, before torch is imported.

A key that does not exist is answered with the nearest one, one of an earlier version or of another tool with today's,
and a value must have the type of the default that it replaces.
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hydra.core.override_parser.types import Override

from netgaze.commands.answers import answer_old, suggest, write_with
from netgaze.commands.configs import Configs, check_plugin
from netgaze.commands.keys import check_keys, check_references
from netgaze.commands.words import check_form, choose, list_values, parse, split_stage
from netgaze.errors import NetgazeError
from netgaze.program import spell

_OF_HYDRA = re.compile(r"hydra($|[./@])")  # keys that are none of ours
_USUAL = ("hydra.run.", "hydra.sweep.", "hydra.job.", "hydra.searchpath")
_MOST = 16  # choices of a sweep that are tried


def check_overrides(words: Sequence[str], configs: Configs, sweeps: bool = False) -> None:
    """Hold every typed key, choice and value against the config as it is without them.

    Args:
        words: `key=value` each.
        configs: where configs lie.
        sweeps: whether several values with commas in between may be given.

    Raises:
        NetgazeError: the first that does not fit, with the nearest that would.
    """
    overrides = parse(words)
    searched = [str(path) for o in overrides if o.key_or_group == "hydra.searchpath" for path in _make_list(o.value())]
    configs = replace(configs, added=(*configs.added, *searched))
    chosen_parts = [str(o.input_line) for o in overrides if o.key_or_group.startswith("hydra/")]
    ours = [override for override in overrides if not _OF_HYDRA.match(override.key_or_group)]
    for override in overrides:
        if override.key_or_group == "stages":
            raise NetgazeError(
                f"{override.input_line}: type the keys of stages one by one, stages.<stage>.<key>=<value>."
            )
        if override in ours:
            check_form(override, sweeps, configs)
        else:
            _check_hydra(override, chosen_parts, configs)
    groups = [override for override in ours if override.key_or_group in configs.groups]
    for override in groups:
        for choice in list_values(override):
            _check_choice(override, choice, configs)
    _check_stages(groups, configs)
    others = [override for override in ours if override not in groups]
    for picked in itertools.islice(itertools.product(*map(list_values, groups)), _MOST):
        chosen = [choose(group, choice) for group, choice in zip(groups, picked, strict=True)]
        check_keys(others, chosen, configs, sweeps)
        check_references(others, chosen, configs)


def _check_hydra(override: Override, chosen_parts: Sequence[str], configs: Configs) -> None:
    """Whether Hydra knows what it is asked for, with the parts of it that were chosen, as `hydra/launcher=slurm`."""
    word, key = str(override.input_line), override.key_or_group
    check_plugin(word)
    if key.startswith(_USUAL) or override.is_sweep_override():
        return
    try:
        configs.compose(list(dict.fromkeys([*chosen_parts, word])))
    except NetgazeError as error:
        raise NetgazeError(f"{word} is not possible. {spell('train')} --cfg hydra lists the possible keys.") from error


def _make_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _check_stages(groups: Sequence[Override], configs: Configs) -> None:
    """Choices for a stage must be for one that there is: Hydra would make it."""
    stages = {split_stage(f"{group.package or ''}.")[0] for group in groups} - {None}
    if stages:
        plain = [choose(group, list_values(group)[0]) for group in groups if group.package is None]
        known = list(configs.compose(plain).get("stages", {}))
        for stage in sorted(map(str, stages)):
            if stage not in known:
                raise NetgazeError(f"There is no stage {stage}{write_with(' '.join(plain))}.{suggest(stage, known)}")


def _check_choice(override: Override, choice: Any, configs: Configs) -> None:
    group, known = override.key_or_group, configs.list_options(override.key_or_group)
    if override.is_delete():
        return
    if group not in configs.defaults and override.package is None:
        raise NetgazeError(
            f"{override.input_line}: {configs.name} takes no {group}. Choose from {', '.join(configs.defaults)}."
        )
    if choice is None and configs.needs(group):
        raise NetgazeError(f"{group}=null: a run needs one. Choose from {', '.join(known)}.")
    if isinstance(choice, dict):
        raise NetgazeError(f"{override.input_line}: choose {group}=<name>, and type its keys as {group}.<key>=<value>.")
    if isinstance(choice, list) and not configs.takes_many(group):
        raise NetgazeError(f"{override.input_line}: choose one {group}, from {', '.join(known)}.")
    for name in _make_list(choice):
        if str(name) not in known and (name is not None or isinstance(choice, list)):
            answer_old(f"{group}={name}")
            raise NetgazeError(
                f"There is no {group}={name}.{suggest(str(name), known)} Choose from {', '.join(known)}."
            )
