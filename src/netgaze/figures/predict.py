"""What does the network see in your own pictures?"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure as Picture
from matplotlib.patches import Rectangle

from netgaze.drawing.evidence import make_evidence_bar, make_pair, measure_scale
from netgaze.drawing.examples import denormalize, name_files, read_size
from netgaze.drawing.heat import describe_coarseness, enlarge
from netgaze.drawing.panels import GRAY, RIGHT, SMALL, WIDTH, Sheet
from netgaze.drawing.rows import Columns, Row, align, lay_out, make_aside, make_text, stack
from netgaze.drawing.words import count_cells, measure_cell, shorten
from netgaze.errors import NetgazeError
from netgaze.figure import Figure, Finding
from netgaze.glossary import Glossary, Meaning
from netgaze.subject import Subject, device_of, evaluating
from netgaze.text import format_share, show

_MOST_DRAWN, _MOST_SIZES, _BATCH = 12, 6, 100
_TILE, _LINE, _GAP = 1.3, 0.19, 0.1  # inches: most of a tile, a class's bar with the gap below it, after a row
_LEAST_BARS, _MOST_BARS = 1.6, 3.4  # inches: bars that cannot be as wide beside the tiles lie below them
_FITS = {
    "crop": "the shorter side was scaled and the center cut out",
    "center": "the shorter side was scaled and the center cut out",
    "squash": "both sides were scaled, so that shapes change",
}


class Predict(Figure):
    """The likeliest classes of your own pictures, and the class activation map (Zhou et al. 2016) of the likeliest.

    Maps are those of `Cam`: signed, on one scale per network. At most twelve pictures are drawn.

    Args:
        images: picture files.
        fit: how a picture becomes a square, "crop" or "squash"; None for the data's own way.
        num_classes: named for each picture; of fewer classes all.

    Raises:
        NetgazeError: no pictures, or an unknown fit.
    """

    title = "Predictions on your pictures"
    question = "What does the network see in these pictures, and where?"
    needs = ("classes", "reader")
    controls = "numbers"  # what an untrained network says of a picture is no answer
    glossary = Glossary(
        {
            "picture": Meaning("picture"),
            "class<place>": Meaning("class <place>", "The likeliest classes, in order."),
            "probability<place>": Meaning("its probability", "What the network gives the class.", "%"),
            "top_classes": Meaning("likeliest classes", "Of each file, with their probabilities, likeliest first."),
            "<file>": Meaning("<file>", "The likeliest class and its probability."),
        }
    )

    def __init__(self, *, images: Sequence[str] | None = None, fit: str | None = None, num_classes: int = 5):
        if not images:
            raise NetgazeError("figure predict needs pictures of your own: type images=[a.jpg,b.jpg]")
        if fit not in (None, *_FITS):
            raise NetgazeError(f"figure.predict.fit={fit} is not known. It is crop or squash, or null: the data's own.")
        if num_classes < 1:
            raise NetgazeError(f"figure.predict.num_classes={num_classes} must be 1 or more.")
        self.images, self.fit, self.num_classes = images, fit, num_classes

    def compute(self, subject: Subject) -> Finding:
        """Names [N], classes and probabilities [N,n]; of the first twelve pictures [d,H,W,3] and maps [d,H,W]."""
        names, all_classes, parts = name_files(self.images), np.array(subject.task.class_names), []
        with evaluating(subject.task), torch.no_grad():
            for start in range(0, len(self.images), _BATCH):
                examples = self._examples(subject, self.images[start : start + _BATCH])
                parts.append(subject.task(examples).double().softmax(dim=1).cpu().numpy())
                if start == 0:
                    examples = examples[:_MOST_DRAWN]
                    small = subject.task.class_maps(examples).float().cpu()
                    pictures = denormalize(examples, subject.reader.mean, subject.reader.std)
        probabilities = np.concatenate(parts)
        top = np.argsort(-probabilities, axis=1, kind="stable")[:, : self.num_classes]
        maps = enlarge(small[torch.arange(len(small)), torch.from_numpy(top[: len(small), 0])], pictures.shape[1:3])
        likeliest = np.take_along_axis(probabilities, top, axis=1)
        arrays = {"names": np.array(names), "classes": all_classes[top], "probabilities": likeliest}
        arrays |= {"pictures": pictures, "maps": maps.numpy()}
        numbers = {name: _describe(arrays, row, 1) for row, name in enumerate(names)}
        tops = {
            name: dict(zip(arrays["classes"][row].tolist(), likeliest[row].tolist(), strict=True))
            for row, name in enumerate(names)
        }
        caption = self._caption(subject, names, top.shape[1], small.shape[-2:])
        return Finding(numbers | {"top_classes": tops}, arrays, caption)

    def _examples(self, subject: Subject, paths: Sequence[str]) -> torch.Tensor:
        """Pictures as the network sees them, upright, [B,C,H,W] on its device."""
        images = subject.reader.normalize(subject.reader.read_images(paths, self.fit))
        examples = subject.task.make_examples(images, torch.zeros(len(images), dtype=torch.int64))[0]
        return examples[: len(images)].to(device_of(subject.task))

    def _caption(self, subject: Subject, names: list[str], num: int, size: Sequence[int]) -> str:
        named = f"the {num} likeliest" if num > 1 else "the likeliest"
        caption = (
            f"The bars are the probabilities of {named} of {len(subject.task.class_names)} classes. Red is evidence "
            "for the likeliest, blue against it; a head that reads its maps through a predictor may mean the opposite. "
            f"The maps are {size[0]}x{size[1]}, enlarged."
        )
        caption += describe_coarseness(*size)
        if len(names) > _MOST_DRAWN:
            caption += f" Of {len(names)} pictures the first {_MOST_DRAWN} are shown; the numbers are of all."
        return caption + self._sizes(names[:_MOST_DRAWN], subject.reader)

    def _sizes(self, names: list[str], data: Any) -> str:
        """What was done to pictures that are no squares of the size that the data has them in."""
        fit = self.fit or data.own_fit
        side = data.window if fit == "squash" else data.stored_size
        sizes = [read_size(path) for path in self.images[: len(names)]]
        said = [
            f"{name} is {width} x {height}"
            for name, (width, height) in zip(names, sizes, strict=True)
            if (width, height) != (side, side)
        ]
        if not said:
            return ""
        others = f" and {len(said) - _MOST_SIZES} more" if len(said) > _MOST_SIZES else ""
        how = f": {_FITS[fit]}" if any(width != height for width, height in sizes) else ""
        words = f" In pixels {', '.join(said[:_MOST_SIZES])}{others}, fitted to {side} x {side}{how}."
        blurred = [name for name, pair in zip(names, sizes, strict=True) if min(pair) < side]
        if blurred:
            more = f" and {len(blurred) - _MOST_SIZES} more" if len(blurred) > _MOST_SIZES else ""
            words += f" Enlarged and so blurred: {', '.join(blurred[:_MOST_SIZES])}{more}."
        return words

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A row per picture, a column per network: the picture, the map of its likeliest class, and bars."""
        columns = Columns(len(findings), gap=0.25)
        num_bars = max(finding.arrays["classes"].shape[1] for finding in findings.values())
        cells = [_Cells(*pair, columns.width, num_bars) for pair in zip(findings.values(), columns.lefts, strict=True)]
        rows = [columns.titles(findings, below=0.05)]
        for row in range(len(cells[0].arrays["maps"])):
            name = shorten(str(cells[0].arrays["names"][row]), WIDTH - 0.2 - cells[0].x, SMALL)
            rows.append(make_text(name, cells[0].x, SMALL, height=0.22, weight="bold", color=GRAY))
            rows.append(align(cell.make_row(row) for cell in cells))
        return lay_out([*rows, align(make_evidence_bar(cell.x, 2 * cell.pitch, cell.scale) for cell in cells)])

    def table(self, finding: Finding) -> list[dict[str, Any]]:
        """A row per picture: its likeliest classes with their probabilities, 0..1, likeliest first."""
        arrays = finding.arrays
        rows = zip(arrays["names"], arrays["classes"], arrays["probabilities"], strict=True)
        return [{"picture": str(name)} | _number(classes, likely) for name, classes, likely in rows]

    def summary(self, findings: Mapping[str, Finding]) -> str:
        """A line per picture and network."""
        num = len(next(iter(findings.values())).arrays["names"])
        return "\n".join(
            show(f"{finding.arrays['names'][row]}: {_describe(finding.arrays, row)}  [{label}]")
            for row in range(num)
            for label, finding in findings.items()
        )


