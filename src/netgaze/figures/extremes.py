"""Which images does the network find easiest, and which hardest?"""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure as Picture

from netgaze.drawing.examples import denormalize, rebuild_examples
from netgaze.drawing.panels import SMALL, WIDTH
from netgaze.drawing.rows import Row, lay_out, make_head, make_text, stack
from netgaze.drawing.tiles import Tile, make_tiles
from netgaze.drawing.words import clip_words
from netgaze.figure import Figure, Finding
from netgaze.glossary import Glossary, Meaning
from netgaze.subject import Subject
from netgaze.text import format_value

_ACROSS = 8
_TILE = (WIDTH - 0.2) / _ACROSS  # inches


class Extremes(Figure):
    """The examples of highest and lowest loss, as the network saw them (in a rotation task: rotated).

    They are chosen for each network; the loss is cross-entropy in nats.

    Args:
        num_each: examples of each kind.
    """

    title = "Highest and lowest loss"
    question = "Which images does the network find easiest, and which hardest?"
    look_for = (
        "Look through the images of highest loss for wrong labels, unusual views and several objects, and through "
        "those of lowest loss for what makes a class easy: often its background. A large share of the loss in the "
        "worst 10% means that a few confident errors dominate."
    )
    pitfall = (
        "The highest losses belong to confident errors: an image that is hard but predicted with doubt does not "
        "appear. Each network shows its own images, and losses of networks with different numbers of classes do not "
        "compare."
    )
    needs = ("classes", "data")
    controls = "numbers"  # for an untrained network all images are about equally hard
    glossary = Glossary(
        {
            "mean_loss": Meaning("mean loss", "Over all examples of the split.", "nats", "lower"),
            "median_loss": Meaning("median loss", "Over all examples of the split.", "nats", "lower"),
            "worst_tenth_share": Meaning(
                "loss in the worst tenth",
                "Share of the total loss in the worst 10% of the examples; 10% if all losses are equal.",
                "%",
            ),
        }
    )

    def __init__(self, *, num_each: int = 8):
        self.num_each = num_each

    def compute(self, subject: Subject) -> Finding:
        """The examples [2n,H,W,3], hardest first and then easiest first, with losses and class names."""
        outputs = subject.outputs(subject.split)
        losses, data = outputs.losses, subject.data
        order = np.argsort(-losses, kind="stable")
        num = min(self.num_each, len(order))
        rows = np.concatenate([order[:num], order[::-1][:num]])
        names = np.array(subject.task.class_names)
        worst = losses[order[: max(1, round(len(losses) / 10))]]
        numbers = {
            "mean_loss": float(losses.mean()),
            "median_loss": float(np.median(losses)),
            "worst_tenth_share": float(worst.sum() / max(losses.sum(), 1e-12)),
        }
        arrays = {
            "images": denormalize(rebuild_examples(subject, rows), data.mean, data.std),
            "losses": losses[rows],
            "true": names[outputs.targets[rows]],
            "predicted": names[outputs.logits[rows].argmax(axis=1)],
        }
        caption = f"Examples of the {subject.split} split, chosen for each network. The loss is cross-entropy in nats."
        return Finding(numbers, arrays, caption)

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A block per network: the hardest, then the easiest."""
        return lay_out([Row(0.1), *(_make_block(label, finding) for label, finding in findings.items())])


def _make_block(label: str, finding: Finding) -> Row:
    numbers, half = finding.numbers, len(finding.arrays["losses"]) // 2
    words = (
        f"loss: mean {format_value(numbers['mean_loss'])}, median {format_value(numbers['median_loss'])}; "
        f"the worst 10% hold {numbers['worst_tenth_share']:.0%} of it"
    )
    rows = [make_head(label, words, height=0.25)]
    for name, places in (("highest loss", range(half)), ("lowest loss", range(half, 2 * half))):
        tiles = [_make_tile(finding, place) for place in places]
        rows += [make_text(name, height=0.2), make_tiles(tiles, 0.1, _TILE, gap=0.1, across=_ACROSS)]
    return stack([*rows, Row(0.1)])


def _make_tile(finding: Finding, place: int) -> Tile:
    """An example with its class, the prediction if it differs, and the loss."""
    true, predicted = (str(finding.arrays[name][place]) for name in ("true", "predicted"))
    lines = [f"true: {true}"] + [f"predicted: {predicted}"] * (true != predicted)
    words = [clip_words(line, _TILE - 0.1, SMALL, 2) for line in lines]
    words.append(f"loss {format_value(float(finding.arrays['losses'][place]))}")
    return Tile(finding.arrays["images"][place], "\n".join(words), true == predicted)
