"""Which channels of a layer respond to an image, and which never do?"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from torch import Tensor

from netgaze.drawing.examples import to_rgb
from netgaze.drawing.panels import (
    GRAY,
    SEQUENTIAL,
    SIGNED,
    SMALL,
    Sheet,
    color_signed,
    fill_rows,
    measure_lines,
    measure_titles,
    place_columns,
    shorten,
    wrap_words,
)
from netgaze.drawing.shown_layers import check_images, choose_layers, describe_left_out, name_images, to_maps
from netgaze.errors import NetgazeError
from netgaze.figure import Finding
from netgaze.inside.layers import reach_all
from netgaze.subject import Subject, device_of, evaluating

_SCALES = ("layer", "channel")
_PICTURE, _LEAST_PITCH, _MOST_PITCH, _GAP = 1.3, 0.4, 0.95, 0.05  # inches: the image, from map to map, between them
_NUMBER, _BAR = 0.15, 0.55  # inches: a line below a map, a color bar with what is said of it
_QUANTILE = 0.99
_MOST_ACROSS = 8  # of a few maps; of many a grid about twice as wide as high


class FeatureMaps:
    """The maps of layers for an image, shallow to deep, strongest channel first.

    A channel's strength is its mean absolute activation over places, and over the images shown, so that a place in
    the grid is the same channel for all images of a network. Tokens are shown on their grid, without those in front of
    it (class tokens); features without places as maps of one pixel. Images are shown upright to a rotation network.

    Numbers, for each layer, over all images of the split:
        `<layer>/dead`: share of channels that are above zero at no place of any image, 0..1.
        `<layer>/active`: share of values above zero, 0..1.
        `<layer>/channels`, `<layer>/height`, `<layer>/width`: of the maps.
        `num_scored`: how many images.

    Args:
        layers: `named_modules` names; null for the first layer with filters and the model's stages.
        channels: at most so many are shown of a layer; null for all.
        scale: of colors, "layer" (one for all maps of a layer that are shown of a network, full at the 99th percentile
            of magnitudes, so that a single place leaves the others visible) or "channel" (each its own, full at its
            largest magnitude, which is written below it).
        indices: images of the split; null for one by the seed. At most six are shown.
        images: a person's own picture files in their place, fitted as the data's images are.
        seed: of the choice of the image.

    Raises:
        NetgazeError: arguments that exclude each other or are out of range.
    """

    title = "Feature maps"
    question = "What do the channels of each layer answer to an image?"
    needs = ("task", "data")
    metrics = ()

    def __init__(
        self,
        *,
        layers: Sequence[str] | None = None,
        channels: int | None = 16,
        scale: str = "layer",
        indices: Sequence[int] | None = None,
        images: Sequence[str] | None = None,
        seed: int = 0,
    ):
        check_images("feature_maps", indices, images)
        if channels is not None and channels < 1:
            raise NetgazeError(f"feature_maps.channels={channels} must be 1 or more, or null for all.")
        if scale not in _SCALES:
            raise NetgazeError(f"feature_maps.scale={scale} is not known. It is one of {', '.join(_SCALES)}.")
        self.layers, self.channels, self.scale = layers, channels, scale
        self.indices, self.images, self.seed = indices, images, seed

    def compute(self, subject: Subject) -> Finding:
        """Images [n,H,W,3] uint8 with `names` [n]; of layer j `maps<j>` [n,c,h,w], `channels<j>` and `dead<j>` [c].

        Raises:
            NetgazeError: no such layer, or one that gives no maps.
        """
        names, images = name_images(subject, self.indices, self.images, self.seed)
        model = subject.task.model
        with evaluating(subject.task), torch.no_grad():
            layers = choose_layers(model, self.layers, stem=True, key="feature_maps.layers")
            shown = subject.data.normalize(images).to(device_of(subject.task))
            found = reach_all(model, layers)(shown)
            alive, active = _over_split(subject, model, layers)
        arrays = {"images": to_rgb(images), "names": np.array(names), "layers": np.array(layers)}
        numbers: dict[str, Any] = {"num_scored": len(subject.data.labels(subject.split))}
        for j, layer in enumerate(layers):
            maps, dead = to_maps(found[layer], layer).float().cpu().numpy(), ~alive[layer].numpy()
            order = np.argsort(-np.abs(maps).mean(axis=(0, 2, 3)), kind="stable")[: self.channels]
            arrays |= {f"maps{j}": maps[:, order], f"channels{j}": order, f"dead{j}": dead[order]}
            own = {"dead": float(dead.mean()), "active": active[layer]}
            own |= dict(zip(("channels", "height", "width"), maps.shape[1:], strict=True))
            numbers |= {f"{layer}/{name}": value for name, value in own.items()}
        return Finding(numbers, arrays, self._caption(subject, numbers["num_scored"]))

    def _caption(self, subject: Subject, num: int) -> str:
        few = "" if self.channels is None else f"at most {self.channels} "
        scale = (
            "One color scale a layer, full at the 99th percentile." if self.scale == "layer" else "Each channel has "
        )
        scale += "" if self.scale == "layer" else "its own color scale, full at the magnitude written below."
        return (
            f"Of each layer {few}channels by their mean absolute activation over places, strongest first; below each "
            f"map its channel's number. {scale} × marks channels that are dead: above zero at no place of any of the "
            f"{num} images of {subject.split}. Channels have no order: the same number in two networks is not the "
            "same thing." + describe_left_out(self.images or self.indices)
        )

    def draw(self, findings: dict[str, Finding]) -> Figure:
        """A column a network; for each image itself, then its maps layer by layer."""
        lefts, width = place_columns(len(findings), left=0.1, gap=0.25)
        blocks = [
            [_Block(finding, j, width, self.scale) for j in range(len(finding.arrays["layers"]))]
            for finding in findings.values()
        ]
        heights = [max(column[j].height for column in blocks if j < len(column)) for j in range(max(map(len, blocks)))]
        picture = min(_PICTURE, width)
        top, above = 0.2 + measure_titles(list(findings), width), picture + _NUMBER + 0.1
        num = max(len(finding.arrays["images"]) for finding in findings.values())
        sheet = Sheet(top + num * (above + sum(heights)))
        for x, (label, finding), column in zip(lefts, findings.items(), blocks, strict=True):
            sheet.title(x, 0.1, width, label)
            for row, (image, name) in enumerate(zip(finding.arrays["images"], finding.arrays["names"], strict=True)):
                y = top + row * (above + sum(heights))
                sheet.image(image, x + (width - picture) / 2, y, picture, picture)
                name = shorten(str(name), width, SMALL)
                sheet.text(x + width / 2, y + picture + 0.03, name, SMALL, ha="center", color=GRAY)
                for j, block in enumerate(column):
                    block.draw(sheet, row, x, y + above + sum(heights[:j]))
        return sheet.figure


def _over_split(subject: Subject, model: Any, layers: Sequence[str]) -> tuple[dict[str, Tensor], dict[str, float]]:
    """In one pass over the split: which channels are ever above zero, bool [C], and the share of values that are."""
    run, device = reach_all(model, layers), device_of(subject.task)
    counts, totals = dict[str, Tensor](), dict.fromkeys(layers, 0)
    for batch in subject.data.batches(subject.split):
        for layer, output in run(batch.images.to(device)).items():
            maps = to_maps(output, layer)
            num = (maps > 0).sum(dim=(0, 2, 3)).cpu()
            counts[layer] = num + counts.get(layer, torch.zeros_like(num))
            totals[layer] += maps.numel()
    alive = {layer: num > 0 for layer, num in counts.items()}
    return alive, {layer: float(num.sum()) / totals[layer] for layer, num in counts.items()}


class _Block:
    """The maps of one layer of one network in a grid, laid out in inches."""

    def __init__(self, finding: Finding, j: int, width: float, scale: str):
        arrays, layer = finding.arrays, str(finding.arrays["layers"][j])
        self.maps, self.width, self.scale = arrays[f"maps{j}"], width, scale
        self.signed, self.channels = bool(self.maps.min() < 0), arrays[f"channels{j}"]
        self.words = wrap_words(_words(finding.numbers, layer, len(self.channels)), width, SMALL)
        self.tops = np.abs(self.maps).max(axis=(0, 2, 3))
        self.full = float(np.quantile(np.abs(self.maps), _QUANTILE)) or float(self.tops.max()) or 1.0
        self.names = [
            f"{channel} ×" if dead else str(channel)
            for channel, dead in zip(self.channels, arrays[f"dead{j}"], strict=True)
        ]
        if scale == "channel":
            self.names = [f"{name}\n{top:.2g}" for name, top in zip(self.names, self.tops, strict=True)]
        num = len(self.names)
        most = max(1, min(int(width / _LEAST_PITCH), max(_MOST_ACROSS, round((2 * num) ** 0.5))))
        self.down, self.across = fill_rows(num, most)
        self.pitch = min(_MOST_PITCH, width / self.across)
        self.row = self.pitch - _GAP + _NUMBER * (1 + (scale == "channel"))
        self.above = measure_lines(self.words, SMALL) + 0.05
        self.height = self.above + self.down * self.row + _BAR

    def draw(self, sheet: Sheet, number: int, x: float, y: float) -> None:
        """The maps for image `number` at (x, y)."""
        sheet.text(x + self.width / 2, y, self.words, SMALL, ha="center", color=GRAY)
        tops = self.tops if self.scale == "channel" else np.full_like(self.tops, self.full)
        left, side = x + (self.width - self.across * self.pitch + _GAP) / 2, self.pitch - _GAP
        for place, (values, top, name) in enumerate(zip(self.maps[number], tops, self.names, strict=True)):
            tile_x = left + place % self.across * self.pitch
            tile_y = y + self.above + place // self.across * self.row
            sheet.image(_colored(values, float(top), self.signed), tile_x, tile_y, side, side)
            sheet.outline(tile_x, tile_y, side, "#BBBBBB", 0.4)
            sheet.text(tile_x + side / 2, tile_y + side + 0.01, name, SMALL, ha="center", color=GRAY)
        self._draw_bar(sheet, x, y + self.height - _BAR + 0.08)

    def _draw_bar(self, sheet: Sheet, x: float, y: float) -> None:
        wide = min(2.4, self.width)
        words, top = ("activation", self.full) if self.scale == "layer" else ("share of the channel's largest", 1.0)
        ticks, colors = ([-top, 0, top], SIGNED) if self.signed else ([0, top], SEQUENTIAL)
        sheet.bar(x + (self.width - wide) / 2, y, wide, ticks, colors, words)


def _words(numbers: dict[str, Any], layer: str, num: int) -> str:
    own = {name: numbers[f"{layer}/{name}"] for name in ("channels", "height", "width", "dead", "active")}
    few = f"{num} of " if num < own["channels"] else ""
    return (
        f"{layer}: {few}{own['channels']} maps of {own['height']}x{own['width']}; dead {own['dead']:.2f}, values above "
        f"zero {own['active']:.2f}"
    )


def _colored(values: np.ndarray, top: float, signed: bool) -> np.ndarray:
    """Activations [h,w] as a picture uint8 [h,w,3]: signed from -top to top, others from zero to top."""
    colors = color_signed(values, top) if signed else colormaps[SEQUENTIAL](values / (top or 1.0))[..., :3]
    return (colors * 255).round().astype(np.uint8)
