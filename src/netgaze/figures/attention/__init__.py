"""Which patches does a transformer attend to, and how far does each head look?"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure as Picture
from torch import Tensor

from netgaze.drawing.examples import choose_examples, to_rgb
from netgaze.drawing.heat import POINTING, choose_masked, enlarge, score_pointing
from netgaze.errors import NetgazeError
from netgaze.figure import Figure, Finding
from netgaze.figures.attention.page import draw_networks
from netgaze.glossary import Glossary, Meaning
from netgaze.inside.attention import find_read, read_attention
from netgaze.measures.attention import measure_distance, measure_entropy, roll_out
from netgaze.subject import Subject, device_of, evaluating

_AT_ONCE = 16  # images: the weights of all layers are held at a time


class Attention(Figure):
    """Attention roll-out (Abnar and Zuidema 2020) over images, and how far each head looks (Dosovitskiy et al. 2020).

    Roll-out follows the weights from the network's output token down to the patches, see `measures.attention.roll_out`.
    It uses neither values nor classes. It starts from the tokens that the network reads at its end, found by gradients:
    the class token, or the mean of the patches. The grid is the largest square that the tokens fill; tokens in front of
    it (class, registers) are left out of the map, which shows by how much a patch has more or less than an even share.

    Args:
        num_shared: images that are shown, the same for every network.
        indices: images of the split to show in place of the seed's choice.
        num_images: at most so many images are measured, and scored where they have masks.
        seed: of the choice of images.

    Raises:
        NetgazeError: no image to show or to measure.
    """

    title = "Attention roll-out"
    question = "Which patches does a transformer attend to, and how far does each of its heads look?"
    look_for = (
        "Look for patches with more than an even share of the attention (red), and whether they lie on the object. In "
        "the plots below, compare the heads' attention distances, layer by layer, with even attention (dotted)."
    )
    pitfall = (
        "Attention shows where information may flow, not which information counts: roll-out uses neither the values "
        "nor the class. Compare the maps with those of the untrained network, with the share of images that have the "
        "object in their center, and with maps of evidence (attribution)."
    )
    needs = ("task", "data", "attention")
    glossary = Glossary(
        POINTING
        | {
            "distance": Meaning(
                "attention distance",
                "Mean distance from a patch to the patches that it attends to, weighted by attention (Dosovitskiy et "
                "al. 2020), over patches, heads, images, and layers if none is named.",
                "px",
            ),
            "distance_even": Meaning("distance of even attention", "If all patches had the same weight.", "px"),
            "distance_lowest": Meaning("nearest head", "Smallest attention distance of the layer's heads.", "px"),
            "distance_highest": Meaning("farthest head", "Largest attention distance of the layer's heads.", "px"),
            "entropy": Meaning(
                "attention entropy",
                "Of a token's weights, relative to even attention: 1 if even, 0 if all weight is on one token.",
            ),
            "layer": Meaning("layer", "Counted from 1, starting next to the image."),
            "num_layers": Meaning("layers", "Number of layers with attention."),
            "num_heads": Meaning("heads", "Number of heads in all layers."),
            "map_height": Meaning("map height", "Before enlargement."),
            "map_width": Meaning("map width", "Before enlargement."),
            "num_images": Meaning("images measured", "Number of images behind the distances and entropies."),
            "num_scored": Meaning("images scored", "Number of images with object masks behind the shares on objects."),
        }
    )

    def __init__(
        self, *, num_shared: int = 4, indices: Sequence[int] | None = None, num_images: int = 200, seed: int = 0
    ):
        for name, value in (("num_shared", num_shared), ("num_images", num_images)):
            if value < 1:
                raise NetgazeError(f"figure.attention.{name}={value} must be 1 or more.")
        if indices is not None and not indices:
            raise NetgazeError(
                "figure.attention.indices=[] names no image. Name one, or use null for the seed's choice."
            )
        self.num_shared, self.indices, self.num_images, self.seed = num_shared, indices, num_images, seed

    def compute(self, subject: Subject) -> Finding:
        """Images [n,H,W,3] with their maps [n,H,W]; the layer, distance and entropy of all heads [A]."""
        data, split = subject.data, subject.split
        labels = data.labels(split).numpy()
        shown = choose_examples(labels, self.num_shared, self.seed, self.indices)
        measured, masks = choose_masked(subject, self.num_images, self.num_images, self.seed)
        with evaluating(subject.task):
            examples, seen = _look(subject, shown), _look(subject, measured)
        size, side = data.image_size, seen.maps.shape[-1]
        heads = seen.distances.mean(dim=0), seen.entropies.mean(dim=0)
        distances, entropies = (each.double().cpu().numpy() for each in heads)
        numbers: dict[str, Any] = {
            "distance": float(_by_layer(seen.layers, distances).mean()),
            "distance_even": _measure_even(side, size),
            "entropy": float(_by_layer(seen.layers, entropies).mean()),
            "num_layers": int(seen.layers.max()) + 1,
            "num_heads": len(seen.layers),
            "map_height": side,
            "map_width": side,
            "num_images": len(measured),
        }
        if masks is not None:
            numbers |= score_pointing(enlarge(seen.maps, masks.shape[-2:]), masks) | {"num_scored": len(measured)}
        arrays = {
            "images": to_rgb(data.images(split, shown)),
            "maps": enlarge(examples.maps, (size, size)).numpy(),
            "true": np.array(data.class_names)[labels[shown]],
            "layers": seen.layers,
            "distances": distances,
            "entropies": entropies,
            "reads": np.array(_name_read(seen.read, side)),
        }
        return Finding(numbers, arrays, _write_caption(numbers, str(arrays["reads"]), split))

    def table(self, finding: Finding) -> list[dict[str, Any]]:
        """One row per layer: mean distance and entropy over its heads, and its nearest and farthest head."""
        layers, distances = finding.arrays["layers"], finding.arrays["distances"]
        means = zip(_by_layer(layers, distances), _by_layer(layers, finding.arrays["entropies"]), strict=True)
        return [
            {
                "layer": number + 1,
                "distance": float(distance),
                "distance_lowest": float(distances[layers == number].min()),
                "distance_highest": float(distances[layers == number].max()),
                "entropy": float(entropy),
            }
            for number, (distance, entropy) in enumerate(means)
        ]

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """Two columns per network: the image, and the map over it; below them the attention distance of each head."""
        return draw_networks(findings)


@dataclass(frozen=True)
class _Seen:
    """The attention on images.

    Attributes:
        maps: by how much a patch has more than an even share, in even shares, [B,h,w].
        distances, entropies: of every head, those of the first layer first, [B,A].
        layers: of every head, from 0, [A].
        read: tokens that the network reads at its end, bool [T].
    """

    maps: Tensor
    distances: Tensor
    entropies: Tensor
    layers: np.ndarray
    read: Tensor


def _look(subject: Subject, images: np.ndarray) -> _Seen:
    """Attention on images of the split, indices [B]."""
    batches = _load(subject, images)
    first = next(batches)
    layers = read_attention(subject.model, first)
    read = find_read(subject.model, first[:1])
    parts = [_measure(layers, read, subject.data.image_size)]
    parts += [_measure(read_attention(subject.model, some), read, subject.data.image_size) for some in batches]
    maps, distances, entropies = (torch.cat(each) for each in zip(*parts, strict=True))
    places = np.repeat(np.arange(len(layers)), [weights.shape[1] for weights in layers])
    return _Seen(maps, distances, entropies, places, read)


def _load(subject: Subject, images: np.ndarray) -> Iterator[Tensor]:
    """Images of the split as the network reads them, some at a time."""
    for start in range(0, len(images), _AT_ONCE):
        some = subject.data.images(subject.split, images[start : start + _AT_ONCE])
        yield subject.data.normalize(some).to(device_of(subject.task))


def _measure(layers: Sequence[Tensor], read: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Maps [B,h,w], distances and entropies of all heads [B,A], from weights [B,H,T,T] of images of a size."""
    side = math.isqrt(len(read))
    patches = roll_out(layers, read)[:, -(side**2) :].unflatten(1, (side, side))
    maps = patches / patches.mean(dim=(1, 2), keepdim=True) - 1
    distances = torch.cat([measure_distance(weights, side, size / side) for weights in layers], dim=1)
    return maps.cpu(), distances.cpu(), torch.cat([measure_entropy(weights) for weights in layers], dim=1).cpu()


def _measure_even(side: int, size: int) -> float:
    """The attention distance of an even attention on a grid over images of a size."""
    num = side * side
    return float(measure_distance(torch.full((1, 1, num, num), 1 / num), side, size / side))


def _by_layer(layers: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The mean over the heads of each layer: of heads [A] their layers and values -> [L]."""
    return np.bincount(layers, values) / np.bincount(layers)


def _name_read(read: Tensor, side: int) -> str:
    """What a network reads at its end, in words."""
    num = len(read) - side**2
    before, patches = read[:num], read[num:]
    if patches.all() and not before.any():
        return "the mean of the patches"
    if before.sum() == 1 and not patches.any():
        return "the class token"
    return f"the mean of {int(read.sum())} of {len(read)} tokens"


def _write_caption(numbers: Mapping[str, Any], reads: str, split: str) -> str:
    return (
        f"The same images for every network. The maps are {numbers['map_height']}x{numbers['map_width']}, enlarged: "
        f"attention rolled out through {numbers['num_layers']} layers from {reads}, which the network reads. "
        "Red patches have more than an even share, blue ones less, on one scale for all networks. Below, the attention "
        "distance of each head and the mean of each layer. The numbers are of "
        f"{numbers['num_images']} images of the {split} split."
    )
