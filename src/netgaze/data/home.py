"""Finds a published data set: its folder, the folder around it, or its archive."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Home:
    """How the files of a published set are called.

    Args:
        folder: the name of its own folder.
        marks: patterns of files that lie in it, whatever it is called; one of them is enough to know it by.
        archive: the name of the archive that it is unpacked from.
    """

    folder: str
    marks: tuple[str, ...]
    archive: str = ""

    def find(self, dir: str | Path) -> Path:
        """The set's own folder, whether it is there or not.

        Args:
            dir: as typed: that folder, the one around it, or the archive.
        """
        dir = Path(dir).expanduser()
        if dir.is_file():
            dir = dir.parent
        inside = dir / self.folder
        if not inside.is_dir() and (dir.name == self.folder or any(any(dir.glob(mark)) for mark in self.marks)):
            return dir
        return inside

    def find_archive(self, dir: str | Path) -> Path:
        """The archive, whether it is there or not: `dir` itself where that is a file, else beside the set's folder."""
        typed = Path(dir).expanduser()
        return typed if typed.is_file() else self.find(dir).parent / self.archive
