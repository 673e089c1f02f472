"""Parses typed words by Hydra's grammar."""

from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, ValueType
from hydra.errors import HydraException

from netgaze.commands.configs import Configs
from netgaze.errors import NetgazeError

REMOVABLE = ("figure", "callback", "logger", "stages")  # groups whose entries may be taken away


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
                f"quotes, as in {_quote_example(word)}."
            ) from error
    return overrides


def split_stage(key: str) -> tuple[str | None, str]:
    """The stage that a key is about, and the key without it: `stages.teacher.optim.lr` -> ("teacher", "optim.lr")."""
    first, _, rest = key.lstrip("+").partition(".")
    stage, _, own = rest.partition(".")
    return (stage, own) if first == "stages" and stage else (None, key)


def check_form(override: Override, sweeps: bool, configs: Configs) -> None:
    """Whether a word has a form that can be meant.

    Raises:
        NetgazeError: it takes away what is needed, lacks a value, or has several for a group that takes one.
    """
    word, key = str(override.input_line), override.key_or_group
    if override.is_delete():
        _check_removal(override, configs)
        return
    if "=" not in word or not key:
        raise NetgazeError(f"{word} has no key or no value. Type key=value, as in optim.lr=0.1.")
    if override.package is not None and key not in configs.groups:
        raise NetgazeError(f"{word}: there is no group {key}. Type a key with dots, as in optim.lr=0.1.")
    if "/" in key:
        group, _, choice = key.partition("/")
        raise NetgazeError(f"{word}: type {group}={choice}/{get_written(override)}.")
    if (last := key.rpartition(".")[2]).startswith("_") and last != "_target_":
        raise NetgazeError(f"{word}: of the keys that begin with _, you can only type _target_.")
    if override.is_interval_sweep():
        raise NetgazeError(f"{word}: list the values, as in {key}=0.1,0.03.")
    if key in configs.groups:
        _check_group(override, sweeps, configs)


def refuse_several(override: Override, takes_lists: bool) -> None:
    """Say what to do with several values where there is no sweep.

    Raises:
        NetgazeError: always.
    """
    word, values = str(override.input_line), get_written(override)
    if takes_lists and override.value_type is ValueType.SIMPLE_CHOICE_SWEEP:
        raise NetgazeError(
            f"{word}: for several in one run, use brackets, {override.key_or_group}=[{values}]; with -m, each is a run "
            "of its own."
        )
    raise NetgazeError(f"{word} has several values. Add -m to train one run per value, one after another.")


def get_written(override: Override) -> str:
    """The value as it was typed."""
    return str(override.input_line).partition("=")[2]


def is_added(override: Override) -> bool:
    """Whether a word was typed with + or ++."""
    return override.is_add() or override.is_force_add()


def list_values(override: Override) -> list[Any]:
    """All values that an override takes in a sweep, or its one value."""
    if override.is_sweep_override() and not isinstance(override.value(), Glob):
        return [Override._convert_value(value) for value in override.sweep_iterator()]
    return [override.value()]


def choose(group: Override, choice: Any) -> str:
    """A choice as a word, with the place that it is for where it is not its own: `+model@stages.teacher.model=...`."""
    added = "+" if group.is_add() else "~" if group.is_delete() else ""
    place = group.key_or_group if group.package is None else f"{group.key_or_group}@{group.package}"
    return f"{added}{place}" if group.is_delete() else f"{added}{place}={write(choice)}"


def write(value: Any) -> str:
    """A value as it would be typed."""
    if isinstance(value, list):
        return f"[{','.join(map(write, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)


def _check_group(override: Override, sweeps: bool, configs: Configs) -> None:
    group = override.key_or_group
    if is_added(override) and override.package is None and group in configs.defaults:
        raise NetgazeError(f"{override.input_line}: type it without +, {group}={get_written(override)}.")
    if override.is_sweep_override() and not sweeps:
        refuse_several(override, takes_lists=configs.takes_many(group))


def _check_removal(override: Override, configs: Configs) -> None:
    word, key = str(override.input_line), override.key_or_group
    first, dot, _ = key.partition(".")
    if configs.takes_many(key):
        raise NetgazeError(f"{word}: for none, type {key}=[].")
    if not (first in REMOVABLE if dot else key in configs.groups and not configs.needs(key)):
        raise NetgazeError(
            f"{word}: only figures, callbacks, loggers and stages can be removed, as in ~figure.cam. Give {key} "
            "another value, or null where allowed."
        )


def _quote_example(word: str) -> str:
    key, _, value = word.partition("=")
    bare = value.replace("'", "").replace('"', "")
    return f"\"{key}='{bare}'\"" if key and bare and len(value) < 60 else "\"name='a (b)'\""
