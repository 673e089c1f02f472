"""Augmented views: are two views of one image similar to the network, and views of two images not?"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure as Picture
from matplotlib.patches import Patch
from torch.nn import functional as F

from netgaze.drawing.examples import choose_examples, to_rgb
from netgaze.drawing.panels import RIGHT, TEXT, WIDTH, WRONG, Sheet
from netgaze.drawing.rows import Columns, Row, align, lay_out, make_aside, make_bands, make_legend, stack
from netgaze.drawing.tiles import Tile, make_tiles
from netgaze.errors import NetgazeError
from netgaze.figure import Figure, Finding, group_equal
from netgaze.glossary import Glossary, Meaning
from netgaze.measures.collapse import alignment, uniformity
from netgaze.measures.pixels import to_floats
from netgaze.subject import Subject
from netgaze.text import format_value

_LEFT, _HEIGHT, _BINS = 0.75, 1.5, np.linspace(-1, 1, 61).tolist()
_PAIRS = {"two views of an image": ("same", RIGHT), "views of two images": ("other", WRONG)}


class Views(Figure):
    """Images as training augments them, and the cosines between the features of augmented views.

    Each network uses its own data's augmentation: alignments under different augmentations do not compare. The random
    draws are fixed.

    Args:
        num_examples: images whose views are shown.
        num_images: images measured, evenly spaced over the split.
        indices: images of the split to show instead.
        seed: of the images shown.
    """

    title = "Augmented views"
    question = "Are two views of an image similar to the network, and views of two images not?"
    look_for = (
        "Two separate histograms: views of one image near cosine 1, views of two images far below. Good features have "
        "both a low alignment and a low uniformity."
    )
    pitfall = (
        "Alignment alone is no virtue: a collapsed network has 0. Weak augmentation makes views similar for any "
        "network, the untrained one included, so compare only networks with the same augmentation."
    )
    needs = ("data", "features")
    metrics = ("alignment", "uniformity")
    glossary = Glossary(
        {
            "alignment": Meaning(
                "alignment",
                "Mean squared distance of the normalized features of two views (Wang and Isola 2020): 0 if they are "
                "equal, as also in a collapsed network.",
                "",
                "lower",
            ),
            "uniformity": Meaning(
                "uniformity",
                "How evenly normalized features are spread over the sphere, log of mean exp(-2 distance²): 0 for a "
                "collapsed network, about -4 at best.",
                "",
                "lower",
            ),
            "num_images": Meaning("images", "How many, with two views each."),
        }
    )

    def __init__(
        self,
        *,
        num_examples: int = 8,
        num_images: int = 1000,
        indices: Sequence[int] | None = None,
        seed: int = 0,
    ):
        self.num_examples, self.num_images, self.indices, self.seed = num_examples, num_images, indices, seed

    def compute(self, subject: Subject) -> Finding:
        """Examples [E,H,W,3], two views of each [2,E,H,W,3], cosines of views of one image and of two, [N] each."""
        data, split = subject.data, subject.split
        if data.augment is None:
            raise NetgazeError("The data has no augmentation (data.augment=null), so there are no views.")
        labels = data.labels(split)
        shown = torch.from_numpy(choose_examples(labels.numpy(), self.num_examples, self.seed, self.indices))
        measured = torch.linspace(0, len(labels) - 1, min(self.num_images, len(labels))).long()
        first, second = (to_floats(subject.features_of(view)) for view in data.draw_views(split, measured, 2))
        numbers = {
            "alignment": alignment(first, second),
            "uniformity": uniformity(first),
            "num_images": len(measured),
        }
        arrays = {
            "images": to_rgb(data.images(split, shown)),
            "views": np.stack([to_rgb(view) for view in data.draw_views(split, shown, 2)]),
            "same": F.cosine_similarity(first, second).numpy(),
            "other": F.cosine_similarity(first, second.roll(1, 0)).numpy(),
        }
        caption = (
            f"Cosines between the features of two views, for {len(measured):,} images of the {split} split, under the "
            "augmentation that the network was trained with."
        )
        return Finding(numbers, arrays, caption)

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """Per augmentation the examples, then a histogram per network trained with it."""
        patches = [Patch(color=color, alpha=0.6, label=label) for label, (_, color) in _PAIRS.items()]
        rows = [Row(0.1)]
        for group in group_equal(findings, ("images", "views")):
            rows += [_make_examples(next(iter(group.values()))), make_bands(group, _make_plots, left=0.6, gap=0.35)]
        return lay_out([*rows, make_legend(patches, height=0.3, above=0.05, columns=2)])


def _make_examples(finding: Finding) -> Row:
    """A line of images, then a line of their first views and one of their second."""
    arrays = finding.arrays
    pitch = min(1.0, (WIDTH - _LEFT - 0.1) / len(arrays["images"]))
    lines = {"image": arrays["images"], "a view": arrays["views"][0], "another": arrays["views"][1]}
    return stack(
        align([make_aside(name, 0.1, pitch, TEXT), make_tiles([Tile(picture) for picture in pictures], _LEFT, pitch)])
        for name, pictures in lines.items()
    )


def _make_plots(findings: Mapping[str, Finding], columns: Columns) -> list[Row]:
    def draw(sheet: Sheet, y: float) -> None:
        for x, finding in zip(columns.lefts, findings.values(), strict=True):
            axes = sheet.axes(
                x, y, columns.width, _HEIGHT, xlim=(-1, 1), xticks=[-1, 0, 1], yticks=[], xlabel="cosine", size=TEXT
            )
            for name, color in _PAIRS.values():
                axes.hist(finding.arrays[name], _BINS, color=color, alpha=0.6, histtype="stepfilled")

    captions = columns.captions(map(_describe, findings.values()), below=0.08)
    return [columns.titles(findings), captions, Row(_HEIGHT + 0.45, draw)]


def _describe(finding: Finding) -> str:
    return ", ".join(f"{name} {format_value(finding.numbers[name])}" for name in Views.metrics)
