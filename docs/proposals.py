"""Draws images/proposals.png: anchors, scored boxes and non-maximum suppression on a drawn scene, for architectures.md.

No network is asked. What a trained region proposal network would answer is made up from the true box and a seed
(`stand_in`); anchors, overlaps and suppression are real. Boxes are [N,4]: left, top, right, bottom in pixels.

    python docs/proposals.py [picture]
"""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor
from torchvision.ops import box_iou, nms

from netgaze.data.scenes import CLASS_NAMES, S, draw_scenes
from netgaze.drawing.panels import GRAY, RIGHT, SMALL, TEXT, TITLE, WRONG, Sheet
from netgaze.drawing.rows import Columns
from netgaze.files import atomic_write

STRIDE = 4  # pixels from one place of the map to the next; 16 in the paper
SIDES = (6, 12, 24)  # of square anchors, in pixels; 128, 256 and 512 in the paper
RATIOS = (0.5, 1.0, 2.0)  # of height to width
THRESHOLD = 0.7
NOISE = 0.06  # standard deviation, of shifts in anchors' sizes, of logarithms and of scores
BEST = 60  # boxes that are drawn
PLACE = (3, 3)  # row and column whose anchors are drawn

# The example that the page works through by hand: scores fall, corners are whole numbers.
NAMES = "ABCDEF"
EXAMPLE = torch.tensor(
    [[6, 4, 22, 24], [5, 5, 22, 25], [4, 2, 18, 20], [4, 3, 19, 21], [5, 8, 23, 28], [24, 0, 30, 15]]
).float()
EXAMPLE_SCORES = torch.tensor([0.95, 0.90, 0.80, 0.72, 0.60, 0.30])


class Step(NamedTuple):
    """What became of one box: the kept box that it overlaps most before its turn, how much, and the verdict."""

    box: int
    nearest: int | None
    overlap: float
    kept: bool


def scene() -> tuple[np.ndarray, Tensor]:
    """A house and the box around its mask: uint8 [S,S,3], [1,4]."""
    images, masks = draw_scenes(np.array([CLASS_NAMES.index("house")]), np.random.default_rng(6))
    rows, cols = np.nonzero(masks[0])
    box = torch.tensor([[cols.min(), rows.min(), cols.max() + 1, rows.max() + 1]]).float()
    return images[0].transpose(1, 2, 0), box


def all_anchors(size: int = S, stride: int = STRIDE) -> Tensor:
    """The anchors of a square image, [places, sides * ratios, 4], places row by row: equal areas for each side."""
    centers = torch.arange(stride / 2, size, stride)
    y, x = torch.meshgrid(centers, centers, indexing="ij")
    widths = torch.tensor([side / ratio**0.5 for side in SIDES for ratio in RATIOS])
    heights = torch.tensor([side * ratio**0.5 for side in SIDES for ratio in RATIOS])
    half = torch.stack([-widths, -heights, widths, heights], dim=1) / 2
    return torch.stack([x, y, x, y], dim=-1).view(-1, 1, 4) + half


def offsets(anchors: Tensor, boxes: Tensor) -> Tensor:
    """The four numbers that turn anchors into boxes: shifts in anchors' sizes, logarithms of the scales."""
    sizes, wanted = anchors[:, 2:] - anchors[:, :2], boxes[:, 2:] - boxes[:, :2]
    shifts = (boxes[:, :2] + boxes[:, 2:] - anchors[:, :2] - anchors[:, 2:]) / 2 / sizes
    return torch.cat([shifts, (wanted / sizes).log()], dim=1)


def moved(anchors: Tensor, numbers: Tensor) -> Tensor:
    """Anchors with such numbers applied."""
    sizes = anchors[:, 2:] - anchors[:, :2]
    centers = (anchors[:, :2] + anchors[:, 2:]) / 2 + numbers[:, :2] * sizes
    half = sizes * numbers[:, 2:].exp() / 2
    return torch.cat([centers - half, centers + half], dim=1)


