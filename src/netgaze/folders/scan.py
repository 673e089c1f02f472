"""Scans a folder: its pictures by folder, and other files with the reason. Needs neither torch nor NumPy.

Nothing is left out without a word: every file and folder that is not taken stands in `Scan.ignored`.
"""

import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from netgaze.errors import NetgazeError

Place = tuple[str, ...]  # the path of something below a folder, by its parts

# The endings of what Pillow reads by itself: formats that it hands to other programs (PostScript, WMF) are not read.
ENDINGS = frozenset(
    [
        *(".apng", ".avif", ".avifs", ".bmp", ".bw", ".dds", ".dib", ".gif", ".ico", ".j2c", ".j2k", ".jfif", ".jif"),
        *(".jp2", ".jpc", ".jpe", ".jpeg", ".jpf", ".jpg", ".jpx", ".mpo", ".pbm", ".pcx", ".pfm", ".pgm", ".png"),
        *(".pnm", ".ppm", ".psd", ".qoi", ".rgb", ".rgba", ".sgi", ".tga", ".tif", ".tiff", ".webp"),
    ]
)
TABLES = frozenset([".csv", ".tsv", ".txt"])
SYSTEM = frozenset(
    [
        *("lost+found", "__macosx", "__pycache__", "@eadir", "#recycle", "#snapshot", "$recycle.bin", "recycler"),
        "system volume information",
    ]
)
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"qoif")
_NO_PICTURES = {
    b"version https://git-lfs": "a Git LFS pointer: git lfs pull fetches the picture",
    b"<!doctype html": "a web page, of a download that failed",
    b"<html": "a web page, of a download that failed",
    b"%pdf": "a PDF file",
    b"%!ps": "a PostScript file",
}


@dataclass
class Scan:
    """A folder's pictures and the rest.

    Attributes:
        root: the folder.
        pictures: names of the pictures in each folder that holds any, by that folder's path below the root, in order.
        empty: folders without a picture in or below them, by their path; of each the endings that it has instead.
        tables: files that may hold labels, by their path below the root.
        ignored: names of what was left out, by the reason.
        watched: paths of what decides all this: folders, tables, and files that were judged by their first bytes.
    """

    root: str
    pictures: dict[tuple[str, ...], list[str]] = field(default_factory=dict)
    empty: dict[tuple[str, ...], str] = field(default_factory=dict)
    tables: list[tuple[str, ...]] = field(default_factory=list)
    ignored: dict[str, list[str]] = field(default_factory=dict)
    watched: list[str] = field(default_factory=list)

    def locate(self, parts: Iterable[str]) -> str:
        """The path of what lies below the root."""
        return os.path.join(self.root, *parts)

    def locate_all(self, places: Iterable[Place]) -> list[str]:
        """The paths of many things below the root."""
        above = os.path.join(self.root, "")
        return [above + os.sep.join(place) for place in places]

    def list_below(self, folder: tuple[str, ...]) -> list[tuple[str, ...]]:
        """Paths of all pictures in and below a folder, by their parts, in the order of these."""
        names, inner = self.pictures.get(folder, []), self._inner.get(folder, set())
        if not inner:
            return [(*folder, name) for name in names]
        below: list[tuple[str, ...]] = []
        for name in sorted([*names, *inner]):
            below += self.list_below((*folder, name)) if name in inner else [(*folder, name)]
        return below

    def list_folders(self, folder: tuple[str, ...]) -> list[str]:
        """Names of the folders directly in a folder that hold a picture in or below them, in order."""
        return sorted(self._inner.get(folder, ()))

    @cached_property
    def _inner(self) -> dict[tuple[str, ...], set[str]]:
        """Names of the folders with pictures in or below them, by the folder that they lie in."""
        inner: dict[tuple[str, ...], set[str]] = {}
        for place in self.pictures:
            for depth, name in enumerate(place):
                inner.setdefault(place[:depth], set()).add(name)
        return inner

    def ignore(self, why: str, *names: str) -> None:
        """Note what was left out."""
        self.ignored.setdefault(why, []).extend(names)


def scan(folder: str) -> Scan:
    """Look through a folder and all folders below it; links are followed, but never in a circle.

    Raises:
        NetgazeError: it is no folder that can be read.
    """
    root = os.path.expanduser(folder)
    try:
        os.scandir(root).close()
    except OSError as error:
        raise NetgazeError(
            f"Cannot read the folder {folder}: {error.strerror}. data.dir= names a folder that holds one folder of "
            "images for each class."
        ) from error
    found = Scan(root)
    _look_into(found, (), {os.path.realpath(root)})
    return found


