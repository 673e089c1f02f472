"""The words above a matrix of `Confusion`: accuracies, the most confused pairs, the best and the worst classes."""

from collections.abc import Mapping, Sequence

import numpy as np

from netgaze.drawing.panels import MOST_NAMES, TEXT
from netgaze.drawing.words import measure_cell, shorten
from netgaze.figure import Finding
from netgaze.glossary import Glossary, format_named
from netgaze.text import format_percent

_NUM_PAIRS, _NUM_ENDS = 3, 2  # above the matrix: pairs, and the best and the worst of many classes


def list_most_confused(arrays: Mapping[str, np.ndarray], num: int) -> list[tuple[str, str, float]]:
    """The `num` most confused pairs: class, predicted class, and the share of the class's examples."""
    worst = arrays["worst"][:num]
    names, shares = arrays["names"][arrays["pairs"][worst]], _share_pairs(arrays)[worst]
    return [(str(name), str(answer), float(share)) for (name, answer), share in zip(names, shares, strict=True)]


def _share_pairs(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """The share of its class's examples that each pair makes up, [P]."""
    return arrays["pair_counts"] / arrays["examples"][arrays["pairs"][:, 0]]


def describe_confusions(finding: Finding, width: float, glossary: Glossary) -> str:
    """Lines of a width in inches, from a finding of `Confusion`, whose numbers the glossary explains."""
    numbers, arrays = finding.numbers, finding.arrays
    shown = {name: format_named(numbers, name, glossary) for name in ("acc", "acc_macro", "top5", "ece")}
    top5 = f"top-5 {shown['top5']}, " if "top5" in numbers else ""
    lines = [f"accuracy {shown['acc']}, class mean {shown['acc_macro']}", f"{top5}calibration error {shown['ece']}"]
    shares = _share_pairs(arrays)[arrays["worst"]]
    lines += [_describe_pair(*pair, width) for pair in list_most_confused(arrays, _NUM_PAIRS)]
    lines += _count_alike(shares.tolist(), _NUM_PAIRS)
    known = [(share, name) for name, share in numbers["per_class_acc"].items() if share is not None]
    if len(arrays["names"]) > MOST_NAMES:
        lines += [_describe_ends("best", sorted(known, key=lambda pair: -pair[0]), width)]
        lines += [_describe_ends("worst", sorted(known, key=lambda pair: pair[0]), width)]
        lines += [f"drawn: the {len(arrays['shown'])} most confused of {len(arrays['names']):,} classes"]
    return "\n".join(lines)


def _count_alike(shares: list[float], num: int) -> list[str]:
    """How many more tie with the last one of the first `num`, which alone would look like a rank."""
    alike = shares[num:].count(shares[num - 1]) if len(shares) > num else 0
    return [f"and {alike:,} more at {format_percent(shares[num - 1])}"] if alike else []


def _describe_pair(name: str, answer: str, share: float, width: float) -> str:
    """A confusion on one line; where there is no room for all of it both names are shortened."""
    line, room = f"{format_percent(share)} of {name} as {answer}", (width - 13 * measure_cell(TEXT)) / 2
    if shorten(line, width, TEXT) == line:
        return line
    return f"{format_percent(share)} of {shorten(name, room, TEXT)} as {shorten(answer, room, TEXT)}"


def _describe_ends(kind: str, classes: Sequence[tuple[float, str]], width: float) -> str:
    """The first of classes in order, each with its accuracy, on one line."""
    alike = _count_alike([share for share, _ in classes], _NUM_ENDS)
    room = (width - 40 * measure_cell(TEXT)) / _NUM_ENDS
    named = [f"{shorten(name, room, TEXT)} {format_percent(share)}" for share, name in classes[:_NUM_ENDS]]
    return f"{kind}: " + ", ".join([*named, *alike])
