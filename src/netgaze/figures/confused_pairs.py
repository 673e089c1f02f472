"""Which two classes does the network confuse, and what do they look like?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Picture

from netgaze.drawing.examples import denormalize, rebuild_examples
from netgaze.drawing.panels import GRAY, RIGHT, SMALL, WIDTH, WRONG
from netgaze.drawing.rows import Row, align, lay_out, make_aside, make_head, make_text, stack
from netgaze.drawing.tiles import Tile, make_tiles
from netgaze.drawing.words import clip_words
from netgaze.figure import Figure, Finding
from netgaze.glossary import Glossary, Meaning
from netgaze.measures.confusion import PairCounts
from netgaze.subject import Subject
from netgaze.text import format_percent, format_share

_WORDS, _GAP, _MOST_TILE = 1.9, 0.25, 0.85  # inches: the words left of a pair, between its halves, a tile
# What the two halves of a pair's row show, by whether they are correct.
_HALVES = {
    False: ("first class, mistaken for the second", WRONG),
    True: ("second class, predicted correctly", RIGHT),
}


class ConfusedPairs(Figure):
    """The pairs of classes that are most often confused; A mistaken for B and B mistaken for A are two pairs.

    Pairs are ordered by the share of A's examples, then by their number, then by the classes' order. Beside each are
    the examples of A most confidently mistaken for B, and those of B most confidently predicted correctly.

    Args:
        num_pairs: at most so many pairs.
        num_each: at most so many examples of each class.
    """

    title = "Most confused pairs of classes"
    question = "Which two classes does the network confuse most, and what do they look like?"
    look_for = (
        "Compare the examples mistaken for the second class (left) with those that truly belong to it (right): what do "
        "they share, an outline, a color or a background? See also whether the confusion is as frequent the other way "
        "round."
    )
    pitfall = (
        "The examples are those with the most confident predictions, not typical ones. In classes of few examples, one "
        "or two errors make a large share, so read the counts. Two classes may look confused because labels are wrong "
        "or an image shows both."
    )
    needs = ("classes", "data")
    controls = "numbers"  # an untrained network predicts one class for nearly all images
    glossary = Glossary(
        {
            "<class> as <other>": Meaning(
                "<class> as <other>",
                "Share of the first class's examples mistaken for the second, for the pairs shown.",
                "%",
                "lower",
            ),
            "num_errors": Meaning("errors", "Number of incorrect predictions.", "", "lower"),
            "share_of_errors": Meaning("errors in these pairs", "Share of all errors; - if there are none.", "%"),
        }
    )

    def __init__(self, *, num_pairs: int = 10, num_each: int = 4):
        self.num_pairs, self.num_each = num_pairs, num_each

    def compute(self, subject: Subject) -> Finding:
        """Pairs [P,2] of names, their counts and shares [P] both ways, and examples [T,H,W,3] of pairs [T]."""
        outputs, names = subject.outputs(subject.split), np.array(subject.task.class_names)
        predicted = outputs.logits.argmax(axis=1)
        found = PairCounts.of(outputs.targets, predicted, len(names))
        most, rest = np.split(found.rank_errors(), [self.num_pairs])
        pairs, shares = np.stack([found.true[most], found.answer[most]], axis=1), found.shares[most]
        taken, meant = pairs[:, 0], pairs[:, 1]
        rows, pair, right = _choose_examples(outputs.probabilities, outputs.targets, predicted, pairs, self.num_each)
        num_errors = found.num_errors
        numbers: dict[str, Any] = {
            f"{names[a]} as {names[b]}": float(share) for (a, b), share in zip(pairs, shares, strict=True)
        }
        covered = float(found.counts[most].sum() / num_errors) if num_errors else None
        arrays = {
            "pairs": names[pairs],
            "counts": found.counts[most],
            "totals": found.examples[taken],
            "shares": shares,
            "alike": np.sum(found.shares[rest] == found.shares[most].min(initial=1)),
            "reverse": found.find_shares(meant, taken),
            "pair": pair,
            "right": right,
            "confidence": outputs.probabilities[rows, predicted[rows]],
        }
        if len(rows):
            arrays["images"] = denormalize(rebuild_examples(subject, rows), subject.data.mean, subject.data.std)
        return Finding(
            numbers | {"num_errors": num_errors, "share_of_errors": covered}, arrays, _write_caption(subject)
        )

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A block per network: one row per pair, its mistaken examples beside correct ones of the other class."""
        blocks = (self._make_block(label, finding) for label, finding in findings.items())
        return lay_out([Row(0.1), *blocks])

    def _make_block(self, label: str, finding: Finding) -> Row:
        arrays, num = finding.arrays, len(finding.arrays["counts"])
        tile = min(_MOST_TILE, (WIDTH - 0.2 - _WORDS - _GAP) / (2 * max(self.num_each, 1)))
        width = self.num_each * tile
        lefts = {False: 0.1 + _WORDS, True: 0.1 + _WORDS + width + _GAP}
        names = [
            make_text(clip_words(words, width, SMALL, 2), lefts[right], SMALL, below=0.05, color=color)
            for right, (words, color) in _HALVES.items()
        ]
        pairs = [
            align(
                [
                    make_text(_describe_pair(arrays, number), size=SMALL),
                    *(_make_half(arrays, number, right, left, tile) for right, left in lefts.items()),
                ]
            )
            for number in range(num)
        ]
        head = make_head(label, _describe(finding), 0.32)
        return stack([head, align(names if num else []), stack(pairs, gap=0.05), Row(0.2)])


