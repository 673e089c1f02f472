"""The layout of your own images, read without torch for the config."""

from dataclasses import fields
from typing import Any

from omegaconf import OmegaConf

from netgaze.data.home import Home
from netgaze.errors import NetgazeError
from netgaze.files import read_json, read_lines
from netgaze.folders.kept import read_folder_once
from netgaze.folders.layout import Layout, Reading

DECATHLON = Home("decathlon-1.0", ("annotations",))
MEGLASS = Home("meglass", ("meta.txt",))


def count_classes(dir: str, *, _parent_: Any = None) -> int:
    """The number of classes to train on in a folder of one's own.

    Args:
        dir: the folder.
        _parent_: the group `data`, whose keys say how it is read; None for the defaults.

    Raises:
        NetgazeError: it holds no pictures, or its layout is not clear.
    """
    return len(_read(dir, _parent_, own_classes=False).class_names)


def count_people(dir: str, *, _parent_: Any = None) -> int:
    """The number of people in a folder of one's own, in all its parts; see `count_classes`."""
    return len(_read(dir, _parent_, own_classes=True).class_names)


def _read(dir: str, keys: Any, own_classes: bool) -> Layout:
    typed = {field.name: keys.get(field.name) for field in fields(Reading) if keys and field.name in keys}
    if OmegaConf.is_config(typed.get("parts")):
        typed["parts"] = OmegaConf.to_container(typed["parts"])
    return read_folder_once(dir, Reading(**typed | {"own_classes": own_classes}))


def count_categories(dir: str, set: str, official: int) -> int:
    """The number of classes that a decathlon set's annotations under `dir` list, or `official` where there are none.

    All files of a set list all its classes, so the small one of validation is asked. What is wrong with a file says
    who loads the images.
    """
    try:
        return len(read_json(DECATHLON.find(dir) / "annotations" / f"{set}_val.json")["categories"])
    except (OSError, KeyError, TypeError, NetgazeError):
        return official


def parse_identity(photo: str) -> str:
    """The person whom a photo of MeGlass shows: its name up to the last @."""
    return photo.rpartition("@")[0]


def count_identities(dir: str, official: int) -> int:
    """The number of people in the `meta.txt` of a MeGlass folder, or `official` where there is none."""
    try:
        return len({parse_identity(line) for line in read_lines(MEGLASS.find(dir) / "meta.txt") if "@" in line})
    except (OSError, NetgazeError):
        return official
