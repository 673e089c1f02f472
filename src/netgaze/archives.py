"""Unpacks untrusted archives: completely or not at all, only into their folder, within a size limit."""

import os
import shutil
import stat
import tarfile
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, BinaryIO

from netgaze.errors import NetgazeError
from netgaze.files import is_web_page
from netgaze.locks import one_at_a_time

MOST_FILES, MOST_DEPTH = 1_000_000, 30
_MOST_DIRECTORY = 10_000_000  # bytes of a zip archive's table of contents
_MOST_READ = 1 << 20  # bytes at once: tarfile asks for more only to take in a header of any size


def extract(archive: Path | str, folder: Path | str, most_bytes: int) -> None:
    """Unpack the folder of the same name out of a tar archive to `folder`; links and paths out of it are refused.

    Args:
        archive: the tar file, compressed or not.
        folder: is made.
        most_bytes: what the archive may hold unpacked.

    Raises:
        NetgazeError: the archive is broken, unsafe, too large, or has no such folder, or `folder` cannot be written.
    """
    name = Path(folder).name

    def unpack(beside: Path) -> Path:
        with _Tar.open(archive) as tar:
            tar.extractall(beside, _choose(tar, name, _Limits(archive, most_bytes)), filter="data")
        if not (beside / name).is_dir():
            raise NetgazeError(f"{archive} has no folder {name}. Replace it with the right archive.")
        return beside / name

    _unpack(archive, Path(folder), unpack)


def unzip(archive: Path | str, folder: Path | str, most_bytes: int) -> None:
    """Unpack all of a zip archive into the new `folder`; links and paths out of it are refused.

    Args:
        archive: the zip file.
        folder: is made.
        most_bytes: what the archive may hold unpacked.

    Raises:
        NetgazeError: the archive is broken, unsafe, locked or too large, or `folder` cannot be written.
    """

    def unpack(beside: Path) -> Path:
        limits = _Limits(archive, most_bytes)
        _check_directory(archive)
        with zipfile.ZipFile(archive) as content:
            for member in content.infolist():
                if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise zipfile.BadZipFile(f"{_show(member.filename)} is a link or a device")
                # As it is written there: zipfile has cut it at a zero and turned the system's own slashes.
                limits.check(member.orig_filename, member.file_size, member.is_dir())
            beside.mkdir(parents=True, exist_ok=True)
            content.extractall(beside)
        return beside

    _unpack(archive, Path(folder), unpack)


class _Limits:
    """What the members of an archive may be, seen one after another."""

    def __init__(self, archive: Path | str, most_bytes: int):
        self.archive, self.most_bytes = archive, most_bytes
        self.num_bytes, self.num_files, self.names = 0, 0, set[str]()

    def take(self, num_bytes: int) -> None:
        """Count a member, and what is unpacked with it."""
        self.num_bytes += num_bytes
        self.num_files += 1
        if self.num_bytes > self.most_bytes or self.num_files > MOST_FILES:
            most = f"{self.most_bytes / 1e6:.0f} MB" if self.num_files <= MOST_FILES else f"{MOST_FILES} files"
            raise NetgazeError(f"{self.archive} holds more than {most}. Replace it with the right archive.")

    def check(self, name: str, num_bytes: int, is_folder: bool) -> None:
        """Refuse a member that lies outside, that comes twice, or that makes too much of the whole."""
        parts, windows = PurePosixPath(name).parts, PureWindowsPath(name)
        if ".." in windows.parts or windows.anchor or "\\" in name or "\0" in name or len(parts) > MOST_DEPTH:
            raise tarfile.TarError(f"{_show(name)} lies outside of it")
        key = "/".join(parts).casefold()  # some file systems do not tell capitals apart
        if not is_folder and key in self.names:
            raise tarfile.TarError(f"{_show(name)} comes twice")
        if not is_folder:
            self.names.add(key)
        self.take(num_bytes)


def _choose(tar: tarfile.TarFile, name: str, limits: _Limits) -> Iterator[tarfile.TarInfo]:
    """The members below the folder `name`; all are held against the limits."""
    for member in tar:
        if name not in PurePosixPath(member.name).parts[:1]:
            limits.take(member.size)
        elif not (member.isreg() or member.isdir()):
            raise tarfile.TarError(f"{_show(member.name)} is a link or a device")
        else:
            limits.check(member.name, member.size, member.isdir())
            yield member
        tar.members.clear()  # type: ignore[attr-defined]  # else all are kept


def _show(name: str) -> str:
    """A member's name, whatever is in it, for a sentence."""
    return repr(name)[1:-1][:80]


def _check_directory(archive: Path | str) -> None:
    """Refuse a zip archive whose table of contents, which is read into memory whole, would fill it."""
    with open(archive, "rb") as file:
        file.seek(max(0, os.path.getsize(archive) - (1 << 16) - 64))
        tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    is_zip64 = b"PK\x06\x07" in tail[max(0, end - 20) : end]
    if end >= 0 and (is_zip64 or int.from_bytes(tail[end + 12 : end + 16], "little") > _MOST_DIRECTORY):
        raise NetgazeError(f"{archive} holds too many files. Replace it with the right archive.")


class _Tar(tarfile.TarFile):
    """A tar file whose headers are of a sensible size, whatever a compressed one unpacks to."""

    def __init__(self, name: Any = None, mode: Any = "r", fileobj: Any = None, **options: Any):
        super().__init__(name, mode, None if fileobj is None else _Sips(fileobj), **options)


class _Sips:
    """A file that is read in sips."""

    def __init__(self, file: BinaryIO):
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        """The next bytes.

        Raises:
            tarfile.TarError: too many are asked for.
        """
        if not 0 <= size <= _MOST_READ:
            raise tarfile.TarError("a header is too large")
        return self._file.read(size)


def _unpack(archive: Path | str, folder: Path, unpack: Callable[[Path], Path]) -> None:
    """Let `unpack` write beside `folder` and say what of it becomes `folder`: whole or not at all."""
    beside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:12]}.part")
    with one_at_a_time(folder):
        if not folder.is_dir():  # else another process was quicker
            _unpack_beside(archive, folder, beside, unpack)


def _unpack_beside(archive: Path | str, folder: Path, beside: Path, unpack: Callable[[Path], Path]) -> None:
    try:
        if is_web_page(archive):
            raise NetgazeError(f"{archive} is a web page, not an archive. Put the archive there.")
        os.replace(unpack(beside), folder)
    except NetgazeError:
        raise
    except OSError as error:
        if isinstance(error, tarfile.TarError) or error.errno is None:  # gzip's words for what it cannot read
            raise _broken(archive, error) from error
        if not folder.is_dir():  # else another process was quicker
            raise NetgazeError(f"Cannot unpack {archive} to {folder}: {error.strerror or error}.") from error
    except Exception as error:  # readers of broken files raise nearly everything
        raise _broken(archive, error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _broken(archive: Path | str, error: Exception) -> NetgazeError:
    return NetgazeError(f"{archive} is broken or incomplete ({error}). Remove it to download it again.")
