"""All tensors of a checkpoint by their paths, at any depth: state_dict.net.conv1.weight."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netgaze.errors import NetgazeError
from netgaze.weights.inert import Inert
from netgaze.weights.stored import Stored

MAX_TENSORS = 50_000
_MAX_NESTS = 100_000
_MAX_DEPTH = 32
_TRANSPARENT = ("_parameters", "_buffers", "_modules")  # where a pickled module keeps what its names leave out


@dataclass(frozen=True)
class Found:
    """What lies in a checkpoint.

    Attributes:
        tensors: by their paths, in the file's order.
        nests: the paths, each with a dot at its end, of mappings that hold tensors themselves; "" is the whole.
    """

    tensors: dict[str, Stored]
    nests: set[str]

    def nest_of(self, place: str) -> str:
        """The innermost of the nests around a place in the file, which is the beginning of paths."""
        return max((nest for nest in self.nests if place.startswith(nest)), key=len)


def gather_tensors(content: Any, path: Path | str) -> Found:
    """Go through all that a file holds.

    Args:
        content: as `opening.open_weights` gives it.
        path: where it is from, for a person to read.

    Raises:
        NetgazeError: it holds more than any network that is trained here.
    """
    found = Found({}, {""})
    left, seen = [("", content, 0)], set[int]()
    while left:
        place, node, depth = left.pop()
        if id(node) in seen:  # what lies at two places counts at the first; nests may contain each other
            continue
        seen.add(id(node))
        inner = list[tuple[str, Any, int]]()
        for key, value in _list_children(node):
            if isinstance(value, Stored):
                found.tensors.setdefault(place + key, value)
                if isinstance(node, dict):
                    found.nests.add(place)
            elif isinstance(value, dict | list | tuple | Inert) and depth < _MAX_DEPTH:
                inner.append((place if key in _TRANSPARENT else f"{place}{key}.", value, depth + 1))
        left += reversed(inner)
        if len(found.tensors) > MAX_TENSORS or len(seen) + len(left) > _MAX_NESTS:
            raise NetgazeError(f"{path} contains more tensors or nested levels than any network of this project.")
    return found


def _list_children(node: Any) -> Iterator[tuple[str, Any]]:
    """What lies in a nest, by name."""
    if isinstance(node, dict):
        yield from node.items()
    elif isinstance(node, list | tuple):
        yield from ((str(place), value) for place, value in enumerate(node))
    elif isinstance(node, Inert):
        for part in node.state if isinstance(node.state, tuple) else (node.state,):
            yield from part.items() if isinstance(part, dict) else ()
        yield from node.items.items()
        yield from _list_children(node.values)
        yield from _list_children(node.args)
