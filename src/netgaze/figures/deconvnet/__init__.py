"""Which pixels drove a layer's activation?"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure as Picture
from torch import Tensor, nn

from netgaze.drawing.examples import balanced_choice, to_rgb
from netgaze.drawing.rows import lay_out
from netgaze.drawing.shown_layers import check_images, choose_layers, describe_left_out, name_images
from netgaze.errors import NetgazeError
from netgaze.figure import Figure, Finding
from netgaze.figures.deconvnet.blocks import make_block
from netgaze.figures.deconvnet.patches import cut_patches, find_frames, find_tiles
from netgaze.glossary import Glossary, Meaning
from netgaze.inside.anatomy import find_fields
from netgaze.inside.deconvolution import PATHS, carry_back, keep_all, keep_channel, keep_place
from netgaze.inside.layers import flatten_channels, reach_all
from netgaze.inside.receptive_bounds import Field
from netgaze.subject import Subject, device_of, evaluating


class Deconvnet(Figure):
    """Activations carried back to the image (Zeiler and Fergus 2014), see `netgaze.inside.deconvolution`.

    For each layer: all of its activation, its channel that responds most to the image, and the position where that
    channel is strongest, whose receptive field is framed in the image. In networks with residual sums, each by the
    residual path, by the shortcut, and by both. Below, the same channel over the split: the patches that activate it
    most, one per image, and beside each that single activation carried back, by both paths.

    Reconstructions have values of both signs; each is drawn on its own scale, with zero in medium gray. Below that of a
    whole layer stands its correlation with the image.

    Args:
        layers: `named_modules` names; null for the model's stages.
        channel: its number, in every layer; null for the one of largest mean activation for the image.
        indices: images of the split; null for one by the seed. At most six are shown.
        images: your picture files instead, fitted as the data's images are.
        num_patches: of the split, for each layer.
        num_scored: images over which the numbers are averaged.
        seed: of the choice of images.

    Raises:
        NetgazeError: both indices and images, or a number below 1.
    """

    title = "Deconvolution"
    question = "Which pixels drove a layer's activation?"
    look_for = (
        "Look from shallow to deep layers for when the picture of the input fades and only some of its parts remain. "
        "At the bottom, see what the patches that activate a channel most have in common, and which part of each is "
        "reconstructed."
    )
    pitfall = (
        "Reconstructions follow the image's edges even if the network is untrained, as the pooling switches and the "
        "image itself guide them: compare the correlation with the image and its edges with that of the untrained "
        "network. Each reconstruction has its own scale, so strengths do not compare."
    )
    needs = ("task", "data")
    glossary = Glossary(
        {
            "<layer>/likeness": Meaning(
                "<layer>: correlation with the image",
                "Of the whole layer's reconstruction with the normalized image, -1..1, mean over the images scored; "
                "compare with the untrained network.",
            ),
            "<layer>/edges": Meaning(
                "<layer>: correlation with its edges",
                "Of the reconstruction's magnitude per pixel with that of the image's differences to the right and "
                "below, -1..1, mean over the images scored.",
            ),
            "<layer>/receptive_field": Meaning(
                "<layer>: receptive field", "Side of what one position sees; may exceed the image.", "px"
            ),
        }
    )

    def __init__(
        self,
        *,
        layers: Sequence[str] | None = None,
        channel: int | None = None,
        indices: Sequence[int] | None = None,
        images: Sequence[str] | None = None,
        num_patches: int = 9,
        num_scored: int = 64,
        seed: int = 0,
    ):
        check_images("deconvnet", indices, images)
        for name, value in (("num_patches", num_patches), ("num_scored", num_scored)):
            if value < 1:
                raise NetgazeError(f"figure.deconvnet.{name}={value} must be 1 or more.")
        self.layers, self.channel, self.indices, self.images = layers, channel, indices, images or ()
        self.num_patches, self.num_scored, self.seed = num_patches, num_scored, seed

    def compute(self, subject: Subject) -> Finding:
        """Of n `images` [n,H,W,3] and L `layers` `back` [n,L,3,P,H,W,3]: what is kept (all, channel, place) by path.

        Also `names` [n], `channels` [n,L] and `frames` [n,L,3] (left, top, side in pixels); and of the p-th layer
        `patches<p>` and `patches_back<p>`, uint8 [m,h,w,3], with `index<p>` and `scores<p>` [m].

        Raises:
            NetgazeError: no such layer or channel, or an operation that cannot be carried back: it is named.
        """
        data, task = subject.data, subject.task
        names, shown = name_images(subject, self.indices, self.images, self.seed)
        with evaluating(task):
            model = task.model
            layers = choose_layers(model, self.layers, stem=False, key="deconvnet.layers")
            seen = data.normalize(shown).to(device_of(task))
            known = find_fields(model, tuple(seen.shape[1:]))
            paths = _list_paths(model, layers, seen)
            numbers = self._score(subject, layers, paths)
            parts = [self._carry_back(model, layer, seen, paths, known.get(layer)) for layer in layers]
            arrays = {name: np.stack([part[name] for part in parts], axis=1) for name in parts[0]}
            for place, found in enumerate(self._find_strongest(subject, layers, arrays["channels"][0], known)):
                arrays |= {f"{name}{place}": value for name, value in found.items()}
        sizes = {layer: field.size for layer in layers if (field := known.get(layer)) is not None}
        numbers |= {f"{layer}/receptive_field": size for layer, size in sizes.items()}
        arrays |= {"layers": np.array(layers), "paths": np.array(paths), "images": to_rgb(shown)}
        arrays["names"] = np.array(names)
        return Finding(numbers, arrays, self._write_caption(subject.split, len(paths)))

    def _carry_back(
        self, model: nn.Module, layer: str, seen: Tensor, paths: Sequence[str], field: Field | None
    ) -> dict[str, np.ndarray]:
        """Of one layer: `channels` [n], `frames` [n,3], `back` [n,3,P,H,W,3], `likeness` [n,P] of the whole layer's."""
        answers, width = _read_activations(model, [layer], seen)[layer]
        if self.channel is not None and not 0 <= self.channel < answers.shape[1]:
            raise NetgazeError(
                f"figure.deconvnet.channel={self.channel}: {layer} has channels 0 to {answers.shape[1] - 1}. Choose "
                "one of these."
            )
        channels = answers.mean(dim=2).argmax(dim=1)
        channels = channels if self.channel is None else torch.full_like(channels, self.channel)
        places = answers[torch.arange(len(seen)), channels].argmax(dim=1).cpu().numpy()
        keeps = (keep_all, keep_channel(channels), keep_place(channels))
        back = [[carry_back(model, layer, seen, keep, path) for path in paths] for keep in keeps]
        return {
            "channels": channels.cpu().numpy(),
            "frames": find_frames(field, places, width, seen.shape[-1]),
            "back": np.array([[find_tiles(values) for values in kept] for kept in back]).transpose(2, 0, 1, 3, 4, 5),
            "likeness": torch.stack([correlate(values, seen) for values in back[0]], dim=1).cpu().numpy(),
        }

    def _find_strongest(
        self, subject: Subject, layers: Sequence[str], channels: np.ndarray, known: dict[str, Field | None]
    ) -> Iterator[dict[str, np.ndarray]]:
        """Of each layer the `patches` [m,h,w,3] of the split that activate its channel most, and `patches_back`."""
        data, split, model = subject.data, subject.split, subject.task.model
        device = device_of(subject.task)
        best: dict[str, list[tuple[Tensor, Tensor]]] = {layer: [] for layer in layers}
        for batch in data.batches(split):
            found = _read_activations(model, layers, batch.images.to(device))
            for layer, channel in zip(layers, channels, strict=True):
                scores, places = found[layer][0][:, int(channel)].max(dim=1)
                best[layer].append((scores.cpu(), places.cpu()))
        for layer, channel in zip(layers, channels, strict=True):
            scores, places = (torch.cat(part) for part in zip(*best[layer], strict=True))
            index = scores.argsort(descending=True, stable=True)[: self.num_patches]
            images = data.images(split, index)
            keep = keep_place(torch.full((len(index),), int(channel)))
            back = find_tiles(carry_back(model, layer, data.normalize(images).to(device), keep))
            seen = find_frames(known.get(layer), places[index].numpy(), found[layer][1], images.shape[-1])
            yield {
                "index": index.numpy(),
                "scores": scores[index].numpy(),
                "patches": cut_patches(to_rgb(images), seen),
                "patches_back": cut_patches(back, seen),
            }

    def _score(self, subject: Subject, layers: Sequence[str], paths: Sequence[str]) -> dict[str, Any]:
        """Correlations of the whole layers' reconstructions with images of the split and their edges."""
        data, split, model = subject.data, subject.split, subject.task.model
        scored = balanced_choice(data.labels(split).numpy(), self.num_scored, self.seed)
        sums = dict[str, float]()
        for some in data.images(split, scored).split(data.test_batch_size):
            images = data.normalize(some).to(device_of(subject.task))
            for layer, path in product(layers, paths):
                back = carry_back(model, layer, images, keep_all, path)
                strength = back.square().sum(dim=1).sqrt()
                found = {"likeness": correlate(back, images), "edges": correlate(strength, find_edges(images))}
                for what, values in found.items():
                    name = f"{layer}/{path}/{what}"
                    sums[name] = sums.get(name, 0.0) + float(values.sum())
        return {name: value / len(scored) for name, value in sums.items()}

    def _write_caption(self, split: str, num_paths: int) -> str:
        channel = "each network's strongest for the image" if self.channel is None else f"number {self.channel}"
        paths = "" if num_paths == 1 else " At residual sums it follows the residual path, the shortcut, or both."
        return (
            f"What is carried back from each layer: all of its activation, one channel ({channel}), and that channel's "
            f"strongest position, whose receptive field is framed in the image.{paths} Each reconstruction has its own "
            "scale, with zero in medium gray; below that of a whole layer stands its correlation with the image. "
            f"At the bottom: patches of the {split} split that activate the first image's channel most, and their "
            f"reconstructions. The numbers are means over at most {self.num_scored} images of the {split} split."
        ) + describe_left_out(self.images or self.indices)

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A block per network, one below the other: its layers from shallow to deep, then patches of the split."""
        return lay_out(make_block(label, finding) for label, finding in findings.items())


def _read_activations(model: nn.Module, layers: Sequence[str], images: Tensor) -> dict[str, tuple[Tensor, int]]:
    """The activation of each layer by normalized images, [B,C,P], and how wide its maps are; 1 where it has none."""
    with torch.no_grad():
        found = reach_all(model, layers)(images)
    return {name: (flatten_channels(value), value.shape[-1] if value.ndim == 4 else 1) for name, value in found.items()}


def _list_paths(model: nn.Module, layers: Sequence[str], images: Tensor) -> tuple[str, ...]:
    """The paths that differ: only "both" where there is no residual sum on the way to any of the layers."""
    for layer in layers:
        residual, both = (carry_back(model, layer, images, keep_all, path) for path in ("residual", "both"))
        if not torch.allclose(residual, both, rtol=1e-3, atol=1e-4 * float(both.abs().max())):
            return PATHS
    return ("both",)


def find_edges(images: Tensor) -> Tensor:
    """How much images [B,C,H,W] differ from pixel to pixel, [B,H,W]: the length of the steps right and down."""
    right, below = F.pad(images.diff(dim=3), (0, 1)), F.pad(images.diff(dim=2), (0, 0, 0, 1))
    return (right.square() + below.square()).sum(dim=1).sqrt()


def correlate(first: Tensor, second: Tensor) -> Tensor:
    """Pearson's, of each of B images [B,...] with the other of its place, [B]; 0 where one of them is constant."""
    first, second = (values.flatten(1) - values.flatten(1).mean(dim=1, keepdim=True) for values in (first, second))
    return F.cosine_similarity(first.double(), second.double(), dim=1)
