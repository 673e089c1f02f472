"""How your own images are laid out, read without torch: what the config has to know early."""

import os

from netgaze.data.home import Home
from netgaze.errors import NetgazeError
from netgaze.files import read_json, read_lines

DECATHLON = Home("decathlon-1.0", ("annotations",))
MEGLASS = Home("meglass", ("meta.txt",))


def list_subfolders(dir: str) -> list[str]:
    """Names of the folders directly under `dir`, sorted; hidden ones are left out.

    Raises:
        NetgazeError: `dir` is not a folder that can be read.
    """
    try:
        with os.scandir(os.path.expanduser(dir)) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise NetgazeError(
            f"Cannot read the folder {dir}: {error.strerror}. data.dir= names a folder that holds one folder of "
            "images for each class."
        ) from error


def find_split_folders(dir: str) -> dict[str, str]:
    """The folder that holds the class folders of each split.

    `dir` itself as "train", unless it has a folder `train` beside a folder `test` or `val`.
    """
    names = list_subfolders(dir)
    own: dict[str, str] = {name: os.path.join(dir, name) for name in ("train", "val", "test") if name in names}
    return own if "train" in own and len(own) > 1 else {"train": dir}


def count_classes(dir: str) -> int:
    """The number of classes under `dir`: of its folders, or of those of `dir/train` where it is divided already.

    Raises:
        NetgazeError: `dir` is not a folder that can be read.
    """
    return len(list_subfolders(find_split_folders(dir)["train"]))


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
