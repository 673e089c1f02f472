"""What lies in a folder: its pictures, folder by folder, and what is no picture and why. Needs neither torch nor NumPy.

Nothing is left out without a word: every file and folder that is not taken stands in `Scan.ignored`.
"""

import os
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

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
    """

    root: str
    pictures: dict[tuple[str, ...], list[str]] = field(default_factory=dict)
    empty: dict[tuple[str, ...], str] = field(default_factory=dict)
    tables: list[tuple[str, ...]] = field(default_factory=list)
    ignored: dict[str, list[str]] = field(default_factory=dict)

    def locate(self, parts: Iterable[str]) -> str:
        """The path of what lies below the root."""
        return os.path.join(self.root, *parts)

    def list_below(self, folder: tuple[str, ...]) -> list[tuple[str, ...]]:
        """Paths of all pictures in and below a folder, by their parts, in the order of these."""
        return [place for place in self._all if place[: len(folder)] == folder]

    def list_folders(self, folder: tuple[str, ...]) -> list[str]:
        """Names of the folders directly in a folder that hold a picture in or below them, in order."""
        depth = len(folder)
        return sorted({place[depth] for place in self.pictures if len(place) > depth and place[:depth] == folder})

    @cached_property
    def _all(self) -> list[tuple[str, ...]]:
        return sorted((*place, name) for place, names in self.pictures.items() for name in names)

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
    names, folders, endings = list[str](), list[str](), set[str]()
    for entry, kind in _list_entries(found, place):
        path = "/".join((*place, make_readable(entry.name)))
        if kind == "folder":
            folders.append(entry.name)
        elif _is_picture(entry):
            names.append(entry.name)
        else:
            ending = os.path.splitext(entry.name)[1].lower()
            if ending in TABLES:
                found.tables.append((*place, entry.name))
            endings.add(ending or "no ending")
            found.ignore(f"ending {ending}" if ending else "no ending, and no picture by their first bytes", path)
    if names:
        found.pictures[place] = sorted(names)
    below = [_look_below(found, (*place, name), above) for name in sorted(folders)]
    if names or any(below):
        return True
    found.empty[place] = ", ".join(sorted(endings))
    return False


def _look_below(found: Scan, place: tuple[str, ...], above: set[str]) -> bool:
    real = os.path.realpath(found.locate(place))
    if real in above:
        found.ignore("links that lead back to a folder above them", "/".join(map(make_readable, place)))
        return False
    return _look_into(found, place, above | {real})


def _list_entries(found: Scan, place: tuple[str, ...]) -> Iterator[tuple[os.DirEntry[str], str]]:
    """What lies in a folder and is to be looked at, each with "folder" or "file"; the rest is noted."""
    try:
        with os.scandir(found.locate(place)) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        found.ignore(f"folders that cannot be read ({error.strerror})", "/".join(map(make_readable, place)))
        return
    for entry in listed:
        why, kind = _sort_out(entry)
        if why:
            found.ignore(why, "/".join(map(make_readable, (*place, entry.name))))
        else:
            yield entry, kind


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


def _is_picture(entry: os.DirEntry[str]) -> bool:
    ending = os.path.splitext(entry.name)[1].lower()
    return ending in ENDINGS or (not ending and _begins_like_picture(entry.path))


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
