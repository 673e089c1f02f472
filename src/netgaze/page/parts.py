"""What a figure hands to the page one can click in, and how arrays travel there."""

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from netgaze.files import read_json, write_json
from netgaze.text import show

SUFFIX = ".explore.json"  # beside a figure's picture
VERSION = 1  # of the block of JSON: see docs/explorer.md
_MOST_BYTES = 2**28  # of the parts of one figure


class Explored(TypedDict, total=False):
    """Of one network: JSON values and NumPy arrays by name, nested as in the block; see docs/explorer.md.

    Attributes:
        set: which images: networks of the same ones stand side by side.
        images: what is known of these images whatever network looks at them.
        network: the network's column.
        run: what belongs to its run: `series` over epochs.
    """

    set: str
    images: dict[str, Any]
    network: dict[str, Any]
    run: dict[str, Any]


def encode(content: Any) -> Any:
    """The same with each array as `{"dtype", "shape", "base64"}`, little-endian."""
    if isinstance(content, np.ndarray):
        little = np.ascontiguousarray(content.astype(content.dtype.newbyteorder("<"), copy=False))
        return {
            "dtype": content.dtype.name,
            "shape": list(content.shape),
            "base64": base64.b64encode(little.tobytes()).decode(),
        }
    if isinstance(content, Mapping):
        return {show(name): encode(value) for name, value in content.items()}
    if isinstance(content, list):
        return [encode(value) for value in content]
    return show(content) if isinstance(content, str) else content


def gather(parts: Mapping[str, Explored], controls: Iterable[str]) -> dict[str, Any]:
    """What a figure handed over, by the networks' labels, as JSON; with which of these are controls."""
    return {"controls": sorted(controls), "parts": encode(parts)}


def write_parts(stem: Path, parts: Mapping[str, Explored], controls: Iterable[str]) -> None:
    """Write what a figure handed over to `<stem>.explore.json`, if there is anything."""
    if any(parts.values()):
        write_json(_locate(stem), gather(parts, controls))


def read_parts(folder: Path, figures: Iterable[str]) -> list[dict[str, Any]]:
    """What those figures that handed something over left in the folder of pictures, in order."""
    paths = [_locate(folder / name) for name in figures]
    return [read_json(path, _MOST_BYTES) for path in paths if path.exists()]


def assemble(
    gathered: Iterable[dict[str, Any]], settings: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, Any] | None:
    """The block of JSON of all that figures handed over; None where there are no images in it.

    Args:
        gathered: from `gather` or `read_parts`.
        settings: of each run by its label, those in which they differ.
    """
    sets: dict[str, dict[str, Any]] = {}
    networks: dict[str, dict[str, Any]] = {}
    runs: dict[str, dict[str, Any]] = {label: {"settings": dict(own)} for label, own in (settings or {}).items()}
    where: dict[str, str] = {}
    for content in gathered:
        for label, part in content["parts"].items():
            network, is_control = networks.setdefault(label, {}), label in content["controls"]
            if "set" in part:
                where[label], network["control"] = part["set"], is_control
                sets.setdefault(part["set"], {}).update(part["images"])
            _merge(network, part.get("network", {}))
            if not is_control:
                _merge(runs.setdefault(label, {}), part.get("run", {}))
    if not sets:
        return None
    for key, own in sets.items():
        own["networks"] = [{"label": label} | networks[label] for label, its in where.items() if its == key]
    told = [{"label": label} | run for label, run in runs.items() if any(run.values())]
    return {"version": VERSION, "sets": list(sets.values()), "runs": told}


def _locate(stem: Path) -> Path:
    return stem.with_name(stem.name + SUFFIX)


def _merge(own: dict[str, Any], new: Mapping[str, Any]) -> None:
    """Take up new entries; of nested ones those of both."""
    for name, value in new.items():
        if isinstance(value, dict) and isinstance(own.get(name), dict) and "base64" not in value:
            _merge(own[name], value)
        else:
            own[name] = value