def stand_in(anchors: Tensor, truth: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
    """In place of a trained network's answer: boxes, clipped to the image, and their scores 0..1.

    An anchor goes as far towards the true box as twice its overlap, at most all the way, give or take some noise; a
    score is the moved box's overlap, give or take some.
    """
    rng = np.random.default_rng(seed)
    share = (2 * box_iou(anchors, truth)).clamp(max=1)
    noise = torch.from_numpy(rng.normal(0, NOISE, (len(anchors), 5))).float()
    boxes = moved(anchors, share * offsets(anchors, truth.expand_as(anchors)) + noise[:, :4]).clamp(0, S)
    return boxes, (box_iou(boxes, truth)[:, 0] + noise[:, 4]).clamp(0, 1)


def greedy(boxes: Tensor, scores: Tensor, threshold: float) -> list[Step]:
    """Non-maximum suppression, a step a box, best score first: what overlaps a kept box by more is dropped."""
    overlaps, kept, steps = box_iou(boxes, boxes), list[int](), []
    for box in scores.argsort(descending=True, stable=True).tolist():
        nearest = max(kept, key=lambda other: float(overlaps[box, other]), default=None)
        overlap = 0.0 if nearest is None else float(overlaps[box, nearest])
        steps.append(Step(box, nearest, overlap, overlap <= threshold))
        if overlap <= threshold:
            kept.append(box)
    return steps


def draw() -> Figure:
    """Anchors at one place, the best boxes, what suppression leaves of them; the example of six boxes, step by step."""
    image, truth = scene()
    grid = all_anchors()
    boxes, scores = stand_in(grid.flatten(0, 1), truth)
    best = scores.argsort(descending=True, stable=True)[:BEST]
    left = best[nms(boxes[best], scores[best], THRESHOLD)]
    columns = Columns(3, gap=0.15)
    edges, side = columns.lefts, columns.width
    sheet, top = Sheet(2 * side + 1.3), 0.3
    second = top + side + 0.8
    _panel(sheet, image, edges[0], top, side, "1. Nine anchors at one place")
    _anchors(sheet, grid[PLACE[0] * (S // STRIDE) + PLACE[1]], truth, edges[0], top, side)
    words = f"Squares of {', '.join(map(str, SIDES))} pixels, and 2:1, 1:2 of the same\nareas; dashed: the true box. "
    sheet.text(edges[0] + 0.15, top + side, words + f"{len(grid)} places: {len(boxes)} anchors.", SMALL, color=GRAY)
    _panel(sheet, image, edges[1], top, side, f"2. The {BEST} best boxes of {len(boxes)}")
    _scored(sheet, boxes[best], scores[best], edges[1], top, side)
    words = "Boxes and scores are made up from the true box and\na seed: no network was trained for this picture."
    sheet.text(edges[1] + 0.15, top + side, words, SMALL, color=GRAY)
    _panel(sheet, image, edges[2], top, side, f"3. After suppression: {len(left)}")
    _scored(sheet, boxes[left], scores[left], edges[2], top, side)
    sheet.bar(edges[2], top + side, side, [0.5, 0.75, 1], _COLORS, "score")
    _panel(sheet, image, edges[0], second, side, "4. Six boxes, by hand")
    _example(sheet, edges[0], second, side)
    _table(sheet, edges[1] + 0.15, second + 0.1)
    return sheet.figure


_COLORS, _MARGIN, _FADED = "viridis_r", 3.5, 0.55  # margin: pixels of paper around the image, for boxes that reach out
# Where a box's letter stands: at its right side, at its bottom, and to which side of that corner.
_LABELS = {
    "A": (1, 0, "right", "bottom"),
    "B": (0, 1, "right", "bottom"),
    "C": (0, 0, "left", "bottom"),
    "D": (0, 1, "right", "bottom"),
    "E": (1, 1, "left", "bottom"),
    "F": (0, 0, "left", "top"),
}


def _panel(sheet: Sheet, image: np.ndarray, x: float, y: float, side: float, words: str) -> None:
    """The scene, faded so that boxes are seen, with its title above."""
    pixel = side / (S + 2 * _MARGIN)
    faded = (255 - _FADED * (255 - image.astype(float))).astype(np.uint8)
    sheet.image(faded, x + _MARGIN * pixel, y + _MARGIN * pixel, S * pixel, S * pixel)
    sheet.text(x + side / 2, y - 0.2, words, TITLE, ha="center", weight="bold")


def _box(sheet: Sheet, box: Tensor, x: float, y: float, side: float, **style: object) -> tuple[float, ...]:
    """A box in a panel; its corners in inches."""
    pixel = side / (S + 2 * _MARGIN)
    left, right = (x + (value + _MARGIN) * pixel for value in box[::2].tolist())
    top, bottom = (y + (value + _MARGIN) * pixel for value in box[1::2].tolist())
    sheet.paper.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, **style))  # type: ignore
    return left, top, right, bottom


def _anchors(sheet: Sheet, anchors: Tensor, truth: Tensor, x: float, y: float, side: float) -> None:
    for number, anchor in enumerate(anchors):
        color = ("#009E73", RIGHT, WRONG)[number // len(RATIOS)]
        _box(sheet, anchor, x, y, side, edgecolor=color, linewidth=1.3)
    _box(sheet, truth[0], x, y, side, edgecolor="black", linewidth=1.3, linestyle="--")


def _scored(sheet: Sheet, boxes: Tensor, scores: Tensor, x: float, y: float, side: float) -> None:
    """Boxes, the best on top."""
    for place in scores.argsort():
        _box(sheet, boxes[place], x, y, side, edgecolor=colormaps[_COLORS](2 * float(scores[place]) - 1), linewidth=1.1)


def _example(sheet: Sheet, x: float, y: float, side: float) -> None:
    for name, box, step in zip(NAMES, EXAMPLE, greedy(EXAMPLE, EXAMPLE_SCORES, THRESHOLD), strict=True):
        color = RIGHT if step.kept else WRONG
        style = "-" if step.kept else (0, (3, 2))
        left, top, right, bottom = _box(sheet, box, x, y, side, edgecolor=color, linewidth=1.5, linestyle=style)
        across, down, ha, va = _LABELS[name]
        place = (right if across else left, bottom if down else top)
        sheet.text(*place, f" {name} ", TEXT, va, ha=ha, color=color, weight="bold")


def _table(sheet: Sheet, x: float, y: float) -> None:
    """The steps in words."""
    places, row = (0.0, 0.5, 1.15, 2.45, 4.3), 0.27
    rows = [("box", "score", "corners", "nearest kept box", f"verdict at {THRESHOLD}")]
    for step in greedy(EXAMPLE, EXAMPLE_SCORES, THRESHOLD):
        corners = ", ".join(f"{value:.0f}" for value in EXAMPLE[step.box].tolist())
        nearest = "none"
        if step.nearest is not None and step.overlap > 0:
            nearest = f"{NAMES[step.nearest]}: IoU {step.overlap:.3f}"
        verdict = "kept" if step.kept else "dropped"
        rows.append((NAMES[step.box], f"{EXAMPLE_SCORES[step.box]:.2f}", corners, nearest, verdict))
    for number, words in enumerate(rows):
        style = {"weight": "bold"} if not number else {"color": RIGHT if words[-1] == "kept" else WRONG}
        for place, word in zip(places, words, strict=True):
            sheet.text(x + place, y + 0.1 + number * row, word, TEXT, **style)
    overlap = float(box_iou(EXAMPLE[4:5], EXAMPLE[1:2]))
    said = (
        "From the best score down: a box is dropped if it overlaps one that was kept by more\n"
        f"than {THRESHOLD}. Only kept boxes count: E overlaps B by {overlap:.3f}, but B is gone, so E stays.\n"
        "F is no object, and stays too: suppression judges overlap alone, the score says the rest."
    )
    sheet.text(x, y + 0.25 + len(rows) * row, said, TEXT, color=GRAY)


if __name__ == "__main__":
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "images" / "proposals.png"
    with atomic_write(out) as beside:
        draw().savefig(beside, format="png", dpi=120)
