"""What figures of layers show: which layers, their outputs as maps, and which images."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from netgaze.drawing.examples import choose_examples, name_files
from netgaze.errors import NetgazeError
from netgaze.inside.layers import reach_all
from netgaze.subject import Subject, device_of, evaluating

MOST_IMAGES = 6  # that a figure of layers shows


def choose_layers(model: Any, layers: Sequence[str] | None, stem: bool, key: str) -> list[str]:
    """The layers that you named; else the model's stages, shallow to deep.

    Args:
        model: a network.
        layers: `named_modules` names, or None.
        stem: whether the stages come after the first layer whose filters are worth a look.
        key: the argument, for the error's advice.

    Raises:
        NetgazeError: neither you nor the model names a layer, or one does not exist.
    """
    own = [*getattr(model, "filter_layers", ())[:stem], *getattr(model, "feature_layers", ())]
    names = list(dict.fromkeys(own if layers is None else layers))
    if not names:
        raise NetgazeError(f"This network names no stages. Choose layers, as in figure.{key}=[conv1].")
    reach_all(model, names)  # says what there is where there is no such layer
    return names


def to_maps(output: Tensor, layer: str) -> Tensor:
    """A layer's output as maps [B,C,h,w]: of features [B,C] of one place each, of tokens [B,P,C] on their grid.

    The grid is the largest square that the tokens fill; those in front of it, such as class tokens, are left out.
    Maps with channels last are recognized by their sides, which are equal for square images.

    Raises:
        NetgazeError: the output has another shape.
    """
    if output.ndim == 4:
        _, first, second, third = output.shape
        return output.permute(0, 3, 1, 2) if first == second != third else output
    if output.ndim == 3:
        side = math.isqrt(output.shape[1])
        return output[:, -(side**2) :].transpose(1, 2).unflatten(2, (side, side))
    if output.ndim == 2:
        return output[:, :, None, None]
    raise NetgazeError(f"The network's layer {layer} gives no maps. Choose another layer.")


def pool_layers(subject: Subject, split: str, rows: Tensor, layers: Sequence[str], grid: int = 1) -> dict[str, Tensor]:
    """Features of layers, averaged over their places, of images of a split, float32 [n,C] each on the CPU.

    In the precision of the subject's passes; raw pixels are a layer of themselves, uint8 [n,H*W*C].

    Args:
        subject: whose layers they are.
        split: "train", "val" or "test".
        rows: of the images, int64 [n].
        layers: `named_modules` names; of raw pixels none.
        grid: positions per side that are kept: 2 averages over quarters of the maps, [n,C*2*2].

    Raises:
        NetgazeError: there is no such layer, or it gives no maps.
    """
    if subject.pixels:
        return {"pixels": subject.bank(split)[rows]}
    task, found = subject.task, {layer: list[Tensor]() for layer in layers}
    run, device = reach_all(task.model, layers), device_of(task)
    rounds = torch.autocast(device.type, torch.bfloat16, enabled=subject.precision == "bf16")
    with evaluating(task), torch.no_grad(), rounds:
        for some in rows.split(subject.data.test_batch_size):
            images = subject.data.normalize(subject.data.images(split, some)).to(device)
            for layer, output in run(images).items():
                maps = to_maps(output, layer).float()
                found[layer].append(adaptive_avg_pool2d(maps, min(grid, *maps.shape[2:])).flatten(1).cpu())
    return {layer: torch.cat(parts) for layer, parts in found.items()}


def name_images(
    subject: Subject, indices: Sequence[int] | None, images: Sequence[str] | None, seed: int
) -> tuple[list[str], Tensor]:
    """Your picture files, else images of the split: those of `indices`, else one by the seed; at most six.

    Returns:
        Their names [n], and the images as the data has them, uint8 [n,C,H,W].

    Raises:
        NetgazeError: an index is outside the split, or a file is no picture.
    """
    if images:
        paths = images[:MOST_IMAGES]
        return name_files(paths), subject.data.read_images(paths)
    rows = choose_examples(subject.data.labels(subject.split).numpy(), 1, seed, indices)[:MOST_IMAGES]
    return [f"image {row}" for row in rows], subject.data.images(subject.split, rows)


def check_images(figure: str, indices: Sequence[int] | None, images: Sequence[str] | None) -> None:
    """Check the images of the split and the picture files that a figure is given.

    Raises:
        NetgazeError: both are given, or an empty list of indices.
    """
    if indices is not None and images:
        raise NetgazeError(f"figure.{figure}: choose indices (of the split) or images (your files), only one of them.")
    if indices is not None and not indices:
        raise NetgazeError(f"figure.{figure}.indices=[] names no image. Name one, or use null for the seed's choice.")


def describe_left_out(given: Sequence[object] | None) -> str:
    """A sentence if there are more images than a figure shows; else nothing."""
    if given is None or len(given) <= MOST_IMAGES:
        return ""
    return f" Of {len(given)} images the first {MOST_IMAGES} are shown."
