"""What does the network find easiest and hardest?"""

import numpy as np
from matplotlib.figure import Figure

from netgaze.drawing.examples import denormalize, rebuild_examples
from netgaze.drawing.panels import GRAY, SMALL, TEXT, TITLE, WIDTH, Sheet, shorten
from netgaze.figure import Finding
from netgaze.subject import Subject

_ACROSS = 8


class Extremes:
    """The examples with the largest and the lowest loss, as the network saw them (a rotation task: turned).

    Each network chooses its own; the loss is cross-entropy in nats.

    Numbers:
        `mean_loss`, `median_loss`: over all examples of the split.
        `worst_tenth_share`: share of the summed loss that the worst 10 % of examples carry; 0.1 where all are
            alike.

    Args:
        num_each: examples of each kind.
    """

    title = "Largest and lowest loss"
    question = "Which images does the network find easiest and hardest?"
    needs = ("classes", "data")
    metrics = ()

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

    def draw(self, findings: dict[str, Finding]) -> Figure:
        """A block a network: the hardest, then the easiest."""
        tile = (WIDTH - 0.2) / _ACROSS
        rows = {label: -(-(len(finding.arrays["losses"]) // 2) // _ACROSS) for label, finding in findings.items()}
        heights = [0.75 + 2 * num * (tile + 0.48) for num in rows.values()]
        sheet = Sheet(sum(heights) + 0.1)
        y = 0.1
        for (label, finding), height in zip(findings.items(), heights, strict=True):
            _draw_block(sheet, label, finding, y, tile)
            y += height
        return sheet.figure


def _draw_block(sheet: Sheet, label: str, finding: Finding, y: float, tile: float) -> None:
    numbers = finding.numbers
    sheet.text(0.1, y, shorten(label, 4.2, TITLE), TITLE, weight="bold")
    said = (
        f"loss: mean {numbers['mean_loss']:#.3g}, median {numbers['median_loss']:#.3g}; "
        f"the worst 10 % carry {numbers['worst_tenth_share']:.0%}"
    )
    sheet.text(WIDTH - 0.1, y + 0.02, said, TEXT, ha="right", color=GRAY)
    half = len(finding.arrays["losses"]) // 2
    y += 0.25
    for name, start in (("largest loss", 0), ("lowest loss", half)):
        sheet.text(0.1, y, name, TEXT)
        y += 0.2
        for place in range(half):
            across, down = place % _ACROSS, place // _ACROSS
            _draw_tile(sheet, finding, start + place, 0.1 + across * tile, y + down * (tile + 0.48), tile)
        y += -(-half // _ACROSS) * (tile + 0.48)


def _draw_tile(sheet: Sheet, finding: Finding, number: int, x: float, y: float, tile: float) -> None:
    true, predicted = (str(finding.arrays[name][number]) for name in ("true", "predicted"))
    side = tile - 0.1
    sheet.image(finding.arrays["images"][number], x, y, side, side)
    sheet.frame(x, y, side, true == predicted)
    lines = [f"is {true}"] + [f"says {predicted}"] * (true != predicted)
    lines.append(f"loss {finding.arrays['losses'][number]:#.3g}")
    words = [shorten(line, 0.95 * side, SMALL) for line in lines]
    sheet.text(x + side / 2, y + side + 0.04, "\n".join(words), SMALL, ha="center")
