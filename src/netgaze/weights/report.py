"""The report of loaded, skipped and new weights, for the log and run.json."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from netgaze.weights.first_bytes import CONVERT
from netgaze.weights.names import COUNTER, Match
from netgaze.weights.nests import Found

_MAX_LINES = 30
_MAX_LETTERS = 120
_MAX_NAMED = 4


@dataclass(frozen=True)
class Loaded:
    """What `load_weights` did, by parameter and buffer name.

    Attributes:
        source: the file or run.
        loaded: own names.
        skipped: why, by the file's names.
        new: own names.
        place: where in the file the weights were: nests and prefixes, with dots; "" for its outermost level.
        notes: what was done to make them fit.
        random_share: of the backbone's numbers those that were not loaded, 0..1.
    """

    source: str
    loaded: list[str]
    skipped: dict[str, str]
    new: list[str]
    place: str = ""
    notes: list[str] = field(default_factory=list)
    random_share: float = 0.0

    def __str__(self) -> str:
        lines = [
            f"init={self.source}: {len(self.loaded)} tensors loaded, {len(self.skipped)} skipped, {len(self.new)} new"
        ]
        lines += [f"  {note}" for note in self.notes]
        lines += [f"  loaded   {layer}" for layer in _by_layer(dict.fromkeys(self.loaded, ""))]
        lines += [f"  skipped  {layer}" for layer in _by_layer(self.skipped)]
        lines += [f"  new      {layer}" for layer in _by_layer(dict.fromkeys(self.new, ""))]
        return "\n".join(lines)


def _by_layer(tensors: Mapping[str, str]) -> list[str]:
    """Tensors of one outermost layer with one remark on one line: "layer2 (15 tensors): this network has none"."""
    groups: dict[tuple[str, str], list[str]] = {}
    for name, remark in tensors.items():
        groups.setdefault((name.partition(".")[0], remark), []).append(name)
    lines = [
        (names[0] if len(names) == 1 else f"{layer} ({len(names)} tensors)")[:_MAX_LETTERS] + (remark and f": {remark}")
        for (layer, remark), names in groups.items()
    ]
    return lines if len(lines) <= _MAX_LINES else [*lines[:_MAX_LINES], f"... and {len(lines) - _MAX_LINES} more"]


def measure_random(own: Mapping[str, Tensor], new: Collection[str], head_layers: Sequence[str]) -> tuple[float, str]:
    """How much of a network's backbone stayed random.

    Args:
        own: the network's tensors.
        new: the names of those that were not loaded.
        head_layers: its modules that are no backbone, by name.

    Returns:
        The share of the backbone's numbers, 0..1, and a sentence about it, "" where the share is 0.
    """
    backbone = {
        name: value.numel()
        for name, value in own.items()
        if not name.startswith(tuple(f"{layer}." for layer in head_layers)) and not name.endswith(COUNTER)
    }
    missing = {name: num for name, num in backbone.items() if name in set(new)}
    if not missing:
        return 0.0, ""
    share = sum(missing.values()) / sum(backbone.values())
    percent = f"{share:.1%}".replace("%", " %") if share >= 0.001 else "less than 0.1 %"
    layers = list(dict.fromkeys(name.rpartition(".")[0] or name for name in missing))
    more = f" and {len(layers) - _MAX_NAMED} more" if len(layers) > _MAX_NAMED else ""
    said = (
        f"{percent} of the backbone's numbers stay random ({sum(missing.values()):,} of {sum(backbone.values()):,}): "
        f"there is nothing of the right name and shape for {', '.join(layers[:_MAX_NAMED])}{more}."
    )
    return share, said


def describe_place(match: Match, nest: str) -> list[str]:
    """What was found around the names, and that some are spelled otherwise."""
    said = [f"taken from {nest[:-1]}"] if nest else []
    said += [f"prefix {match.place.removeprefix(nest)} taken off"] if match.place != nest else []
    bare = {
        path.removeprefix(match.place if path.startswith(match.place) else nest): own
        for path, own in match.names.items()
    }
    other = [(theirs, own) for theirs, own in bare.items() if theirs != own]
    return said + [f"{len(other)} names read as others, such as {theirs} as {own}" for theirs, own in other[:1]]


def describe_others(source: str, chosen: Match, others: Sequence[Match]) -> str:
    """That there are several sets of weights, which was taken, and how to take another."""
    places = [match.place[:-1] or "the file's outermost level" for match in (chosen, *others)]
    more = f" and {len(places) - 5} more" if len(places) > 5 else ""
    other = next((match.place[:-1] for match in others if match.place), "")
    advice = f" Type init.key={other} to take that instead." if other else ""
    return (
        f"init={source} holds {len(places)} sets of weights that fit equally well. Taken: {places[0]}. Not taken: "
        f"{', '.join(places[1:5])}{more}.{advice}"
    )


def explain_no_fit(found: Found, own: Mapping[str, Tensor]) -> str:
    """Why nothing was loaded, with an example of either side."""
    if not found.tensors:
        return f"no tensor is in it. {CONVERT}."
    theirs, stored = next(iter(found.tensors.items()))
    if all(each.flaw for each in found.tensors.values()):
        return f"none of its {len(found.tensors)} tensors can be used. Of {theirs[:80]}: {stored.flaw}. {CONVERT}."
    ours, value = next(iter(own.items()))
    return (
        f"none of its {len(found.tensors)} tensors fits this network by name and shape. It begins with {theirs[:80]} "
        f"{list(stored.shape)}, this network with {ours} {list(value.shape)}: choose the model that it was made for."
    )
