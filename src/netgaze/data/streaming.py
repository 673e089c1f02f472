"""Image files kept decoded, or streamed if the set is too large to keep."""

import shutil
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np

from netgaze.data.cache import Decoded, decode_cached, locate_cached
from netgaze.data.decode import Form
from netgaze.data.manifest import Survey, find_kept, identify, look_through, read_ranges
from netgaze.data.parallel import Files
from netgaze.data.reading import read_headers
from netgaze.data.streamed import Streamed
from netgaze.data.values import Ranges
from netgaze.errors import NetgazeError
from netgaze.files import cache_root, digest, read_json, write_json
from netgaze.locks import one_at_a_time
from netgaze.ranks import count_cores

Way = Literal["auto", "cached", "streamed"]

_VERSION = 1  # of what is kept of the headers
_MOST_BYTES, _SHARE = 20_000_000_000, 0.5  # of decoded images that are kept, and of the free disk that they may take
_WORTH_SAYING = 1_000_000_000  # bytes


def check_way(way: Any) -> Way:
    """`data.decode`.

    Raises:
        NetgazeError: it is something else.
    """
    if way not in ("auto", "cached", "streamed"):
        raise NetgazeError(f"Unknown data.decode={way}. Choose auto, cached or streamed.")
    known: Way = way
    return known


def open_images(root: Path, files: Files, form: Form, typed: Ranges, way: Way) -> tuple[Decoded, list[str]]:
    """The images of `files` under `root`, and what there is to say of how they are read.

    Args:
        root: above all files.
        files: in order.
        form: what they become.
        typed: ranges that were typed; others are found.
        way: "cached": decoded once into a file; "streamed": as they are needed; "auto": as they were before, else
            cached where they take up to 20 GB and half of the free disk.

    Raises:
        NetgazeError: the cache cannot be written.
    """
    identity, size = identify(root, files), len(files) * form.size**2 * form.channels
    kept, headers = locate_cached(identity, form, typed), _locate_headers(identity, typed)
    if way == "streamed" or (way == "auto" and not kept.exists() and (headers.exists() or not _fits(kept, size))):
        said = (
            f"Images are decoded as they are needed, by {count_cores()} processes (kept, they would take "
            f"{size / 1e9:.1f} GB: data.decode=cached); equal ones are not looked for"
        )
        return _stream(files, form, typed, headers), [said]
    decoded = decode_cached(root, files, form, typed, identity)
    return decoded, [f"Decoded images: {size / 1e9:.1f} GB in {cache_root()}"] if size >= _WORTH_SAYING else []


def _locate_headers(identity: str, typed: Ranges) -> Path:
    return cache_root() / "headers" / f"{digest(identity, dict(typed), _VERSION)}.json"


def _fits(path: Path, size: int) -> bool:
    """Whether a file of so many bytes is to be written there."""
    there = next(folder for folder in path.parents if folder.exists())
    return size <= min(_MOST_BYTES, _SHARE * shutil.disk_usage(there).free)


def _stream(files: Files, form: Form, typed: Ranges, path: Path) -> Decoded:
    """Images that are decoded when they are asked for. Headers are read once; what they say is kept in `path`."""
    facts = _read_facts(path)
    if facts is None:
        with suppress(OSError):  # said when it is written
            path.parent.mkdir(parents=True, exist_ok=True)
        with one_at_a_time(path):
            facts = _read_facts(path) or _look(files, typed)
            write_json(path, facts)
    kept, ranges = find_kept(facts, len(files)), read_ranges(facts)
    images = Streamed([files[number] for number in np.flatnonzero(kept).tolist()], form, ranges)
    source = digest(facts["checksum"], asdict(form), ranges)
    return Decoded(images, kept, source, ranges, facts["unreadable"], num_bad=facts["num_bad"])


def _read_facts(path: Path) -> dict[str, Any] | None:
    try:
        facts = read_json(path)
        return facts if {"checksum", "unreadable", "ranges", "num_bad"} <= facts.keys() else None
    except (OSError, AttributeError, NetgazeError):
        return None


def _look(files: Files, typed: Ranges) -> dict[str, Any]:
    """What all headers say, and a name for the content of the files: of their sizes and first bytes."""
    survey, hashes = Survey(), list[bytes]()
    for read in look_through(read_headers, files, "Looking at images"):
        survey.note(read)
        hashes += read.hashes
    content = np.frombuffer(b"".join(hashes), np.uint8)
    return survey.describe(survey.choose_ranges(typed)) | {"checksum": digest(content)}
