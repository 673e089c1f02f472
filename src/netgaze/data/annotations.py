"""Annotations in the Visual Decathlon's JSON, which is COCO's: images and their classes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netgaze.errors import NetgazeError
from netgaze.files import read_json

MOST_BYTES = 600_000_000  # of a file; the largest official one, imagenet12's for training, has less than half of it


@dataclass(frozen=True)
class Listing:
    """What a file says of images, whether or not it has their labels.

    Args:
        path: of the file.
        files: names of the images [N], relative to the folder `decathlon-1.0`.
        ids: of the images [N].
        categories: name of each category by its id, in the order of the ids.
    """

    path: Path
    files: list[str]
    ids: list[int]
    categories: dict[int, str]


@dataclass(frozen=True)
class Annotations(Listing):
    """What a file with labels says.

    Args:
        path, files, ids, categories: see `Listing`.
        labels: the place of each image's category among the sorted ids [N].
    """

    labels: list[int]


def read_annotations(path: Path) -> Annotations:
    """The images of a JSON with labels, in its order.

    Raises:
        NetgazeError: the file is not of this form, or its parts do not fit together.
    """
    content = read_json(path, MOST_BYTES)
    listed = _listing(path, content)
    of_image = _by_image(path, _pairs(path, content, "annotations", "image_id", int, "category_id", int))
    for image, file in zip(listed.ids, listed.files, strict=True):
        if image not in of_image:
            raise _wrong(path, f"the image {file} has no annotation")
        if of_image[image] not in listed.categories:
            raise _wrong(path, f"the image {file} is of category {of_image[image]}, which is not listed")
    strangers = of_image.keys() - set(listed.ids)
    if strangers:
        raise _wrong(path, f"the image with id {min(strangers)} is annotated, but not listed")
    places = {category: place for place, category in enumerate(listed.categories)}
    return Annotations(**vars(listed), labels=[places[of_image[image]] for image in listed.ids])


def read_listing(path: Path) -> Listing:
    """The images of a JSON in its order, its labels unread: those of the official test are stripped.

    Raises:
        NetgazeError: the file is not of this form, or lists an image twice.
    """
    listed = _listing(path, read_json(path, MOST_BYTES))
    seen: set[int] = set()
    for image in listed.ids:
        if image in seen:
            raise _wrong(path, f"the image with id {image} is listed twice")
        seen.add(image)
    return listed


def _listing(path: Path, content: Any) -> Listing:
    categories = dict(sorted(_pairs(path, content, "categories", "id", int, "name", str)))
    images = _pairs(path, content, "images", "id", int, "file_name", str)
    if not images:
        raise _wrong(path, "it lists no images")
    for _, file in images:
        if Path(file).is_absolute() or ".." in Path(file).parts or "\0" in file:
            raise _wrong(path, f"the image {file} lies outside its folder")
    return Listing(path, [file for _, file in images], [image for image, _ in images], _distinct(categories))


def _pairs(path: Path, content: Any, part: str, key: str, kind: type, value: str, other: type) -> list[tuple[Any, Any]]:
    """Two entries of each record in a part of the file."""
    if not isinstance(content, dict) or not isinstance(content.get(part), list):
        raise _wrong(path, f"it has no list {part}")
    found = []
    for record in content[part]:
        if not isinstance(record, dict) or not isinstance(record.get(key), kind):
            raise _wrong(path, f"a record of {part} has no right {key}")
        if not isinstance(record.get(value), other):
            raise _wrong(path, f"a record of {part} has no right {value}")
        found.append((record[key], record[value]))
    return found


def _by_image(path: Path, pairs: list[tuple[int, int]]) -> dict[int, int]:
    of_image: dict[int, int] = {}
    for image, category in pairs:
        if of_image.setdefault(image, category) != category:
            raise _wrong(path, f"the image with id {image} is of two categories")
    return of_image


def _distinct(categories: dict[int, str]) -> dict[int, str]:
    """Names that repeat get their category's id behind them, so that each class has a name of its own."""
    names = list(categories.values())
    repeated = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
    return {id: f"{name} {id}" if name in repeated else name for id, name in categories.items()}


def _wrong(path: Path, what: str) -> NetgazeError:
    return NetgazeError(f"{path} is not in the decathlon's format: {what}. Use the official file.")
