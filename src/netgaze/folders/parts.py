"""Folder names for training, validation and test. Needs no torch."""

from collections.abc import Iterable
from typing import Any

from netgaze.errors import NetgazeError
from netgaze.folders.scan import Place, Scan, make_readable

PART_NAMES = {
    "train": ("train", "training", "training_set", "train_set", "trainset"),
    "val": ("val", "valid", "validation", "validation_set", "val_set", "valset", "valid_set", "dev", "dev_set"),
    "test": ("test", "testing", "test_set", "testset", "eval", "evaluation", "eval_set"),
}


def name_part(folder: str) -> str | None:
    """The part that people mean by a folder's name, if any: "train", "val" or "test"."""
    plain = make_readable(folder).casefold().replace("-", "_").replace(" ", "_")
    return next((part for part, names in PART_NAMES.items() if plain in names), None)


def find_parts(found: Scan, typed: Any) -> dict[str, Place]:
    """The folder of each part, () for the root itself; training first.

    Args:
        found: what lies in the folder.
        typed: folders by part, "none" where there are no parts, or None to find them by their names.

    Raises:
        NetgazeError: parts and other folders side by side, several names for one part, or no training.
    """
    if typed == "none":
        return {"train": ()}
    if typed is not None:
        return {part: _locate(found, part, str(typed[part])) for part in PART_NAMES if part in typed}
    by_part: dict[str, list[str]] = {part: [] for part in PART_NAMES}
    for name in found.list_folders(()):
        if part := name_part(name):
            by_part[part].append(name)
    named = {part: names[0] for part, names in by_part.items() if names}
    if not named:
        return {"train": ()}
    _check(found, by_part, named)
    if () in found.pictures:
        found.ignore("outside the folders of the parts", *map(make_readable, found.pictures[()]))
    return {part: (name,) for part, name in named.items()}


def _check(found: Scan, by_part: dict[str, list[str]], named: dict[str, str]) -> None:
    """Ask about what can be meant in two ways.

    Raises:
        NetgazeError: something can.
    """
    typing = f"'data.parts={{{','.join(f'{part}:{name}' for part, name in named.items())}}}'"
    for part, names in by_part.items():
        if len(names) > 1:
            raise NetgazeError(
                f"{found.root} has the folders {' and '.join(names)}, which are all names for {part}. Type {typing} or "
                "the like, or data.parts=none where all folders are classes."
            )
    if others := [name for name in found.list_folders(()) if not name_part(name)]:
        some = len(named) > 1
        raise NetgazeError(
            f"{found.root} has the folder{'s' if some else ''} {join_names(named.values())} beside "
            f"{join_names(others)}: are these parts of the data, or classes? Type {typing} to read "
            f"{'these' if some else 'this'} alone, or data.parts=none where all folders are classes."
        )
    if "train" not in named:
        raise NetgazeError(
            f"{found.root} has {join_names(named.values())}, but no folder train. Name what to train on, as in "
            f"'data.parts={{train:{next(iter(named.values()))}}}', or type data.parts=none where all are classes."
        )


def _locate(found: Scan, part: str, folder: str) -> Place:
    place = tuple(word for word in folder.replace("\\", "/").split("/") if word not in ("", "."))
    if not found.list_below(place):
        raise NetgazeError(f"data.parts: {part} is {folder}, but there are no pictures in {found.locate(place)}.")
    return place


def join_names(names: Iterable[str], most: int = 5) -> str:
    """Names as text, of many the first."""
    listed = [make_readable(name) for name in names]
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
