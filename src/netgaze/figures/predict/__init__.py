"""Predictions on your own pictures, with class activation maps."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure as Picture

from netgaze.drawing.examples import denormalize, name_files, read_size
from netgaze.drawing.heat import describe_coarseness, enlarge
from netgaze.errors import NetgazeError
from netgaze.figure import Figure, Finding
from netgaze.figures.predict.page import draw_answers
from netgaze.glossary import Glossary, Meaning
from netgaze.subject import Subject, device_of, evaluating
from netgaze.text import format_share, show

_MOST_DRAWN, _MOST_SIZES, _BATCH = 12, 6, 100
_FITS = {
    "crop": "the shorter side was scaled and the center cut out",
    "center": "the shorter side was scaled and the center cut out",
    "squash": "both sides were scaled, so that shapes change",
}


class Predict(Figure):
    """The most probable classes of your own pictures, and the class activation map (Zhou et al. 2016) of the first.

    Maps are those of `Cam`: signed, on one scale per network. At most twelve pictures are drawn.

    Args:
        images: picture files.
        fit: how a picture becomes a square, "crop" or "squash"; None for the data's own way.
        num_classes: named per picture; all, if there are fewer.

    Raises:
        NetgazeError: no pictures, or an unknown fit.
    """

    title = "Predictions on your pictures"
    question = "Which classes does the network predict for these pictures, and where is the evidence?"
    look_for = (
        "Whether the prediction is correct and how the rest of the probability is spread, and whether the red of the "
        "map lies on the object."
    )
    pitfall = (
        "A picture of none of the classes gets a prediction too, often a confident one. The map explains the predicted "
        "class, correct or not, and is a small grid enlarged; a few pictures are no measurement."
    )
    needs = ("classes", "reader")
    controls = "numbers"  # an untrained network's prediction for a single picture means nothing
    glossary = Glossary(
        {
            "picture": Meaning("picture"),
            "class<place>": Meaning("class <place>", "The most probable classes, in order."),
            "probability<place>": Meaning("its probability", "As the network predicts it.", "%"),
            "top_classes": Meaning("most probable classes", "Of each file, with their probabilities."),
            "<file>": Meaning("<file>", "The most probable class and its probability."),
        }
    )

    def __init__(self, *, images: Sequence[str] | None = None, fit: str | None = None, num_classes: int = 5):
        if not images:
            raise NetgazeError("figure=[predict] needs your pictures: type images=[a.jpg,b.jpg]")
        if fit not in (None, *_FITS):
            raise NetgazeError(f"Unknown figure.predict.fit={fit}. Choose crop, squash or null (the data's own way).")
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
        arrays |= {"pictures": pictures, "maps": maps.numpy(), "unit": np.array(subject.task.model.map_unit)}
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
        named = f"the {num} most probable" if num > 1 else "the most probable"
        caption = (
            f"The bars are the probabilities of {named} of {len(subject.task.class_names)} classes. Red is evidence "
            "for the first, blue evidence against it; if a head reads its maps through a predictor, the signs may be "
            f"reversed. The maps are {size[0]}x{size[1]}, enlarged."
        )
        caption += describe_coarseness(*size)
        if len(names) > _MOST_DRAWN:
            caption += f" The first {_MOST_DRAWN} of {len(names)} pictures are shown; the numbers cover all."
        return caption + self._sizes(names[:_MOST_DRAWN], subject.reader)

    def _sizes(self, names: list[str], data: Any) -> str:
        """How pictures of another shape or size than the data's were fitted."""
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
        words = f" Sizes in pixels: {', '.join(said[:_MOST_SIZES])}{others}, fitted to {side} x {side}{how}."
        blurred = [name for name, pair in zip(names, sizes, strict=True) if min(pair) < side]
        if blurred:
            more = f" and {len(blurred) - _MOST_SIZES} more" if len(blurred) > _MOST_SIZES else ""
            words += f" Enlarged, hence blurred: {', '.join(blurred[:_MOST_SIZES])}{more}."
        return words

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A row per picture, a column per network: the picture, the map of its predicted class, and bars."""
        return draw_answers(findings)

    def table(self, finding: Finding) -> list[dict[str, Any]]:
        """A row per picture: its most probable classes with their probabilities, 0..1, in order."""
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
    """Classes and their probabilities, the most probable first."""
    pairs = zip(arrays["classes"][row, :most], arrays["probabilities"][row, :most], strict=True)
    return ", ".join(f"{name} {format_share(float(probability))}" for name, probability in pairs)