class Names(Sequence[str]):
    """Paths of pictures as text that can be written anywhere, each made when it is asked for: few of them are."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: Any) -> Any:
        return "/".join(map(make_readable, self._places[index]))


def make_readable(name: str) -> str:
    """A file's or folder's name as text that can be written anywhere.

    macOS writes é as e and an accent, others as one letter: both become one letter. Bytes that are no UTF-8 are read as
    Western Europe's old computers meant them.
    """
    if name.isascii():
        return name
    raw = os.fsencode(name)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", errors="replace")
    return unicodedata.normalize("NFC", text)


def describe_beginning(path: str) -> str | None:
    """What a file that cannot be read as a picture is instead, by its first bytes; None where they do not tell."""
    first = _read_beginning(path)
    if first is None:
        return None
    if not first:
        return "an empty file"
    return next((kind for begin, kind in _NO_PICTURES.items() if first.lower().startswith(begin)), None)


def _look_into(found: Scan, place: tuple[str, ...], above: set[str]) -> bool:
    """Note what lies in a folder; whether it holds a picture in or below it."""
    names, others = _list_entries(found, place)
    folders, endings = list[str](), set[str]()
    for entry in others:
        why, kind = _sort_out(entry)
        if why:
            found.ignore(why, "/".join(map(make_readable, (*place, entry.name))))
        elif kind == "folder":
            folders.append(entry.name)
        elif _look_at_file(found, place, entry):
            names.append(entry.name)
        else:
            endings.add(_read_ending(entry.name) or "no ending")
    if names:
        found.pictures[place] = sorted(names)
    below = [_look_below(found, (*place, name), above) for name in folders]
    if names or any(below):
        return True
    found.empty[place] = ", ".join(sorted(endings))
    return False


def _look_at_file(found: Scan, place: tuple[str, ...], entry: os.DirEntry[str]) -> bool:
    """Note a file that no ending calls a picture; whether it is one all the same, by its first bytes."""
    ending = _read_ending(entry.name)
    if not ending or ending in TABLES:
        found.watched.append(entry.path)
    if not ending and _begins_like_picture(entry.path):
        return True
    if ending in TABLES:
        found.tables.append((*place, entry.name))
    path = "/".join(map(make_readable, (*place, entry.name)))
    found.ignore(f"ending {ending}" if ending else "no ending, and no picture by their first bytes", path)
    return False


def _look_below(found: Scan, place: tuple[str, ...], above: set[str]) -> bool:
    real = os.path.realpath(found.locate(place))
    if real in above:
        found.ignore("links that lead back to a folder above them", "/".join(map(make_readable, place)))
        return False
    return _look_into(found, place, above | {real})


def _list_entries(found: Scan, place: tuple[str, ...]) -> tuple[list[str], list[os.DirEntry[str]]]:
    """What lies in a folder: names of pictures by their endings, of which there may be many, and the rest in order."""
    names, others = list[str](), list[os.DirEntry[str]]()
    folder = found.locate(place)
    found.watched.append(folder)
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if name[0] != "." and _read_ending(name) in ENDINGS and entry.is_file():
                    names.append(name)
                else:
                    others.append(entry)
    except OSError as error:
        found.ignore(f"folders that cannot be read ({error.strerror})", "/".join(map(make_readable, place)))
        return [], []
    return names, sorted(others, key=lambda entry: entry.name)


def _sort_out(entry: os.DirEntry[str]) -> tuple[str, str]:
    """Why an entry is left out by its name or nature, empty if it is not; and whether it is a folder or a file."""
    # Names that start with a dot are a file system's notes (macOS writes ._photo.jpg, others .thumbnails/).
    if entry.name.startswith("."):
        return "hidden", ""
    if entry.is_dir():
        return ("system folders", "") if entry.name.lower() in SYSTEM else ("", "folder")
    if entry.is_file():
        return "", "file"
    return ("broken links" if entry.is_symlink() else "neither file nor folder"), ""


def _read_ending(name: str) -> str:
    """A name's ending, .jpg, in small letters; what has but a dot at its start is hidden, and has none."""
    dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 else ""


def _begins_like_picture(path: str) -> bool:
    first = _read_beginning(path) or b""
    webp = first[:4] == b"RIFF" and first[8:12] == b"WEBP"
    return webp or first[4:12] == b"ftypavif" or first.startswith(_PICTURES)


def _read_beginning(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read(32)
    except OSError:
        return None
