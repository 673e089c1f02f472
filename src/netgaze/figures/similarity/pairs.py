"""The similarity of two networks: measured once, cached, and put into sentences."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import torch

from netgaze.figure import Finding
from netgaze.files import cached_arrays, digest
from netgaze.measures.similarity import LayerProducts, calibrate, find_chance, permute_within, share_neighbors
from netgaze.subject import Subject

_GROUPS = 10  # of images, whose scatter gives the standard error of a CKA
_ALIKE, _UNLIKE = 0.9, 0.75  # shares of the ceiling: from 0.9 on stages are nearly as similar, up to 0.75 they are less
_SURE = 2.0  # standard errors
_ARE = {True: "nearly as similar as", False: "less similar than"}


@dataclass(frozen=True)
class Pair:
    """Two networks on the same images.

    Attributes:
        stages: names of the first one's stages [L].
        other_stages: of the second one's [M].
        cka: debiased linear CKA of each pair of stages, [L,M].
        chance: its 95% quantile over permutations, [L,M].
        above_chance: calibrated, see `measures.similarity.calibrate`, [L,M].
        error: standard error of the CKA, [L,M].
        shared: mutual kNN of the last features, 0..1, [].
        shared_above_chance: calibrated by permutations within classes, [].
        shared_error: its standard error, [].
        is_repeat: whether both differ only in their seeds, [].
    """

    stages: np.ndarray
    other_stages: np.ndarray
    cka: np.ndarray
    chance: np.ndarray
    above_chance: np.ndarray
    error: np.ndarray
    shared: np.ndarray
    shared_above_chance: np.ndarray
    shared_error: np.ndarray
    is_repeat: np.ndarray

    @classmethod
    def measure(cls, first: Finding, second: Finding, num: int, seed: int, is_repeat: bool) -> "Pair":
        """From two findings, with `num` permutations by the seed; cached results are read back."""

        def make() -> dict[str, np.ndarray]:
            return _compare_stages(first, second, num, seed) | _compare_neighbors(first, second, num, seed)

        key = digest("similarity", _identify(first), _identify(second), num, seed)
        named = {"stages": first.arrays["stages"], "other_stages": second.arrays["stages"]}
        return cls(**named, **cached_arrays("findings", key, make), is_repeat=np.array(is_repeat))

    def as_arrays(self, other: str) -> dict[str, np.ndarray]:
        """For the finding of the first network, by the second one's label."""
        return {f"{name} with {other}": values for name, values in asdict(self).items()}


def list_pairs(findings: Mapping[str, Finding], subjects: Mapping[str, Subject]) -> list[tuple[str, str]]:
    """Pairs that saw the same images: each network with those after it, then with every distinct control."""
    networks = [label for label in findings if not subjects[label].control]
    controls = {_identify(findings[label]): label for label in reversed(list(findings)) if subjects[label].control}
    pairs = [(first, second) for place, first in enumerate(networks) for second in networks[place + 1 :]]
    pairs += [(network, label) for network in networks for label in reversed(list(controls.values()))]
    return [(first, second) for first, second in pairs if _saw_the_same(findings[first], findings[second])]


def read_pairs(findings: Mapping[str, Finding]) -> dict[tuple[str, str], Pair]:
    """The pairs stored in findings, by the labels of both networks."""
    pairs = {}
    for label, finding in findings.items():
        for name in finding.arrays:
            if name.startswith("cka with "):
                other = name.removeprefix("cka with ")
                fields = {key: finding.arrays[f"{key} with {other}"] for key in Pair.__annotations__}
                pairs[label, other] = Pair(**fields)
    return pairs


def describe_pairs(pairs: Mapping[tuple[str, str], Pair]) -> list[str]:
    """Sentences on the networks among these pairs, if the result is beyond chance."""
    ceilings = [pair for pair in pairs.values() if pair.is_repeat]
    sentences = []
    for (first, second), pair in pairs.items():
        if not pair.is_repeat and (said := _describe(pair, ceilings[0] if ceilings else None)):
            sentences.append(f"{first} and {second}: {said}.")
    return sentences


