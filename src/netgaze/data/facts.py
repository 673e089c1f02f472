"""Checks a data set's facts against what was loaded, and makes fingerprints of its content."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from netgaze.data.images import Images
from netgaze.data.pixels import crop_center
from netgaze.errors import NetgazeError
from netgaze.files import InParts, cached_arrays, digest

_AT_ONCE = 1000  # images of a digest that are in memory together

NamePixels = Callable[[Images, int], list[Any]]  # parts of a digest for the middle of a split's images


def check_facts(
    num_channels: int, mean: Sequence[float], std: Sequence[float], **sizes: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, of which one number stands for all.

    Args:
        num_channels: 1 or 3.
        mean: of values in 0..1, a number per channel, or one.
        std: the same.
        sizes: whole numbers that must be 1 or more, by their keys.

    Raises:
        NetgazeError: a fact that cannot be.
    """
    if num_channels not in (1, 3):
        raise NetgazeError(f"data.num_channels={num_channels} is not possible. Choose 3 (color) or 1 (gray).")
    mean, std = (tuple(values) * num_channels if len(values) == 1 else tuple(values) for values in (mean, std))
    if len(mean) != num_channels or len(std) != num_channels:
        raise NetgazeError(
            f"data.mean and data.std need one number for each of the {num_channels} channels, got {len(mean)} and "
            f"{len(std)}."
        )
    if not all(value > 0 for value in std):
        raise NetgazeError(f"data.std={list(std)} must be above 0: pixels are divided by it.")
    for name, value in sizes.items():
        if value < 1:
            raise NetgazeError(f"data.{name}={value} must be 1 or more.")
    return mean, std


def check_loaded(data: Any, splits: Mapping[str, Images]) -> None:
    """Hold the facts of a data set against its splits as they were loaded.

    Args:
        data: a `data.base.ImageData`.
        splits: by name.

    Raises:
        NetgazeError: they do not agree.
    """
    found = len(data.class_names)
    if found != data.num_classes:
        raise NetgazeError(
            f"{data.title} has {found} classes, but data.num_classes={data.num_classes}. Type data.num_classes={found}."
        )
    expected = (data.num_channels, data.stored_size, data.stored_size)
    for split, part in splits.items():
        if part.shape != expected:
            channels, height, width = part.shape
            wrong = "data.image_size" if channels == data.num_channels else "data.num_channels"
            raise NetgazeError(
                f"{data.title}'s {split} images have {channels} channels and {height}x{width} pixels, but {expected} "
                f"were expected. Set {wrong} to what they have, or look at other data."
            )


def digest_content(data: Any, splits: Mapping[str, Images]) -> str:
    """A short name for the content of all splits and for how it is normalized; see `check_loaded`."""
    return _digest_once(
        "content", lambda name: [data.mean, data.std, *_list_content(data, splits, name)], list(splits.values())
    )


def digest_images(data: Any, splits: Mapping[str, Images]) -> str:
    """A short name for the content of all splits, however it is normalized; see `check_loaded`."""
    return _digest_once("images", lambda name: _list_content(data, splits, name), list(splits.values()))


def _list_content(data: Any, splits: Mapping[str, Images], name_pixels: NamePixels) -> list[Any]:
    parts: list[Any] = [data.class_names]
    parts += [] if data.stored_size == data.image_size else [data.image_size]
    for name, split in sorted(splits.items()):
        parts += [name, *name_pixels(split, data.stored_size), split.labels.numpy()]
        if (masked := data.masks(name)) is not None:
            there, masks = masked
            parts += [masks.numpy()] if len(there) == len(split) else [there.numpy(), masks.numpy()]
        parts += [part for mark, values in sorted(split.marks.items()) for part in (mark, values.numpy())]
    return parts


def digest_evaluated(data: Any, splits: Mapping[str, Images]) -> str:
    """A short name for the images and labels of validation and test; see `check_loaded`."""

    def list_parts(name_pixels: NamePixels) -> list[Any]:
        parts: list[Any] = [data.class_names]
        for name in ("val", "test"):
            parts += [name, *name_pixels(splits[name], data.window), data.labels(name).numpy()]
        return parts

    return _digest_once("evaluated", list_parts, [splits["val"], splits["test"]])


def number_images(split: Images) -> np.ndarray:
    """A number for each image of a split, uint64 [N]: the same for the same pixels, in whatever split or order.

    Of images that are streamed from their files it follows from the files and their place, not to read them all.
    """
    if split.streamed:
        rows = range(len(split)) if split.index is None else split.index.tolist()
        return np.array([int(digest(split.source, row), 16) for row in rows], dtype=np.uint64)
    parts = (split.stored(rows).permute(0, 2, 3, 1).numpy() for rows in torch.arange(len(split)).split(_AT_ONCE))
    return np.array([int(digest(image), 16) for part in parts for image in part], dtype=np.uint64)


def _digest_once(what: str, list_parts: Callable[[NamePixels], list[Any]], splits: list[Images]) -> str:
    """The digest of parts with all pixels in them; where it is known whose these are, they are read once for all runs.

    Args:
        what: the digest is of.
        list_parts: gives the parts, by a function that gives those of a split's pixels.
        splits: that the parts are of.
    """

    def make() -> dict[str, np.ndarray]:
        return {"digest": np.array(digest(*list_parts(_read_pixels)))}

    if any(split.source is None for split in splits):
        return str(make()["digest"])
    key = digest(what, *list_parts(_name_source))
    if any(split.streamed for split in splits):  # what their files are has to do for what they hold
        return key
    return str(cached_arrays("fingerprints", key, make)["digest"])


def _read_pixels(split: Images, size: int) -> list[Any]:
    """The middle `size` pixels of all images of a split, a few at a time."""
    parts = (crop_center(split.stored(rows), size) for rows in torch.arange(len(split)).split(_AT_ONCE))
    shape = (len(split), size, size, split.shape[0])
    return [InParts("uint8", shape, (part.permute(0, 2, 3, 1).numpy() for part in parts))]


def _name_source(split: Images, size: int) -> list[Any]:
    """What the pixels follow from: where they are from, and which."""
    return [split.source, size, None if split.index is None else split.index.numpy()]
