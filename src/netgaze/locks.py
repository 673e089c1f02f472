"""A lock beside a file that many processes need and one writes."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

_SOON = 20  # tenths of a second in which nobody wonders


@contextmanager
def one_at_a_time(path: Path | str) -> Iterator[bool]:
    """Let one process at a time, of all that share a disk, make `path`; the others wait, and find it made.

    The lock lies beside it and goes with the process that holds it, however that ends. Yields whether there is one:
    where a disk knows no locks, as some in a network, or the system, or nothing can be written, processes may be at it
    together, and each has to write under a name of its own and rename.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.lock")
    file = _lock(beside, path)
    try:
        yield file is not None
    finally:
        if file is not None:
            with suppress(OSError):
                beside.unlink()
            file.close()


def _lock(beside: Path, path: Path) -> BinaryIO | None:
    """The file of a lock, once this process has it; None where there can be none."""
    while fcntl is not None:
        try:
            file = open(beside, "wb")  # noqa: SIM115
        except OSError:
            return None
        if not _wait_for(file, path):
            file.close()
            return None
        if os.fstat(file.fileno()).st_nlink:  # else the one before has taken it away
            return file
        file.close()
    return None


def _wait_for(file: BinaryIO, path: Path) -> bool:
    """Wait for the lock of a file, and say so where it takes a while; whether it was had."""
    try:
        for _ in range(_SOON):
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            time.sleep(0.1)
        log.info("Waiting for another process, which writes %s", path)
        fcntl.flock(file, fcntl.LOCK_EX)
        return True
    except OSError:  # this disk has no locks
        return False
