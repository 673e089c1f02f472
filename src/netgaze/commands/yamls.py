"""Reads a YAML's comment, and its keys with values and comments."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is there nearly everywhere
_HEADER = re.compile(r"(?:#.*\n)*")


@dataclass(frozen=True)
class Key:
    """A key of a config.

    Attributes:
        path: as it is typed, `optim.lr`.
        value: as it stands in the file.
        said: the comment beside it or above it; empty where there is none.
    """

    path: str
    value: str
    said: str = ""


@dataclass(frozen=True)
class Yaml:
    """One file of a folder of configs.

    Attributes:
        group: of its folder, `task`; empty for a primary config.
        text: all of it.
    """

    group: str
    text: str

    @classmethod
    def read(cls, path: Path, group: str) -> "Yaml":
        """The file at a path."""
        return cls(group, path.read_text(encoding="utf-8"))

    @property
    def comment(self) -> list[str]:
        """The lines of comment at its head, without their marks; the first says what it is."""
        lines = _header(self.text).splitlines()
        return [line.removeprefix("#").removeprefix(" ") for line in lines if not line.startswith("# @package")]

    @property
    def defaults(self) -> list[Any]:
        """What it is made of: names of files, and choices by group."""
        return list((yaml.load(self.text, _Loader) or {}).get("defaults", []))

    def list_keys(self) -> list[Key]:
        """Its keys at any depth, but for `defaults`."""
        found = re.match(r"# @package (\S+)", self.text)
        package = found[1] if found else self.group.replace("/", ".")
        start = "" if package in ("", "_global_") else f"{package}."
        return [key for key in self._walk(self._root, start) if not key.path.startswith(f"{start}defaults")]

    def list_groups(self) -> dict[str, str]:
        """The groups that its `defaults` choose from, with what is said beside them."""
        listed = next(value for key, value in self._root.value if key.value == "defaults")
        pairs = [pair for item in listed.value if isinstance(item, yaml.MappingNode) for pair in item.value]
        return {key.value: self._find_comment(key, value) for key, value in pairs if " " not in key.value}

    @property
    def _root(self) -> Any:
        return yaml.compose(self.text, _Loader)

    def _walk(self, node: Any, start: str) -> Iterator[Key]:
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(value, yaml.MappingNode) and not value.flow_style:
                yield from self._walk(value, f"{start}{key.value}.")
            else:
                yield Key(f"{start}{key.value}", self._write(value), self._find_comment(key, value))

    def _write(self, node: Any) -> str:
        if isinstance(node, yaml.SequenceNode) and not node.flow_style:
            return f"[{', '.join(map(self._write, node.value))}]"
        return re.sub(r"\s+", " ", self.text[node.start_mark.index : node.end_mark.index]).strip()

    def _find_comment(self, key: Any, value: Any) -> str:
        """What stands behind a value on its line, else right above its key."""
        beside = self.text[value.end_mark.index :].partition("\n")[0].strip()
        if beside.startswith("#"):
            return beside.removeprefix("#").strip()
        above = list[str]()
        head = len(_header(self.text).splitlines())
        for line in reversed(self.text.splitlines()[head : key.start_mark.line]):
            if not line.strip().startswith("#"):
                break
            above.insert(0, line.strip().removeprefix("#").strip())
        return " ".join(above)


def merge_keys(own: list[Key], shared: list[Key]) -> list[Key]:
    """Keys of a file before those that it shares with others; its values count, and what only the others say of one."""
    said: Mapping[str, str] = {key.path: key.said for key in shared}
    paths = {key.path for key in own}
    kept = [Key(key.path, key.value, key.said or said.get(key.path, "")) for key in own]
    return [*kept, *(key for key in shared if key.path not in paths)]


def _header(text: str) -> str:
    """The lines of comment with which a file begins."""
    found = _HEADER.match(text)
    return found[0] if found else ""
