"""Which channels of a layer respond to an image, and which never respond?"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure as Picture
from torch import Tensor

from netgaze.drawing.examples import to_rgb
from netgaze.drawing.rows import lay_out_columns
from netgaze.drawing.shown_layers import check_images, choose_layers, describe_left_out, name_images, to_maps
from netgaze.errors import NetgazeError
from netgaze.figure import Figure, Finding
from netgaze.figures.feature_maps.blocks import list_cells
from netgaze.glossary import Glossary, Meaning
from netgaze.inside.layers import reach_all
from netgaze.subject import Subject, device_of, evaluating

_SCALES = ("layer", "channel")


class FeatureMaps(Figure):
    """The maps of layers for an image, shallow to deep, strongest channel first.

    A channel's strength is its mean absolute activation over positions and over the images shown, so that a cell of the
    grid is the same channel for all images of a network. Tokens are shown on their grid, without those in front of it
    (class tokens); features without positions as maps of one pixel. Images are upright for a rotation network too.

    Args:
        layers: `named_modules` names; null for the first layer with filters and the model's stages.
        channels: at most so many are shown of a layer; null for all.
        scale: of colors, "layer" (one for all maps of a layer that are shown of a network, full at the 99th percentile
            of magnitudes, so that a single place leaves the others visible) or "channel" (each its own, full at its
            largest magnitude, which is written below it).
        indices: images of the split; null for one by the seed. At most six are shown.
        images: your picture files instead, fitted as the data's images are.
        seed: of the choice of the image.

    Raises:
        NetgazeError: arguments that exclude each other or are out of range.
    """

    title = "Feature maps"
    question = "Which channels respond to an image in each layer, and which never respond?"
    look_for = (
        "Follow the image from layer to layer: early maps keep its edges, later maps have fewer positions and respond "
        "to parts. Look for dead channels (×), and how the share of values above zero changes with depth."
    )
    pitfall = (
        "Channels have no order: the same number in two networks is not the same channel. Maps of an untrained network "
        "look like the image too, so compare with it. A channel is dead only on the images of this split, and channels "
        "without a ReLU are rarely dead."
    )
    needs = ("task", "data")
    glossary = Glossary(
        {
            "<layer>/dead": Meaning(
                "<layer>: dead channels",
                "Share of channels that are above zero at no position of any image of the split.",
                "%",
                "lower",
            ),
            "<layer>/active": Meaning("<layer>: values above zero", "Share of all values over the split.", "%"),
            "<layer>/channels": Meaning("<layer>: channels"),
            "<layer>/height": Meaning("<layer>: map height"),
            "<layer>/width": Meaning("<layer>: map width"),
            "num_scored": Meaning("images scored", "Number of images behind both shares."),
        }
    )

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
            raise NetgazeError(f"figure.feature_maps.channels={channels} must be 1 or more, or null for all.")
        if scale not in _SCALES:
            raise NetgazeError(f"figure.feature_maps.scale={scale} is unknown. Choose from {', '.join(_SCALES)}.")
        self.layers, self.channels, self.scale = layers, channels, scale
        self.indices, self.images, self.seed = indices, images or (), seed

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
            alive, active = _count_active(subject, model, layers)
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
            "One color scale per layer, up to the 99th percentile." if self.scale == "layer" else "Each channel has "
        )
        scale += "" if self.scale == "layer" else "its own color scale, up to the magnitude below it."
        return (
            f"Of each layer {few}channels, ordered by mean absolute activation; below each map its channel's number. "
            f"{scale} × marks dead channels: above zero at no position of any of the {num:,} images of the "
            f"{subject.split} split." + describe_left_out(self.images or self.indices)
        )

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """One column per network; for each image itself, then its maps layer by layer."""
        most = max(len(finding.arrays["layers"]) for finding in findings.values())
        return lay_out_columns(findings, partial(list_cells, most=most, scale=self.scale), gap=0.25)


def _count_active(subject: Subject, model: Any, layers: Sequence[str]) -> tuple[dict[str, Tensor], dict[str, float]]:
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
