"""The choices of each group, and the keys that each choice has."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from netgaze.commands.configs import Configs
from netgaze.commands.docstrings import read_arguments
from netgaze.commands.yamls import Key, Yaml, merge_keys

LAUNCHERS = "hydra/launcher"  # the one group of Hydra's own of which netgaze has choices
_UNSHOWN = re.compile(r"(.*\.)?_\w+_|name")  # what says how a config is made, not what it is


@dataclass(frozen=True)
class Choice:
    """One file that can be chosen.

    Attributes:
        group: `task`.
        name: `siamese`.
        file: its text.
        shared: the files that it begins with, which are no choices.
    """

    group: str
    name: str
    file: Yaml
    shared: tuple[Yaml, ...]

    @property
    def summary(self) -> str:
        """What it is, in a line."""
        return next(iter(self.file.comment), "").replace("`", "")

    @property
    def others(self) -> dict[str, Any]:
        """What it chooses from other groups: `{"data": "att_faces", "figure": ["curves", "cam"]}`."""
        files = [*self.shared, self.file]
        items = [item for file in files for entry in file.defaults if isinstance(entry, dict) for item in entry.items()]
        return {re.sub(r"^override /|@.*", "", key): value for key, value in items if key.startswith("override /")}

    def list_keys(self) -> list[Key]:
        """Its keys as they are typed, with what its comments say of them, or else its constructor's documentation."""
        own = self.file.list_keys()
        for file in self.shared:
            own = merge_keys(own, file.list_keys())
        targets = {key.path.removesuffix("._target_"): key.value for key in own if key.path.endswith("._target_")}
        shown = [key for key in own if not _UNSHOWN.fullmatch(key.path)]
        return [key if key.said else replace(key, said=_document(key.path, targets)) for key in shown]


def find_choice(configs: Configs, group: str, name: str) -> Choice:
    """A choice that there is, with the files that it begins with."""
    file = _read(configs, group, name)
    return Choice(group, name, file, tuple(_list_shared(configs, file)))


def list_choices(configs: Configs, group: str) -> list[Choice]:
    """All choices of a group, by name."""
    return [find_choice(configs, group, name) for name in configs.list_options(group)]


def choose_defaults(configs: Configs) -> dict[str, Any]:
    """What is chosen of each group where nothing is typed: a default task may choose for others, too."""
    chosen = dict(configs.defaults)
    for group, names in configs.defaults.items():
        for name in _list_names(names):
            chosen |= find_choice(configs, group, name).others
    return chosen


def list_default_keys(configs: Configs) -> list[Key]:
    """The keys of a command if nothing is chosen: those of its own config, and of the choices that it makes."""
    primary = Yaml.read(configs.find_file(f"{configs.name}.yaml"), "")
    keys = [key for key in primary.list_keys() if not _UNSHOWN.fullmatch(key.path)]
    for group, names in choose_defaults(configs).items():
        for name in _list_names(names):
            keys = merge_keys(find_choice(configs, group, name).list_keys(), keys)
    return [key for key in keys if not key.path.startswith("hydra.")]


def read_group_notes(configs: Configs) -> dict[str, str]:
    """What each group of a command is for."""
    notes = Yaml.read(configs.find_file(f"{configs.name}.yaml"), "").list_groups()
    return notes | {LAUNCHERS: "where the jobs of a sweep run, instead of one after the other"}


def _list_names(chosen: Any) -> list[str]:
    return chosen if isinstance(chosen, list) else [chosen] if chosen else []


def _document(path: str, targets: Mapping[str, str]) -> str:
    """What the constructor that takes a key says of it."""
    parent, _, name = path.rpartition(".")
    return read_arguments(targets.get(parent, "")).get(name, "").replace("`", "").rstrip(".")


def _list_shared(configs: Configs, file: Yaml) -> Iterator[Yaml]:
    for entry in file.defaults:
        path = entry.partition("@")[0] if isinstance(entry, str) else "_self_"
        group, _, name = path.rpartition("/") if path.startswith("/") else (file.group, "", path)
        group = group.removeprefix("/")
        if path != "_self_" and configs.has_file(f"{group}/{name}.yaml"):  # else one of Hydra's packages has it
            yield _read(configs, group, name)


def _read(configs: Configs, group: str, name: str) -> Yaml:
    return Yaml.read(configs.find_file(f"{group}/{name}.yaml"), group)