def _number(classes: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    """Classes and probabilities as columns: `class`, `probability`, `class 2`, ..."""
    columns: dict[str, Any] = {}
    for place, (name, probability) in enumerate(zip(classes, probabilities, strict=True), start=1):
        number = f" {place}" if place > 1 else ""
        columns |= {f"class{number}": str(name), f"probability{number}": round(float(probability), 4)}
    return columns


def _describe(arrays: dict[str, np.ndarray], row: int, most: int | None = None) -> str:
    """Classes and their probabilities, likeliest first."""
    pairs = zip(arrays["classes"][row, :most], arrays["probabilities"][row, :most], strict=True)
    return ", ".join(f"{name} {format_share(float(probability))}" for name, probability in pairs)


class _Cells:
    """A network's column: of each picture two tiles, and so many bars beside or below them, as wide as they can be.

    Args:
        finding: the network's.
        x: the column's left edge, in inches.
        width: of the column.
        num_bars: of a picture, at most, in any column.
    """

    def __init__(self, finding: Finding, x: float, width: float, num_bars: int):
        self.arrays, self.scale = finding.arrays, measure_scale(finding.arrays["maps"])
        self.beside = width - 2 * 1.1 >= _LEAST_BARS
        self.pitch = min(_TILE, (width - _LEAST_BARS) / 2 if self.beside else width / 2)
        self.bars = min(_MOST_BARS, width - 2 * self.pitch - 0.1) if self.beside else 2 * self.pitch
        self.x = x + (width - 2 * self.pitch - (self.bars + 0.1 if self.beside else 0.0)) / 2
        self.blank = Row(num_bars * _LINE)

    def make_row(self, row: int) -> Row:
        """One picture's answer."""
        arrays, left = self.arrays, self.x + (2 * self.pitch + 0.1 if self.beside else 0.0)
        pair = make_pair(arrays["pictures"][row], arrays["maps"][row], self.scale, self.x, self.pitch, below=0.11)
        pairs = zip(arrays["classes"][row], arrays["probabilities"][row], strict=True)
        lines = (self._make_bar(left, str(name), float(share), place == 0) for place, (name, share) in enumerate(pairs))
        bars = align([stack(lines), self.blank])
        return stack([align([pair, bars]) if self.beside else stack([pair, bars]), Row(_GAP)])

    def _make_bar(self, x: float, name: str, share: float, bold: bool) -> Row:
        """A class, its probability, and a bar as long as this."""
        said, weight, height = format_share(share), "bold" if bold else "normal", _LINE - 0.03
        room = 0.88 * (self.bars - 0.14 - count_cells(said) * measure_cell(SMALL))  # bold words are wider

        def draw(sheet: Sheet, y: float) -> None:
            for part, opacity in ((1.0, 0.08), (share, 0.35)):
                bar = Rectangle((x, y), part * self.bars, height, facecolor=RIGHT, edgecolor="none", alpha=opacity)
                sheet.paper.add_patch(bar)

        words = make_aside(shorten(name, room, SMALL), x + 0.04, height, weight=weight)
        number = make_aside(said, x + self.bars - 0.04, height, weight=weight, ha="right")
        return align([Row(_LINE, draw), words, number])
