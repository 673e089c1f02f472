"""What is said of maps that were put to the test: the meanings of the numbers, the caption, and lines below plots."""

from collections.abc import Mapping
from typing import Any, Literal

from netgaze.glossary import Glossary, Meaning

_NOISE = " by maps of noise of the same size before they are enlarged"
_AREAS: dict[str, tuple[str, Literal["lower", "higher"]]] = {
    "deletion": (
        "Mean probability of the true class while the map's pixels are replaced by the mean color, the highest first "
        "(Petsiuk et al. 2018): a faithful map makes it fall early.",
        "lower",
    ),
    "insertion": ("The same while they are put back into an image of the mean color, the highest first.", "higher"),
}
_ENDS = {"low": "lower end", "high": "upper end"}

FAITHFULNESS = Glossary(
    {
        "drop": Meaning(
            "drop without the map's pixels",
            "Mean fall of the true class's probability when the most activated pixels are replaced by the mean "
            "image value: a map that says something drops more than noise.",
            "%",
            "higher",
        ),
        "drop_random": Meaning(
            "drop without a noise map's pixels",
            "The same for the top pixels of maps of noise of the same size, so that the holes have the same "
            "shapes (single random pixels would blur every edge and hurt more than any map).",
            "%",
        ),
    }
    | {f"{kind}_area": Meaning(f"area under {kind}", says, "%", better) for kind, (says, better) in _AREAS.items()}
    | {
        f"{kind}_area_random": Meaning(f"area under {kind}, noise", f"The same{_NOISE}: holes of the same shapes.", "%")
        for kind in _AREAS
    }
    | {
        f"{kind}_gain": Meaning(
            f"advantage over noise in {kind}",
            "By how much the map's area is better than that of noise, the mean of the same images: at 0 the map says "
            "no more than holes of its coarseness.",
            "%",
            "higher",
        )
        for kind in _AREAS
    }
    | {
        f"{kind}_gain_{end}": Meaning(f"{words} of the advantage in {kind}", "Of its 95 % bootstrap interval.", "%")
        for kind in _AREAS
        for end, words in _ENDS.items()
    }
    | {
        "num_dropped": Meaning("images with pixels replaced", "Of how many the drops and areas are."),
        "spearman_head": Meaning(
            "rank correlation, head random",
            "Mean Spearman correlation of an image's map with that of the same network whose head is drawn anew "
            "(Adebayo et al. 2018).",
        ),
        "spearman_all": Meaning(
            "rank correlation, all random",
            "The same once all layers are drawn anew: a map that stays as it was does not tell what was learned.",
            "",
            "lower",
        ),
        "spearman_others": Meaning(
            "rank correlation of two images", "Of each map with that of another image: what all maps have in common."
        ),
        "spearman_abs_head": Meaning("rank correlation of strengths, head random", "The same of absolute values."),
        "spearman_abs_all": Meaning("rank correlation of strengths, all random", "The same of absolute values."),
        "spearman_abs_others": Meaning("rank correlation of strengths of two images", "The same of absolute values."),
        "num_randomized": Meaning("images with layers drawn anew", "Of how many the rank correlations are."),
    }
)
TRIAL_CAPTION = (
    "Below, the probability of the true class while pixels are replaced by the mean color in a map's order (deletion), "
    "and while they are put back (insertion), beside maps of noise as coarse; then the rank correlation of maps with "
    "those of the network whose stages are drawn anew, from the last to the first, and with those of other images. The "
    "words say by how much areas are better than noise's, with 95 % intervals, and what correlation is left at the end."
)


def describe_trial(numbers: Mapping[str, Any]) -> str:
    """The numbers of a trial in lines: advantages over noise with their intervals, and the last correlation."""
    lines = [_describe_gain(kind, numbers) for kind in ("deletion", "insertion")]
    lines += [f"all random {numbers['spearman_all']:z.2f} (other images {numbers['spearman_others']:z.2f})"]
    return "\n".join(lines)


def _describe_gain(kind: str, numbers: Mapping[str, Any]) -> str:
    gain, low, high = (numbers[f"{kind}_gain{end}"] for end in ("", "_low", "_high"))
    return f"{kind} {gain:+z.2f} ({low:z.2f} to {high:z.2f})"
