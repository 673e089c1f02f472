"""What does the network find easiest and hardest?"""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure as Picture

from netgaze.drawing.examples import denormalize, rebuild_examples
from netgaze.drawing.panels import SMALL, WIDTH, Sheet
from netgaze.drawing.rows import Row, lay_out, make_head, make_text, stack
from netgaze.drawing.words import shorten
from netgaze.figure import Figure, Finding
from netgaze.glossary import Glossary, Meaning
from netgaze.subject import Subject

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
    numbers, every = finding.numbers, range(len(finding.arrays["losses"]))
    words = (
        f"loss: mean {numbers['mean_loss']:#.3g}, median {numbers['median_loss']:#.3g}; "
        f"the worst 10 % carry {numbers['worst_tenth_share']:.0%}"
    )
    rows, half = [make_head(label, words, height=0.25)], len(every) // 2
    for name, some in (("largest loss", every[:half]), ("lowest loss", every[half:])):
        rows.append(make_text(name, height=0.2))
        for start in range(0, half, _ACROSS):
            draw = partial(_draw_tiles, finding=finding, shown=some[start : start + _ACROSS])
            rows.append(Row(_TILE + 0.48, draw))
    return stack([*rows, Row(0.1)])


def _draw_tiles(sheet: Sheet, y: float, finding: Finding, shown: Sequence[int]) -> None:
    """Examples beside one another, each with its class, the answer where it is another, and the loss."""
    side = _TILE - 0.1
    for place, number in enumerate(shown):
        x = 0.1 + place * _TILE
        true, predicted = (str(finding.arrays[name][number]) for name in ("true", "predicted"))
        sheet.image(finding.arrays["images"][number], x, y, side, side)
        sheet.frame(x, y, side, true == predicted)
        lines = [f"is {true}"] + [f"says {predicted}"] * (true != predicted)
        lines.append(f"loss {finding.arrays['losses'][number]:#.3g}")
        words = [shorten(line, 0.95 * side, SMALL) for line in lines]
        sheet.text(x + side / 2, y + side + 0.04, "\n".join(words), SMALL, ha="center")
