"""The filters of convolutions as pictures."""

import difflib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure as Picture
from torch import nn

from netgaze.drawing.panels import GRAY, SMALL
from netgaze.drawing.rows import Row, lay_out_columns, make_text
from netgaze.drawing.words import wrap_words
from netgaze.errors import NetgazeError
from netgaze.figure import Figure, Finding
from netgaze.figures.filters.grids import DEAD, color_tiles, is_tiled, paste_grid, stack_layer, tile_rgb
from netgaze.glossary import Glossary, Meaning
from netgaze.subject import Subject

_SHOWN = (
    ("smoothness", "smoothness", "z.2f"),
    ("color", "color", ".0%"),
    ("norm_std", "spread of norms", "z.2f"),
    ("dead", "dead", ".0%"),
)


class Filters(Figure):
    """All filters of some convolutions, one picture per layer.

    Filters on three channels or one (the first layer, on images) are RGB or gray tiles, each on its own scale with
    zero as middle gray, so that faint ones are visible; those with a norm below 1% of the layer's largest are crossed
    out. Deeper layers are a grid of signed k x k tiles, a row per filter (output channel) and a column per input
    channel, on one scale for the layer.

    Args:
        layers: their `named_modules` names; null for the model's own two (`filter_layers`).
        save_each: True also writes each filter as an image file in its true size.
    """

    title = "Filters"
    question = "What do the network's filters look like, compared with those of the untrained network?"
    look_for = (
        "Edges, bars and color blobs in the first layer, which the untrained network does not have. Higher smoothness "
        "and fewer dead filters than in the untrained network are signs of learning."
    )
    pitfall = (
        "In the first layer each filter has its own scale, so a faint one looks as strong as any. Filters of 3 x 3 "
        "look alike whatever they do, and deeper filters combine channels: their tiles cannot be read as images."
    )
    needs = ("task",)
    glossary = Glossary(
        {
            "<layer>/dead": Meaning(
                "<layer>: dead filters", "Share with a norm below 1% of the layer's largest.", "%", "lower"
            ),
            "<layer>/norm_std": Meaning(
                "<layer>: spread of norms",
                "Standard deviation of the filters' norms over their mean; about 1 / sqrt(2 * weights per filter) "
                "if untrained.",
            ),
            "<layer>/smoothness": Meaning(
                "<layer>: smoothness",
                "1 - mean squared difference of neighboring weights / (2 * mean square), after von Neumann: about 0 "
                "for untrained weights (white noise), toward 1 for smooth shapes. Not for 1 x 1 kernels.",
            ),
            "<layer>/color": Meaning(
                "<layer>: color",
                "Of RGB filters: share of the energy that differs between the channels, about 67% if untrained, 0 for "
                "gray filters.",
                "%",
            ),
        }
    )

    def __init__(self, *, layers: Sequence[str] | None = None, save_each: bool = False):
        self.layers, self.save_each = layers, save_each

    def compute(self, subject: Subject) -> Finding:
        """The weights of each layer, [out,in,k,k], and their numbers.

        Raises:
            NetgazeError: there is no layer to show, or a layer does not exist or is no two-dimensional convolution.
        """
        model = subject.task.model
        names = list(model.filter_layers if self.layers is None else self.layers)
        if not names:
            raise NetgazeError("This network has no convolution (nn.Conv2d), so there are no filters to show.")
        arrays = {"layers": np.array(names)}
        numbers: dict[str, float] = {}
        for place, name in enumerate(names):
            weights = _find_convolution(model, name).weight.detach().float().cpu().numpy()
            arrays[f"weights{place}"] = weights
            numbers |= {f"{name}/{what}": value for what, value in measure_filters(weights).items()}
        caption = (
            "First layer: each filter on its own scale, zero is middle gray, × marks a norm below 1% of the largest. "
            "Deeper layers: a row per filter, a column per input channel, one scale per layer."
        )
        return Finding(numbers, arrays, caption)

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A column per network, a row per layer."""
        return lay_out_columns(findings, _list_cells, left=0.5, gap=0.5)

    def files(self, finding: Finding) -> dict[str, np.ndarray]:
        """If `save_each`: each filter as an image file, k x k pixels per channel shown."""
        if not self.save_each:
            return {}
        images = {}
        for place, name in enumerate(finding.arrays["layers"]):
            weights = finding.arrays[f"weights{place}"]
            for number in range(len(weights)):
                tiles = tile_rgb(weights[number : number + 1]) if is_tiled(weights) else color_tiles(weights)[[number]]
                images[f"{name}_{number:03d}"] = paste_grid(tiles.reshape(-1, *tiles.shape[-3:]), gap=0)
        return images


def measure_filters(weights: np.ndarray) -> dict[str, float]:
    """The numbers of one layer's filters [out,in,k,k]; see `Filters`."""
    norms = np.sqrt((weights.astype(np.float64) ** 2).sum(axis=(1, 2, 3)))
    numbers = {"dead": float((norms < DEAD * norms.max()).mean()), "norm_std": float(norms.std() / norms.mean())}
    energy = float((weights**2).mean())
    if weights.shape[-1] > 1 and energy > 0:
        steps = [np.diff(weights, axis=axis).ravel() for axis in (2, 3)]
        numbers["smoothness"] = 1 - float((np.concatenate(steps) ** 2).mean()) / (2 * energy)
    if weights.shape[1] == 3 and energy > 0:
        numbers["color"] = float(((weights - weights.mean(axis=1, keepdims=True)) ** 2).mean()) / energy
    return numbers


def _find_convolution(model: nn.Module, name: str) -> nn.Conv2d:
    layers = {path: layer for path, layer in model.named_modules() if isinstance(layer, nn.Conv2d)}
    if name not in layers:
        near = difflib.get_close_matches(name, layers, n=3, cutoff=0.0)
        raise NetgazeError(
            f"figure.filters.layers: {name} is no convolution of this network. Choose one such as {', '.join(near)}."
        )
    return layers[name]


def _list_cells(finding: Finding, x: float, width: float) -> Iterator[Row]:
    """A column at x: each layer's numbers, then its filters."""
    for place, layer in enumerate(finding.arrays["layers"]):
        weights = finding.arrays[f"weights{place}"]
        words = wrap_words(_describe(finding.numbers, str(layer), weights.shape), width, SMALL)
        yield make_text(words, x + width / 2, SMALL, below=0.12, ha="center", color=GRAY)
        yield stack_layer(weights, x, width)


def _describe(numbers: Mapping[str, float], layer: str, shape: Sequence[int]) -> str:
    said = [
        f"{words}\u00a0{numbers[f'{layer}/{what}']:{form}}"
        for what, words, form in _SHOWN
        if numbers.get(f"{layer}/{what}") is not None
    ]
    return f"{layer}: {shape[0]} filters of {shape[1]} x {shape[2]} x {shape[3]}\n{', '.join(said)}"
