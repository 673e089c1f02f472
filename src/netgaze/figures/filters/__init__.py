"""What do the filters look like?"""

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


class Filters(Figure):
    """All filters of some convolutions, a picture per layer.

    Filters on three channels or one (the first layer, on images) are RGB or gray tiles, each on its own scale with
    zero as middle gray, so that faint ones can be read; those whose norm is below 1 % of the layer's largest are
    crossed out. Deeper layers are a grid of signed k x k tiles, a row for each filter (output channel) and a column
    for each input channel, on one scale for the layer.

    Args:
        layers: their `named_modules` names; null for the two that the model names itself.
        save_each: True also writes each filter as an image of its own, of its true size.
    """

    title = "Filters"
    question = "What do the filters of the network look like, beside those of an untrained one?"
    needs = ("task",)
    glossary = Glossary(
        {
            "<layer>/dead": Meaning(
                "<layer>: dead filters", "Share whose norm is below 1 % of the layer's largest.", "%", "lower"
            ),
            "<layer>/norm_std": Meaning(
                "<layer>: spread of norms",
                "Standard deviation of the norms over their mean; random weights have about 1 / sqrt(2 * weights of "
                "a filter).",
            ),
            "<layer>/smoothness": Meaning(
                "<layer>: smoothness",
                "1 - mean squared difference of neighboring weights / (2 * mean square), von Neumann's ratio: about "
                "0 for white noise, as untrained weights are, towards 1 for smooth shapes; for kernels larger than 1 "
                "x 1.",
            ),
            "<layer>/color": Meaning(
                "<layer>: color",
                "Of RGB filters, share of the energy that is not the same in all channels: about 67 % for random "
                "weights, 0 for gray ones.",
                "%",
            ),
        }
    )

    def __init__(self, *, layers: Sequence[str] | None = None, save_each: bool = False):
        self.layers, self.save_each = layers, save_each

    def compute(self, subject: Subject) -> Finding:
        """The weights of each layer, [out,in,k,k], and their numbers.

        Raises:
            NetgazeError: there is no layer to show, or one does not exist or is no two-dimensional convolution.
        """
        model = subject.task.model
        names = list(model.filter_layers if self.layers is None else self.layers)
        if not names:
            raise NetgazeError("filters: this network has no convolution (nn.Conv2d) whose filters could be shown.")
        arrays = {"layers": np.array(names)}
        numbers: dict[str, float] = {}
        for place, name in enumerate(names):
            weights = _find_convolution(model, name).weight.detach().float().cpu().numpy()
            arrays[f"weights{place}"] = weights
            numbers |= {f"{name}/{what}": value for what, value in measure_filters(weights).items()}
        caption = (
            "Filters on images: each on its own scale, zero is middle gray, × marks norms below 1 % of the largest. "
            "Other filters: a row per filter, a column per input channel, one scale per layer."
        )
        return Finding(numbers, arrays, caption)

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A column per network, a row per layer."""
        return lay_out_columns(findings, _list_cells, left=0.5, gap=0.5)

    def files(self, finding: Finding) -> dict[str, np.ndarray]:
        """Each filter as an image of its own, k x k pixels for each channel shown, if `save_each`."""
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
        raise NetgazeError(f"{name} is no convolution of this network. Nearest names: {', '.join(near)}.")
    return layers[name]


def _list_cells(finding: Finding, x: float, width: float) -> Iterator[Row]:
    """What a column at x shows: each layer's words, then its filters."""
    for place, layer in enumerate(finding.arrays["layers"]):
        weights = finding.arrays[f"weights{place}"]
        words = wrap_words(_describe(finding.numbers, str(layer), weights.shape), width, SMALL)
        yield make_text(words, x + width / 2, SMALL, below=0.12, ha="center", color=GRAY)
        yield stack_layer(weights, x, width)


def _describe(numbers: Mapping[str, float], layer: str, shape: Sequence[int]) -> str:
    said = [
        f"{what.replace('_', ' ')} {numbers[f'{layer}/{what}']:z.2f}"
        for what in ("smoothness", "color", "norm_std", "dead")
        if numbers.get(f"{layer}/{what}") is not None
    ]
    return f"{layer}: {shape[0]} filters of {shape[1]} x {shape[2]} x {shape[3]}\n{', '.join(said)}"
