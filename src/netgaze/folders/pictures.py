"""Your own pictures: files, folders, and patterns."""

import glob
import logging
import os
from collections.abc import Sequence

from netgaze.errors import NetgazeError
from netgaze.folders.scan import scan

log = logging.getLogger(__name__)


def find_pictures(paths: Sequence[str]) -> list[str]:
    """A person's own pictures: files as they are named, all pictures below folders, and what fits patterns (*.jpg).

    Raises:
        NetgazeError: a folder holds no picture, or nothing fits a pattern.
    """
    found = {os.path.realpath(file): file for path in paths for file in _below(os.path.expanduser(path))}  # none twice
    return list(found.values())


def _below(path: str) -> list[str]:
    if os.path.isdir(path):
        found = scan(path)
        if not found.pictures:
            kinds = found.empty.get((), "")
            raise NetgazeError(f"images: {path} holds no pictures{f', only files of {kinds}' if kinds else ''}.")
        for why, names in found.ignored.items():
            log.info("images: left out of %s: %d files (%s), the first is %s", path, len(names), why, names[0])
        return [found.locate(place) for place in found.list_below(())]
    if os.path.lexists(path) or not glob.has_magic(path):
        return [path]
    files = sorted(file for file in glob.glob(path, recursive=True) if os.path.isfile(file))
    if not files:
        raise NetgazeError(f"images: no file matches {path}.")
    return files
