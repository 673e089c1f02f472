"""Draws images/sweep_pseudo_labels_cifar.png from the means that were measured: `by_k` in numbers/few_labels.yaml."""

from pathlib import Path

import measured
from matplotlib.figure import Figure

from netgaze.files import atomic_write
from netgaze.plots.sweep_curves import Curve, Sweep
from netgaze.plots.sweep_picture import draw_sweep
from netgaze.results import Spread

RUNS = 3
BEST = 300.0  # by validation
COLUMNS = {
    "unlabeled/right": "pseudo-labels right",
    "student/acc": "student",
    "test/acc": "finetuned",
    "gain": "above its teacher",
}


def read_points() -> dict[str, dict[float, Spread]]:
    """Mean and standard deviation over K of each number."""
    rows = measured.read_numbers()["few_labels"].measured["by_k"].values
    at = {row: float(row.removeprefix("K = ").replace(",", "")) for row in rows}
    return {
        name: {at[row]: read_spread(f"few_labels/by_k/{row}/{column}") for row in rows}
        for name, column in COLUMNS.items()
    }


def read_spread(path: str) -> Spread:
    """A named number in percent or points, as a share."""
    mean, std = measured.find(path).removesuffix("points").rstrip(" %").split(" ± ")
    return Spread(float(mean) / 100, float(std) / 100, RUNS)


def draw() -> Figure:
    """The picture, as the report of the sweep and of these runs on the labels alone has it."""
    points = read_points()
    gains = points.pop("gain")
    teacher = read_spread("few_labels/by_labels/100/labels alone")  # the very runs on the labels alone
    curve = Curve("", points, {"teacher/acc": teacher}, BEST, {"teacher/acc": gains[BEST]})
    panels = [("test/acc", "student/acc"), ("unlabeled/right",)]
    return draw_sweep(Sweep("stages.pseudo_labels.task.k", "test/acc", panels, [curve], {"labels alone": teacher}))


if __name__ == "__main__":
    with atomic_write(Path(__file__).parent / "images" / "sweep_pseudo_labels_cifar.png") as beside:
        draw().savefig(beside, format="png", dpi=120)
