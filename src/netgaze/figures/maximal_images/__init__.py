"""Maximally activating images of a channel, beside an image optimized for it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure as Picture
from torch import Tensor

from netgaze.drawing.examples import balanced_choice, to_rgb
from netgaze.drawing.panels import GRAY, SMALL
from netgaze.drawing.rows import Row, align, lay_out_columns, make_text, stack
from netgaze.drawing.tiles import Tile, make_tiles
from netgaze.drawing.words import wrap_words
from netgaze.errors import NetgazeError
from netgaze.figure import Figure, Finding
from netgaze.figures.maximal_images.search import optimize_images
from netgaze.glossary import Glossary, Meaning
from netgaze.inside import image_search
from netgaze.inside.layers import flatten_channels, reach
from netgaze.subject import Subject, device_of, evaluating
from netgaze.text import format_value

_GAP = 0.16  # inches between the optimized image and the others


class MaximalImages(Figure):
    """The images of the data that activate a channel most, beside an image optimized for the channel.

    An image's score for a channel is the channel's maximum over positions (Zeiler and Fergus 2014's nine strongest).
    The optimized image is found by gradient ascent on the channel's mean, as Lucent does after Olah et al. 2017:
    Fourier coefficients and Adam at 0.05; each step pads, shifts, scales, rotates and shifts the image at random.
    Deviations: distances are Lucent's in proportion to its 128 pixels; shifts wrap around; the network sees the center
    of the result, cropped to its input size; if a channel is silent on the gray noise at the start, noise of more and
    more contrast is tried. A rotation network also sees the images upright.

    Args:
        layer: a `named_modules` name; null for the model's last stage.
        channels: their numbers; null for some drawn by the seed that are not dead.
        num_channels: how many, if they are not named.
        num_each: images per channel.
        num_scored: at most; spread over the classes.
        steps: of the search for the optimized image.
        seed: of the channels, the scored images, the starting noise and the random transforms.

    Raises:
        NetgazeError: a number is less than 1.
    """

    title = "Maximally activating images"
    question = "Which images activate a channel most, and which pattern does the channel prefer?"
    look_for = (
        "What the strongest images share, and whether the optimized image shows the same pattern and activates the "
        "channel more than any of them. A best image far above the median marks a selective channel."
    )
    pitfall = (
        "Every channel has strongest images, untrained ones too, and the eye finds a pattern in any nine: compare with "
        "the untrained network. The optimized image can be unlike every real one, and a channel has no counterpart of "
        "the same number in another network."
    )
    needs = ("task", "data")
    glossary = Glossary(
        {
            "channel <k>/optimized": Meaning(
                "channel <k>: optimized image", "Maximum over positions for the optimized image as shown."
            ),
            "channel <k>/best_image": Meaning("channel <k>: best image", "The largest score of an image."),
            "channel <k>/median_image": Meaning("channel <k>: median image", "The median of the images' scores."),
            "dead_channels": Meaning(
                "constant channels", "Share of all channels with the same score for all scored images.", "%", "lower"
            ),
            "num_scored": Meaning("images scored"),
        }
    )

    def __init__(
        self,
        *,
        layer: str | None = None,
        channels: Sequence[int] | None = None,
        num_channels: int = 4,
        num_each: int = 9,
        num_scored: int = 1000,
        steps: int = 128,
        seed: int = 0,
    ):
        numbers = {"num_channels": num_channels, "num_each": num_each, "num_scored": num_scored, "steps": steps}
        for name, value in numbers.items():
            if value < 1:
                raise NetgazeError(f"figure.maximal_images.{name}={value} must be 1 or more.")
        self.layer, self.channels, self.num_channels = layer, channels, num_channels
        self.num_each, self.num_scored, self.steps, self.seed = num_each, num_scored, steps, seed

    def compute(self, subject: Subject) -> Finding:
        """Of c `channels` [c]: n `images` [c,n,H,W,3] with `index` and `scores` [c,n], and `optimized` [c,H,W,3].

        Images are uint8, indices those of the split, the strongest first.

        Raises:
            NetgazeError: no such layer or channel.
        """
        data, split = subject.data, subject.split
        scored = balanced_choice(data.labels(split).numpy(), self.num_scored, self.seed)
        task = subject.task
        with evaluating(task):
            task.requires_grad_(False)
            layer, device = self._choose_layer(task.model), device_of(task)
            run = reach(task.model, layer)
            images = data.images(split, torch.from_numpy(scored))
            with torch.no_grad():
                parts = [
                    _find_maxima(run(data.normalize(some).to(device))) for some in images.split(data.test_batch_size)
                ]
            scores = torch.cat(parts).numpy()
            alive = np.flatnonzero(scores.max(axis=0) > scores.min(axis=0))
            channels = self._choose_channels(alive, scores.shape[1], layer)
            read = image_search.normalize(data.mean, data.std)
            shape, title = (data.num_channels, *images.shape[2:]), f"{subject.label}: optimized images"
            made = optimize_images(run, read, channels.tolist(), shape, self.steps, self.seed, device, title)
            with torch.no_grad():
                activations = [
                    float(_find_maxima(run(read(image)))[0, k]) for image, k in zip(made, channels, strict=True)
                ]
        top = np.argsort(-scores[:, channels], axis=0, kind="stable")[: self.num_each].T
        arrays: dict[str, np.ndarray] = {
            "channels": channels,
            "index": scored[top],
            "scores": scores[top, channels[:, None]],
            "images": np.stack([to_rgb(images[torch.from_numpy(row)]) for row in top]),
            "optimized": np.concatenate([to_rgb((image * 255).round().to(torch.uint8).cpu()) for image in made]),
        }
        numbers: dict[str, Any] = {"dead_channels": 1 - len(alive) / scores.shape[1], "num_scored": len(scored)}
        for place, channel in enumerate(channels):
            own = {"optimized": activations[place], "best_image": scores[:, channel].max()}
            own["median_image"] = np.median(scores[:, channel])
            numbers |= {f"channel {channel}/{name}": float(value) for name, value in own.items()}
        return Finding(numbers, arrays, _write_caption(layer, len(scored)))

    def _choose_layer(self, model: Any) -> str:
        stages = list(getattr(model, "feature_layers", ()))
        if self.layer is None and not stages:
            raise NetgazeError("This network names no stages. Choose a layer: figure.maximal_images.layer=conv1.")
        return self.layer or stages[-1]

    def _choose_channels(self, alive: np.ndarray, num: int, layer: str) -> np.ndarray:
        """The numbers of the channels shown, out of `num`."""
        if self.channels is None:
            if not len(alive):
                raise NetgazeError(
                    f"No channel of {layer} differs between images. Set another figure.maximal_images.layer."
                )
            return np.sort(np.random.default_rng(self.seed).permutation(alive)[: self.num_channels])
        for channel in self.channels:
            if not 0 <= channel < num:
                raise NetgazeError(
                    f"{layer} has no channel {channel}. Set figure.maximal_images.channels to some of 0 to {num - 1}."
                )
        return np.array(self.channels, dtype=np.int64)

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A row per channel, a column per network: the optimized image, large, then the strongest images."""
        return lay_out_columns(findings, _list_cells)


def _find_maxima(activation: Tensor) -> Tensor:
    """The maximum of each channel over positions, [B,C]."""
    return flatten_channels(activation).amax(dim=2).float().cpu()


def _write_caption(layer: str, num: int) -> str:
    return (
        f"Channels of {layer}. Left: an image optimized for the channel's mean. Right: of {num:,} images those with "
        "the largest activation at any position, which is the number below each. Channels have no order: the same "
        "number in two networks is not the same channel."
    )


def _list_cells(finding: Finding, x: float, width: float) -> Iterator[Row]:
    """A column at x: each channel's numbers, then its images."""
    for place, channel in enumerate(finding.arrays["channels"]):
        names = ("optimized", "best_image", "median_image")
        made, best, median = (format_value(finding.numbers[f"channel {channel}/{name}"]) for name in names)
        words = f"channel {channel}: optimized {made}, best image {best}, median {median}"
        yield make_text(wrap_words(words, width, SMALL), x, SMALL, below=0.04, color=GRAY)
        yield _make_images(finding, place, x, width)


def _make_images(finding: Finding, place: int, x: float, width: float) -> Row:
    """A channel of one network: the optimized image, large, and to its right the others with their scores."""
    images, scores = finding.arrays["images"][place], finding.arrays["scores"][place]
    across, large = math.ceil(math.sqrt(len(images))), min(0.4 * width, 1.9)
    pitch = min((width - large - _GAP) / across, 0.7)
    tiles = [
        Tile(image, format_value(float(score)), style={"color": GRAY})
        for image, score in zip(images, scores, strict=True)
    ]
    optimized = make_tiles([Tile(finding.arrays["optimized"][place])], x, large, gap=0)
    return align([optimized, stack([make_tiles(tiles, x + large + _GAP, pitch, 0.08 * pitch, across), Row(0.1)])])
