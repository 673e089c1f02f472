"""Draws images/sweep_pseudo_labels_cifar.png from the means that were measured: the table of K in lab_book.md."""

import re
from pathlib import Path

from matplotlib.figure import Figure

from netgaze.files import atomic_write
from netgaze.plots.sweep_curves import Curve, Sweep
from netgaze.plots.sweep_picture import draw_sweep
from netgaze.results import Spread

DOCS = Path(__file__).parent
COLUMNS = ("unlabeled/right", "student/acc", "test/acc", "gain")  # behind K, in percent
RUNS = 3
BEST = 300.0  # by validation
TEACHER = Spread(0.5257, 0.0308, RUNS)  # the very runs on the labels alone


def read_table() -> dict[str, dict[float, Spread]]:
    """Mean and standard deviation over K of each column."""
    text = (DOCS / "lab_book.md").read_text(encoding="utf-8").partition("| K | pseudo-labels right |")[2]
    points: dict[str, dict[float, Spread]] = {name: {} for name in COLUMNS}
    for row in re.findall(r"^\| ([\d,]+) \|(.*)\|$", text.partition("\n\n")[0], re.MULTILINE):
        for name, cell in zip(COLUMNS, row[1].split("|"), strict=True):
            mean, std = (float(part) / 100 for part in cell.split("±"))
            points[name][float(row[0].replace(",", ""))] = Spread(mean, std, RUNS)
    return points


def draw() -> Figure:
    """The picture, as the report of the sweep and of these runs on the labels alone has it."""
    points = read_table()
    gains = points.pop("gain")
    curve = Curve("", points, {"teacher/acc": TEACHER}, BEST, {"teacher/acc": gains[BEST]})
    panels = [("test/acc", "student/acc"), ("unlabeled/right",)]
    return draw_sweep(Sweep("stages.pseudo_labels.task.k", "test/acc", panels, [curve], {"labels alone": TEACHER}))


if __name__ == "__main__":
    with atomic_write(DOCS / "images" / "sweep_pseudo_labels_cifar.png") as beside:
        draw().savefig(beside, format="png", dpi=120)