def _describe(pair: Pair, ceiling: Pair | None) -> str:
    """How similar the first and the last stages are; empty if nothing is beyond chance."""
    if ceiling is None or ceiling.cka.shape != pair.cka.shape:
        apart, error = _place(pair, 0)[0] - _place(pair, -1)[0], np.hypot(_place(pair, 0)[1], _place(pair, -1)[1])
        if abs(apart) <= max(_SURE * error, 0.1):
            return ""
        more, less = ("first", "last") if apart > 0 else ("last", "first")
        values = [f"{_place(pair, place)[0]:.2f}" for place in ((0, -1) if apart > 0 else (-1, 0))]
        return f"the {more} stages are more similar than the {less} ones (CKA above chance {values[0]} and {values[1]})"
    said = {name: _hold_against(pair, ceiling, place) for name, place in (("first", 0), ("last", -1))}
    kept = [(name, *found) for name, found in said.items() if found]
    if len(kept) == 2 and kept[0][1] == kept[1][1]:
        numbers = f"{kept[0][2]} and {kept[1][2]}"
        return f"first and last stages are {_ARE[kept[0][1]]} those of two seeds (CKA {numbers})"
    sentences = [
        f"the {name} stages are {_ARE[alike]} those of two seeds (CKA {numbers})" for name, alike, numbers in kept
    ]
    return ", ".join(sentences)


def _hold_against(pair: Pair, ceiling: Pair, place: int) -> tuple[bool, str] | None:
    """Whether a stage reaches the ceiling or stays below it, and both numbers; None if neither is beyond chance."""
    (found, error), (most, most_error) = _place(pair, place), _place(ceiling, place)
    numbers = f"{found:.2f} of {most:.2f}"
    if found - _SURE * error >= _ALIKE * (most + _SURE * most_error):
        return True, numbers
    if found + _SURE * error <= _UNLIKE * (most - _SURE * most_error):
        return False, numbers
    return None


def _place(pair: Pair, place: int) -> tuple[float, float]:
    return float(pair.above_chance[place, place]), float(pair.error[place, place])


def _identify(finding: Finding) -> str:
    stages = [finding.arrays[f"stage {place}"] for place in range(len(finding.arrays["stages"]))]
    return digest(*stages, finding.arrays["neighbors"], finding.arrays["labels"])


def _saw_the_same(first: Finding, second: Finding) -> bool:
    return all(np.array_equal(first.arrays[name], second.arrays[name]) for name in ("images", "labels"))


def _compare_stages(first: Finding, second: Finding, num: int, seed: int) -> dict[str, np.ndarray]:
    stages = [
        [torch.from_numpy(it.arrays[f"stage {place}"]) for place in range(len(it.arrays["stages"]))]
        for it in (first, second)
    ]
    one, other = map(LayerProducts, stages)
    cka = one.compare(other).numpy()
    rng = torch.Generator().manual_seed(seed)
    orders = (torch.randperm(len(stages[0][0]), generator=rng) for _ in range(num))
    by_chance = np.stack([one.compare(other, order).numpy() for order in orders])
    groups = [
        LayerProducts([rows[group::_GROUPS] for rows in stages[0]])
        .compare(LayerProducts([rows[group::_GROUPS] for rows in stages[1]]))
        .numpy()
        for group in range(_GROUPS)
        if len(stages[0][0]) >= 4 * _GROUPS
    ]
    error = np.std(groups, axis=0, ddof=1) / len(groups) ** 0.5 if groups else np.full_like(cka, np.nan)
    return {"cka": cka, "chance": find_chance(by_chance), "above_chance": calibrate(cka, by_chance), "error": error}


def _compare_neighbors(first: Finding, second: Finding, num: int, seed: int) -> dict[str, np.ndarray]:
    near, labels = [it.arrays["neighbors"].astype(np.int64) for it in (first, second)], first.arrays["labels"]
    shared = np.array([len(np.intersect1d(*each)) for each in zip(*near, strict=True)]) / near[0].shape[1]
    rng = np.random.default_rng(seed)
    by_chance = np.array([share_neighbors(near[0], near[1], permute_within(labels, rng)) for _ in range(num)])
    return {
        "shared": np.array(share_neighbors(*near)),
        "shared_above_chance": calibrate(np.array(share_neighbors(*near)), by_chance),
        "shared_error": np.array(shared.std(ddof=1) / len(shared) ** 0.5),
    }
