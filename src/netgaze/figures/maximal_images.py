"""Which images activate a channel most, and which image would?"""

import math
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor
from tqdm import tqdm

from netgaze.drawing.examples import balanced_choice, to_rgb
from netgaze.drawing.panels import GRAY, SMALL, Sheet, measure_lines, measure_titles, place_columns, wrap_words
from netgaze.errors import NetgazeError
from netgaze.figure import Finding
from netgaze.inside import image_search
from netgaze.inside.layers import flatten_channels, reach
from netgaze.subject import Subject, device_of, evaluating

_RATE = 0.05
_CONTRASTS = (0.01, 0.03, 0.1, 0.3, 1.0, 1.0, 1.0, 1.0)  # deviations of coefficients that are tried
_LUCENT_SIZE = 128  # pixels for which the distances below are meant
_PAD, _SHIFTS = 12, (4, 2)
_FACTORS = [1 + (number - 5) / 50 for number in range(11)]
_DEGREES = [*range(-10, 11), 0, 0, 0, 0, 0]
_GAP = 0.16  # inches between the optimized image and the others


class MaximalImages:
    """The images of the data that a channel answers most, beside an image made for it.

    An image's score for a channel is the channel's maximum over places (Zeiler and Fergus 2014's nine strongest).
    The other image is found by gradient on the channel's mean, as Lucent does after Olah et al. 2017: Fourier
    coefficients and Adam at 0.05; in each step the image is padded, shifted, scaled, turned and shifted at random.
    Deviations: distances are Lucent's in proportion to its 128 pixels, shifts bring in at one side what leaves at the
    other, and the network sees the middle of the result, of the size that it knows; where a channel is silent on the
    gray noise to start from, noise of more and more contrast is tried. Images are shown upright to a
    rotation network, too.

    Numbers, for each channel shown:
        `channel <k>/optimized`: the maximum over places for the optimized image, as it is shown.
        `channel <k>/best_image`: the largest score of an image; `channel <k>/median_image`: the median score.
        `dead_channels`: share of all channels with the same score for all scored images, 0..1; `num_scored`: of them.

    Args:
        layer: a `named_modules` name; null for the last of the model's stages.
        channels: their numbers; null for some by the seed that are not dead.
        num_channels: how many, where they are not named.
        num_each: images of each channel.
        num_scored: at most so many images are scored, spread over the classes.
        steps: of the search for the optimized image.
        seed: of the choices, of the image to start from and of the shifts.

    Raises:
        NetgazeError: a number is less than 1.
    """

    title = "Maximal images"
    question = "Which images does a channel answer most, and what would an image look like that is made for it?"
    needs = ("task", "data")
    metrics = ()

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
                raise NetgazeError(f"maximal_images.{name}={value} must be 1 or more.")
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
            layer, device = self._layer(task.model), device_of(task)
            run = reach(task.model, layer)
            images = data.images(split, torch.from_numpy(scored))
            with torch.no_grad():
                parts = [_maxima(run(data.normalize(some).to(device))) for some in images.split(data.test_batch_size)]
            scores = torch.cat(parts).numpy()
            alive = np.flatnonzero(scores.max(axis=0) > scores.min(axis=0))
            channels = self._chosen(alive, scores.shape[1], layer)
            read = image_search.normalize(data.mean, data.std)
            made = self._optimized(subject, run, read, channels, device)
            with torch.no_grad():
                answers = [float(_maxima(run(read(image)))[0, k]) for image, k in zip(made, channels, strict=True)]
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
            own = {"optimized": answers[place], "best_image": scores[:, channel].max()}
            own["median_image"] = np.median(scores[:, channel])
            numbers |= {f"channel {channel}/{name}": float(value) for name, value in own.items()}
        return Finding(numbers, arrays, _caption(layer, len(scored)))

    def _layer(self, model: Any) -> str:
        stages = list(getattr(model, "feature_layers", ()))
        if self.layer is None and not stages:
            raise NetgazeError("maximal_images: this network names no stages. Choose maximal_images.layer=...")
        return self.layer or stages[-1]

    def _chosen(self, alive: np.ndarray, num: int, layer: str) -> np.ndarray:
        """The numbers of the channels that are shown, of `num`."""
        if self.channels is None:
            if not len(alive):
                raise NetgazeError(f"maximal_images: no channel of {layer} tells images apart. Choose another layer.")
            return np.sort(np.random.default_rng(self.seed).permutation(alive)[: self.num_channels])
        for channel in self.channels:
            if not 0 <= channel < num:
                raise NetgazeError(f"maximal_images.channels: {layer} has channels 0 to {num - 1}, and no {channel}.")
        return np.array(self.channels, dtype=np.int64)

    def _optimized(
        self,
        subject: Subject,
        run: image_search.Transform,
        read: image_search.Transform,
        channels: np.ndarray,
        device: torch.device,
    ) -> list[Tensor]:
        """An image [1,C,S,S] for each channel."""
        size, found = subject.data.image_size, list[Tensor]()
        title, total = f"{subject.label}: optimized images", len(channels) * self.steps
        with tqdm(desc=title, total=total, leave=False, disable=not sys.stderr.isatty()) as bar:
            for channel in channels.tolist():
                generator = torch.Generator().manual_seed(self.seed)
                start = partial(image_search.Fourier, (subject.data.num_channels, size, size), generator)
                image = _answered(start, partial(_negative_mean, channel, image_search.chain([read, run])), device)
                see = image_search.chain([*make_robust(size, generator), read, run])
                loss = partial(_negative_mean, channel, see)
                adam = torch.optim.Adam(image.parameters(), lr=_RATE)
                image_search.search(image, loss, adam, self.steps, lambda step: bar.update())
                found.append(image().detach())
        return found

    def draw(self, findings: dict[str, Finding]) -> Figure:
        """A row a channel, a column a network: the optimized image large, then the strongest images."""
        lefts, width = place_columns(len(findings), left=0.1, gap=0.2)
        across = max(math.ceil(math.sqrt(finding.arrays["images"].shape[1])) for finding in findings.values())
        large = min(0.4 * width, 1.9)
        tile = min((width - large - _GAP) / across, 0.7)
        rows = max(len(finding.arrays["channels"]) for finding in findings.values())
        words = {
            label: [wrap_words(line, width, SMALL) for line in _words(finding)] for label, finding in findings.items()
        }
        above = max(measure_lines(text, SMALL) for column in words.values() for text in column) + 0.04
        down = -(-max(finding.arrays["images"].shape[1] for finding in findings.values()) // across)
        row = above + max(large, down * (tile + 0.14)) + 0.16
        top = 0.15 + measure_titles(list(findings), width)
        sheet = Sheet(top + rows * row)
        for x, (label, finding) in zip(lefts, findings.items(), strict=True):
            sheet.title(x, 0.1, width, label)
            for place, text in enumerate(words[label]):
                y = top + place * row
                sheet.text(x, y, text, SMALL, color=GRAY)
                sheet.image(finding.arrays["optimized"][place], x, y + above, large, large)
                _draw_images(sheet, finding, place, x + large + _GAP, y + above, tile, across)
        return sheet.figure


def _answered(
    start: Callable[[float], image_search.Fourier], loss: image_search.Transform, device: torch.device
) -> image_search.Fourier:
    """The first image to which a channel answers at all: behind a ReLU there is no gradient where it is silent."""
    for contrast in _CONTRASTS:
        image = start(contrast).to(device)
        (gradient,) = torch.autograd.grad(loss(image()), image.coefficients)
        if gradient.any():
            break
    return image


def make_robust(size: int, generator: torch.Generator) -> list[image_search.Transform]:
    """What an image of `size` pixels goes through before a network sees it, so that it cannot rely on exact places."""
    share = size / _LUCENT_SIZE
    first, second = (max(1, round(most * share)) for most in _SHIFTS)
    return [
        image_search.pad(max(1, round(_PAD * share))),
        image_search.jitter(first, generator),
        image_search.random_scale(_FACTORS, generator),
        image_search.random_rotate(_DEGREES, generator),
        image_search.jitter(second, generator),
        partial(_middle, size),
    ]


def _middle(size: int, image: Tensor) -> Tensor:
    top, left = ((side - size) // 2 for side in image.shape[2:])
    return image[:, :, top : top + size, left : left + size]


def _negative_mean(channel: int, see: image_search.Transform, image: Tensor) -> Tensor:
    return -image_search.channel_mean(channel, see(image))


def _maxima(activation: Tensor) -> Tensor:
    """The maximum of each channel over places, [B,C]."""
    return flatten_channels(activation).amax(dim=2).float().cpu()


def _caption(layer: str, num: int) -> str:
    return (
        f"Of {layer}: left an image optimized for the channel's mean, right the images, of {num}, with the largest "
        "maximum over places, which is the number below each. Channels have no order: the same number in two networks "
        "is not the same thing."
    )


def _words(finding: Finding) -> list[str]:
    words = []
    for channel in finding.arrays["channels"]:
        own = {
            name: finding.numbers[f"channel {channel}/{name}"] for name in ("optimized", "best_image", "median_image")
        }
        words.append(
            f"channel {channel}: optimized {_short(own['optimized'])}, best image {_short(own['best_image'])}, "
            f"median {_short(own['median_image'])}"
        )
    return words


def _short(value: float) -> str:
    """A number of about three digits."""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:z.{digits}f}"


def _draw_images(sheet: Sheet, finding: Finding, place: int, x: float, y: float, tile: float, across: int) -> None:
    images, scores = finding.arrays["images"][place], finding.arrays["scores"][place]
    for number, (image, score) in enumerate(zip(images, scores, strict=True)):
        left, top = x + number % across * tile, y + number // across * (tile + 0.14)
        sheet.image(image, left, top, tile * 0.92, tile * 0.92)
        sheet.text(left + tile * 0.46, top + tile * 0.92 + 0.01, _short(float(score)), SMALL, ha="center", color=GRAY)
