"""The words on maps that were tested: the meanings of the numbers, the caption, and the lines below plots."""

from collections.abc import Mapping
from typing import Any, Literal

from netgaze.glossary import Glossary, Meaning

_AREAS: dict[str, tuple[str, Literal["lower", "higher"]]] = {
    "deletion": (
        "Mean probability of the true class while pixels are replaced by the mean color, the map's highest first "
        "(Petsiuk et al. 2018): with a faithful map it falls early.",
        "lower",
    ),
    "insertion": (
        "Mean probability while pixels are put back into an image of the mean color, the map's highest first.",
        "higher",
    ),
}
_ENDS = {"low": "lower bound", "high": "upper bound"}
_RANDOM = {"head": "random head", "all": "all layers random", "others": "another image"}

FAITHFULNESS = Glossary(
    {
        "drop": Meaning(
            "probability lost without the top pixels",
            "Mean fall of the true class's probability when the pixels of highest evidence (20% unless set otherwise) "
            "are replaced by the mean color: a faithful map loses more than a noise map.",
            "%",
            "higher",
        ),
        "drop_random": Meaning(
            "probability lost without a noise map's top pixels",
            "The same for noise maps as coarse as the map, so that the holes have the same shapes (single random "
            "pixels would blur every edge and cost more than any map).",
            "%",
        ),
    }
    | {
        f"{kind}_area": Meaning(f"area under the {kind} curve", says, "%", better)
        for kind, (says, better) in _AREAS.items()
    }
    | {
        f"{kind}_area_random": Meaning(
            f"area under the {kind} curve, noise map", "For noise maps as coarse as the map: holes of one shape.", "%"
        )
        for kind in _AREAS
    }
    | {
        f"{kind}_gain": Meaning(
            f"advantage over noise, {kind}",
            "By how much the map's area is better than the noise map's, mean over the same images: 0 where the map is "
            "no better than holes of its coarseness.",
            "%",
            "higher",
        )
        for kind in _AREAS
    }
    | {
        f"{kind}_gain_{end}": Meaning(f"advantage over noise, {kind}, {words}", "Of the 95% bootstrap interval.", "%")
        for kind in _AREAS
        for end, words in _ENDS.items()
    }
    | {
        "num_dropped": Meaning("images with pixels replaced", "Number of images behind the drops and areas."),
        "spearman_head": Meaning(
            f"rank correlation, {_RANDOM['head']}",
            "Mean Spearman correlation of an image's map with its map after the network's head is randomized (Adebayo "
            "et al. 2018).",
        ),
        "spearman_all": Meaning(
            f"rank correlation, {_RANDOM['all']}",
            "The same with all layers randomized: a map that does not change does not show what was learned.",
            "",
            "lower",
        ),
        "spearman_others": Meaning(
            f"rank correlation, {_RANDOM['others']}", "Of each map with another image's map: what all maps share."
        ),
    }
    | {
        f"spearman_abs_{end}": Meaning(f"rank correlation of absolute maps, {words}", "The same of absolute values.")
        for end, words in _RANDOM.items()
    }
    | {"num_randomized": Meaning("images with random layers", "Number of images behind the rank correlations.")}
)
TRIAL_CAPTION = (
    "Below: the probability of the true class while pixels are replaced by the mean color in the map's order "
    "(deletion) or put back (insertion), beside noise maps of the same coarseness; then the rank correlation of maps "
    "with those of the network while its stages are randomized from last to first, and with another image's map. The "
    "numbers are the advantages over noise with 95% intervals, and the last correlation."
)


def describe_trial(numbers: Mapping[str, Any]) -> str:
    """The numbers of a trial in lines: advantages over noise in points with intervals, and the last correlation."""
    lines = ["points better than noise:", *(_describe_gain(kind, numbers) for kind in ("deletion", "insertion"))]
    lines += [f"all layers random {numbers['spearman_all']:z.2f} (another image {numbers['spearman_others']:z.2f})"]
    return "\n".join(lines)


def _describe_gain(kind: str, numbers: Mapping[str, Any]) -> str:
    gain, low, high = (100 * numbers[f"{kind}_gain{end}"] for end in ("", "_low", "_high"))
    return f"{kind} {gain:+z.1f} ({low:z.1f} to {high:z.1f})"
