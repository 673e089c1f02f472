"""Matches a file's tensors to a network's by name, with any prefix or spelling."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

Shape = tuple[int, ...]
Fits = Callable[[str, Shape], bool]

_HEAD = "(head)."
COUNTER = "num_batches_tracked"  # fits everywhere, and is no knowledge: older files lack it
_HEADS = r"^(fc|linear|classifier|head|head\.fc|last_linear|logits|classifier\.1)\.(?=(weight|bias)$)"
# Other spellings of one name, as a pattern and ours; both sides are spelled anew, so the order of the two is free.
_SPELLINGS: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"\b(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.", ""),  # of torch.compile and of sharding
    # The ResNets of transformers.
    (r"\bembedder\.embedder\.convolution\b", "conv1"),
    (r"\bembedder\.embedder\.normalization\b", "bn1"),
    (r"\bencoder\.stages\.(\d+)\.layers\.", lambda found: f"layer{int(found[1][:4]) + 1}."),
    (r"\blayer\.(\d+)\.convolution\b", lambda found: f"conv{int(found[1][:4]) + 1}"),
    (r"\blayer\.(\d+)\.normalization\b", lambda found: f"bn{int(found[1][:4]) + 1}"),
    (r"\bshortcut\.convolution\b", "downsample.0"),
    (r"\bshortcut\.normalization\b", "downsample.1"),
    (r"\bshortcut\b", "downsample"),  # of kuangliu's ResNets, and of many courses
    (r"\b(batch_?)?norm(?=\d\b)", "bn"),
    (r"\bgamma$", "weight"),
    (r"\bbeta$", "bias"),
    (r"\bmoving_mean$", "running_mean"),
    (r"\bmoving_var(iance)?$", "running_var"),
)
_MAX_PARTS = 24  # of a name
_MAX_TRIED = 200  # places that are tried to the end


@dataclass(frozen=True)
class Match:
    """How the names of a file go with those of a network.

    Attributes:
        place: what stands before the names in the file: nests and prefixes.
        names: own names by the file's paths; of equal names, but not always of equal shapes.
        num_fit: how many of those at the place, not beside it, have the right shape, too.
        num_equal: how many are spelled as the network spells them.
    """

    place: str
    names: dict[str, str]
    num_fit: int
    num_equal: int


def match_names(
    found: Mapping[str, Shape], own: Sequence[str], fits: Fits, nest_of: Callable[[str], str], last_layer: str = "fc"
) -> list[Match]:
    """The places of a file whose tensors fit a network, those first of which more fit.

    Args:
        found: shapes by the paths in the file.
        own: the network's names, in its order.
        fits: whether a tensor of a shape can be put where an own name says.
        nest_of: the nest around a place in the file.
        last_layer: the network's last layer, which has many names.
    """
    matches: dict[str, Match] = {}
    for scheme in _list_schemes(own):
        keys, counts = _Keys(scheme, last_layer), Counter[str]()
        known: dict[str, dict[str, str]] = {}  # by place the paths there whose rest is a name
        for path, shape in found.items():
            for place, name in _split(path):
                if (to := keys.find(name)) is not None:
                    known.setdefault(place, {})[path] = name
                    counts[place] += fits(to, shape)
        for place, _ in counts.most_common(_MAX_TRIED):
            _keep_best(matches, _pair(found, place, known[place], known.get(nest_of(place), {}), keys, fits))
        for place, names in _number_children(found, scheme):
            match = _pair(found, place, known.get(place, {}) | names, known.get(nest_of(place), {}), keys, fits)
            if 2 * match.num_fit > sum(not name.endswith(COUNTER) for name in names):  # a few fit by chance
                _keep_best(matches, match)
    return sorted((match for match in matches.values() if match.num_fit), key=lambda match: -match.num_fit)


def _keep_best(matches: dict[str, Match], match: Match) -> None:
    known = matches.get(match.place)
    if known is None or (match.num_fit, match.num_equal) > (known.num_fit, known.num_equal):
        matches[match.place] = match


def _list_schemes(own: Sequence[str]) -> list[dict[str, str]]:
    """Own names by what a file may call them: as they are, and without what stands before most of them."""
    counts = Counter(place for name in own for place, _ in _split(name) if place)
    common = [place for place, num in counts.items() if 2 * num > len(own)]
    bare = [{name.removeprefix(place): name for name in own} for place in common]
    return [{name: name for name in own}, *(scheme for scheme in bare if len(scheme) == len(own))]


class _Keys:
    """Own names by what a file may call them: as a scheme has it, or spelled in one way, where one is left so."""

    def __init__(self, scheme: Mapping[str, str], last_layer: str):
        self.exact = dict(scheme)
        head = f"{last_layer}."
        keys = {
            own: own.replace(head, _HEAD, 1) if own.startswith(head) else spell(name) for name, own in scheme.items()
        }
        self.spelled = _single(keys)

    def find(self, name: str) -> str | None:
        """The own name for a name of a file."""
        return self.exact.get(name) or self.spelled.get(spell_theirs(name))


@lru_cache(maxsize=20_000)
def spell(name: str) -> str:
    """A name in the one spelling of all that mean the same; small letters."""
    name = name.lower()
    for pattern, ours in _SPELLINGS:
        name = re.sub(pattern, ours, name)
    return name


def spell_theirs(name: str) -> str:
    """The same for a file's name, which may be one of those for the last layer."""
    return re.sub(_HEADS, _HEAD, spell(name))


