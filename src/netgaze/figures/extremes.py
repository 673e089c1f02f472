"""What does the network find easiest and hardest?"""

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
    """The examples with the largest and the lowest loss, as the network saw them (a rotation task: turned).

    Each network chooses its own; the loss is cross-entropy in nats.

    Args:
        num_each: examples of each kind.
    """

    title = "Largest and lowest loss"
    question = "Which images does the network find easiest and hardest?"
    needs = ("classes", "data")
    controls = "numbers"  # to an untrained network all images are about as hard
    glossary = Glossary(
        {
            "mean_loss": Meaning("mean loss", "Over all examples of the split.", "nats", "lower"),
            "median_loss": Meaning("median loss", "Over all examples of the split.", "nats", "lower"),
            "worst_tenth_share": Meaning(
                "loss of the worst tenth",
                "Share of the summed loss that the worst 10 % carry; 10 % where all are alike.",
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
        caption = f"Each network chooses its own examples of the {subject.split} split. Loss: cross-entropy in nats."
        return Finding(numbers, arrays, caption)

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A block per network: the hardest, then the easiest."""
        return lay_out([Row(0.1), *(_make_block(label, finding) for label, finding in findings.items())])


def _make_block(label: str, finding: Finding) -> Row:
    numbers, half = finding.numbers, len(finding.arrays["losses"]) // 2
    words = (
        f"loss: mean {format_value(numbers['mean_loss'])}, median {format_value(numbers['median_loss'])}; "
        f"the worst 10% carry {numbers['worst_tenth_share']:.0%}"
    )
    rows = [make_head(label, words, height=0.25)]
    for name, places in (("largest loss", range(half)), ("lowest loss", range(half, 2 * half))):
        tiles = [_make_tile(finding, place) for place in places]
        rows += [make_text(name, height=0.2), make_tiles(tiles, 0.1, _TILE, gap=0.1, across=_ACROSS)]
    return stack([*rows, Row(0.1)])


def _make_tile(finding: Finding, place: int) -> Tile:
    """An example with its class, the answer where it is another, and the loss."""
    true, predicted = (str(finding.arrays[name][place]) for name in ("true", "predicted"))
    lines = [f"is {true}"] + [f"says {predicted}"] * (true != predicted)
    words = [clip_words(line, _TILE - 0.1, SMALL, 2) for line in lines]
    words.append(f"loss {format_value(float(finding.arrays['losses'][place]))}")
    return Tile(finding.arrays["images"][place], "\n".join(words), true == predicted)
