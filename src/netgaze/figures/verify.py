"""Verification of your own pictures: do two show the same person?"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Picture

from netgaze.drawing.examples import name_files, read_size, to_rgb
from netgaze.drawing.panels import GRAY, RIGHT, SMALL, WIDTH, WRONG, Sheet
from netgaze.drawing.rows import Row, align, lay_out, make_text, stack
from netgaze.drawing.tiles import Tile, make_tiles
from netgaze.drawing.words import clip_words, shorten
from netgaze.errors import NetgazeError
from netgaze.figure import Figure, Finding
from netgaze.glossary import Glossary, Meaning
from netgaze.subject import Subject
from netgaze.text import show

_MOST_PAIRS = 12
_TILE, _LINE, _GAP = 0.95, 0.36, 0.15  # inches: a picture, a network's line, between pairs
_LEFT, _RIGHT = 2 * _TILE + 0.35, WIDTH - 0.2  # inches: where the lines begin and end
_ANSWERS = {0: "same person", 1: "different people"}
_COLORS = {0: RIGHT, 1: WRONG, -1: "black"}
_KEY = "Diamond: distance, from 0 on. Blue: up to the threshold, same person. Vermilion: beyond it, different people."


class Verify(Figure):
    """Two pictures count as the same person if the distance of their embeddings is at most the threshold.

    Of more than two pictures the first twelve pairs are compared.

    Args:
        images: picture files.

    Raises:
        NetgazeError: fewer than two.
    """

    title = "Verification of your pictures"
    question = "Do two pictures show the same person?"
    look_for = (
        "On which side of the threshold the diamond lies, and how far from it: near it, the decision is a close one."
    )
    pitfall = (
        "Distances of two networks do not compare; each has its own threshold. A few pairs measure nothing: the error "
        "rate is in figure=verification. Other lighting, pose or cropping than in training moves the distance."
    )
    needs = ("data", "verifier")
    glossary = Glossary(
        {
            "threshold": Meaning(
                "threshold", "Distance up to which two pictures count as the same person; - if there is none."
            ),
            "distance of <file>": Meaning("distance of <file>", "Euclidean, between the pictures' embeddings."),
            "answer to <file>": Meaning("decision for <file>", "0: same person; 1: different people."),
        }
    )

    def __init__(self, *, images: Sequence[str] | None = None):
        if images is None or len(images) < 2:
            raise NetgazeError("figure=[verify] needs two pictures: type images=[a.jpg,b.jpg]")
        self.images = images

    def compute(self, subject: Subject) -> Finding:
        """Pairs [n,2], their distances [n] and decisions [n] (-1: none); the pictures [N,H,W,3] and their names [N]."""
        images, threshold = subject.data.read_images(self.images), subject.threshold
        names = np.array(name_files(self.images))
        pairs = np.array(list(combinations(range(len(names)), 2))[:_MOST_PAIRS])
        embeddings = subject.embed(images).double()
        distances = (embeddings[pairs[:, 0]] - embeddings[pairs[:, 1]]).norm(dim=1).numpy()
        answers = np.full(len(pairs), -1) if threshold is None else (distances > threshold).astype(np.int64)
        numbers: dict[str, Any] = {"threshold": threshold}
        for pair, distance, answer in zip(pairs, distances, answers, strict=True):
            both = ", ".join(names[pair])
            numbers[f"distance of {both}"] = float(distance)
            numbers[f"answer to {both}"] = int(answer) if answer >= 0 else None
        arrays = {"pairs": pairs, "distances": distances, "answers": answers}
        arrays |= {"pictures": to_rgb(images), "names": names}
        return Finding(numbers, arrays, self._write_caption(names, images.shape[-1], threshold))

    def _write_caption(self, names: np.ndarray, side: int, threshold: float | None) -> str:
        caption = "0: the distance is at most the threshold (same person); 1: it is larger (different people)."
        if threshold is None:
            caption = "There is no threshold, hence no decision: the data has no people to choose one on."
        num = len(names) * (len(names) - 1) // 2
        if num > _MOST_PAIRS:
            caption += f" The first {_MOST_PAIRS} of {num} pairs are shown."
        sizes = [read_size(path) for path in self.images]
        if len(set(sizes)) == 1:
            return caption
        first, *others = [f"{width} x {height}" for width, height in sizes]
        said = [f"{names[0]} is {first} pixels", *map("{} {}".format, names[1:], others)]
        both = "both" if len(names) == 2 else "all"
        return f"{caption} {', '.join(said)}: {both} were fitted to {side} x {side}."

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A row per pair: the pictures as the networks see them, and per network the distance on a line."""
        first = next(iter(findings.values()))
        names = [clip_words(str(name), _TILE, SMALL, 2) for name in first.arrays["names"]]
        tiles, rows = list(map(Tile, first.arrays["pictures"], names)), [Row(0.15)]
        for number, pair in enumerate(first.arrays["pairs"]):
            pictures = make_tiles([tiles[image] for image in pair], 0.1, _TILE + 0.05, 0.05)
            lines = [_make_line(label, finding, number) for label, finding in findings.items()]
            rows += [align([pictures, stack(lines)]), Row(_GAP)]
        return lay_out([*rows, make_text(_KEY, WIDTH / 2, height=0.3, ha="center", color=GRAY)])

    def summary(self, findings: Mapping[str, Finding]) -> str:
        """A line per pair and network."""
        lines = []
        for label, finding in findings.items():
            for number, pair in enumerate(finding.arrays["pairs"]):
                both = ", ".join(finding.arrays["names"][pair])
                lines.append(show(f"{both}: {_describe(finding, number, 4)}  [{label}]"))
        return "\n".join(lines)


def _describe(finding: Finding, number: int, digits: int) -> str:
    """The distance of a pair, the threshold, and the decision."""
    threshold, answer = finding.numbers["threshold"], int(finding.arrays["answers"][number])
    distance = f"distance {finding.arrays['distances'][number]:.{digits}f}"
    if threshold is None:
        return f"{distance}, no threshold"
    return f"{distance}, threshold {threshold:.{digits}f}: {answer} ({_ANSWERS[answer]})"


def _make_line(label: str, finding: Finding, number: int) -> Row:
    """A line from 0 to the network's largest distance or its threshold: one scale for all its pairs."""
    threshold, distances = finding.numbers["threshold"], finding.arrays["distances"]
    words, color = _describe(finding, number, 3), _COLORS[int(finding.arrays["answers"][number])]
    scale = (_RIGHT - _LEFT) / (1.05 * max(distances.max(), threshold or 0) or 1.0)
    middle = _RIGHT if threshold is None else _LEFT + threshold * scale
    style: Any = {"linewidth": 3, "alpha": 0.6, "solid_capstyle": "butt"}

    def draw(sheet: Sheet, y: float) -> None:
        line = y + 0.22
        sheet.text(_RIGHT, y, words, SMALL, ha="right", weight="bold", color=color)
        sheet.text(_LEFT, y, shorten(label, _RIGHT - _LEFT - len(words) * SMALL * 0.7 / 72, SMALL), SMALL)
        sheet.paper.plot([_LEFT, middle], [line, line], color=GRAY if threshold is None else RIGHT, **style)
        if threshold is not None:
            sheet.paper.plot([middle, _RIGHT], [line, line], color=WRONG, **style)
            sheet.paper.plot([middle, middle], [line - 0.07, line + 0.07], color="black", linewidth=1.5)
        sheet.paper.plot([_LEFT + distances[number] * scale], [line], "D", color="black", markersize=5)

    return Row(_LINE, draw)