def _make_half(arrays: dict[str, np.ndarray], number: int, right: bool, left: float, tile: float) -> Row:
    """The examples of a half of pair `number`, each above the probability of its prediction."""
    own = np.flatnonzero((arrays["pair"] == number) & (arrays["right"] == right))
    if not len(own):
        return make_aside("none correct", left, tile, color=GRAY)
    tiles = [Tile(arrays["images"][each], format_share(float(arrays["confidence"][each])), right) for each in own]
    return make_tiles(tiles, left, tile)


def _choose_examples(
    probabilities: np.ndarray, targets: np.ndarray, predicted: np.ndarray, pairs: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of the outputs [T], each one's pair [T], and whether it is predicted correctly, bool [T]."""
    rows, pair, right = list[int](), list[int](), list[bool]()
    for number, (taken, meant) in enumerate(pairs):
        for true in (taken, meant):
            own = np.flatnonzero((targets == true) & (predicted == meant))
            surest = own[np.argsort(-probabilities[own, meant], kind="stable")][:most]
            rows += surest.tolist()
            pair += [number] * len(surest)
            right += [true == meant] * len(surest)
    return np.array(rows, dtype=np.int64), np.array(pair, dtype=np.int64), np.array(right, dtype=bool)


def _write_caption(subject: Subject) -> str:
    return (
        "Pairs and examples are chosen for each network: pairs by the share of the first class that is mistaken for "
        f"the second, examples of the {subject.split} split by the probability of the prediction, which stands below "
        "each. Crossed: mistaken for the second class. Blue: correct predictions of the second class."
    )


def _describe(finding: Finding) -> str:
    """The share of a network's errors in its pairs, and how many more pairs tie with the last."""
    errors, covered = finding.numbers["num_errors"], finding.numbers["share_of_errors"]
    if not errors:
        return "no errors"
    words = f"these {len(finding.arrays['counts'])} pairs make up {covered:.0%} of the {errors:,} errors"
    alike = int(finding.arrays["alike"])
    return f"{words}; ties with the last: {alike:,}" if alike else words


def _describe_pair(arrays: dict[str, np.ndarray], number: int) -> str:
    """Left of a pair: its classes, how often they are confused, and how often in reverse."""
    first, second = arrays["pairs"][number]
    names = (clip_words(str(words), 0.95 * _WORDS - 0.1, SMALL, 2) for words in (first, f"as {second}"))
    count, total, share = (arrays[key][number] for key in ("counts", "totals", "shares"))
    said = (
        f"{count:,} of {total:,} ({format_percent(share)})",
        f"reverse {format_percent(arrays['reverse'][number])}",
    )
    return "\n".join([*names, *said])