def _pair(
    found: Mapping[str, Shape],
    place: str,
    names: Mapping[str, str],
    around: Mapping[str, str],
    keys: _Keys,
    fits: Fits,
) -> Match:
    """Own names for what lies at a place, and beside it in the same nest; no name twice, and none by guessing.

    Args:
        found: shapes by the paths in the file.
        place: what stands before the names.
        names: by the paths at the place, without it.
        around: names by the paths in its nest, without that.
        keys: of the network.
        fits: see `match_names`.
    """
    beside = {path: name for path, name in around.items() if not path.startswith(place)}
    ours: dict[str, str] = {}
    taken = set[str]()
    for alike, table in ((str, keys.exact), (spell_theirs, keys.spelled)):
        for group in (names, beside):
            for key, path in _single({path: alike(name) for path, name in group.items() if path not in ours}).items():
                if (own := table.get(key)) is not None and own not in taken:
                    ours[path] = own
                    taken.add(own)
    inside = [(path, own) for path, own in ours.items() if path.startswith(place) and not own.endswith(COUNTER)]
    fitting = sum(fits(own, found[path]) for path, own in inside)
    equal = sum(path.removeprefix(place) == own for path, own in inside)
    return Match(place, ours, fitting, equal)


def _number_children(found: Mapping[str, Shape], scheme: Iterable[str]) -> list[tuple[str, dict[str, str]]]:
    """Places whose children are numbered, as those of a Sequential, with names as if they were the network's in order.

    A number is left out where a layer has no weights, so that order counts, and not the number itself.
    """
    numbered: dict[str, list[tuple[int, str, str]]] = {}
    for path in found:
        for place, name in _split(path):
            number, dot, rest = name.partition(".")
            if dot and len(number) <= 4 and number.isdecimal():
                numbered.setdefault(place, []).append((int(number), rest, path))
    children = list(dict.fromkeys(name.partition(".")[0] for name in scheme))
    named = []
    for place in sorted(numbered, key=lambda place: -len(numbered[place]))[:_MAX_TRIED]:
        numbers = sorted({number for number, _, _ in numbered[place]})
        child = dict(zip(numbers, children, strict=False))
        renamed = {path: f"{child[number]}.{rest}" for number, rest, path in numbered[place] if number in child}
        named.append((place, renamed))
    return named


def _split(name: str) -> list[tuple[str, str]]:
    """A name at each of its dots: what stands before, with the dot, and what follows; first nothing, and all."""
    dots = [place + 1 for place, letter in enumerate(name) if letter == "."][:_MAX_PARTS]
    return [("", name), *((name[:dot], name[dot:]) for dot in dots)]


def _single(keys: Mapping[str, str]) -> dict[str, str]:
    """Names by their keys, as far as no other name has the same key."""
    counts = Counter(keys.values())
    return {key: name for name, key in keys.items() if counts[key] == 1}
