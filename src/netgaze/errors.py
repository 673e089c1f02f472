"""Errors that the user can fix, in one or two sentences."""

import errno
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from netgaze.text import show

_ADVICE = {
    errno.ENOSPC: " Make room there, or choose another folder.",
    errno.EROFS: " Choose a folder you may write to.",
    errno.EACCES: " Choose a folder that you may read and write.",
}
_OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "not enough memory", "Storage size calculation overflowed")


class NetgazeError(Exception):
    """An error that the user can fix.

    The message says what is wrong, where, and what to do. The command line prints it without a traceback and
    exits with code 1; `NETGAZE_DEBUG=1` shows the traceback as well.
    """


class Stopped(BaseException):
    """A signal has told a run to stop, and it has saved: nothing is wrong, and nobody may pass it over.

    Args:
        number: of the signal; None where another process of the run was told.
        place: where training stands, in words.
    """

    def __init__(self, number: int | None, place: str):
        name = signal.Signals(number).name if number else "another process of this run"
        super().__init__(f"Stopped by {name} {place}; everything is saved.")
        self.number = number


def sentence(error: BaseException) -> str:
    """What an exception says, on one line, without the places in libraries where it was raised."""
    return show(_find_sentence(error))


def _find_sentence(error: BaseException) -> str:
    if isinstance(error, OSError) and (error.filename or error.errno):
        place = f"Cannot use {error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}." + _ADVICE.get(error.errno or 0, "")
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, NetgazeError) or not lines:
        return " ".join(lines) or type(error).__name__
    useful = [line for line in lines if not line.startswith(("full_key:", "object_type=", "See https"))]
    return " ".join(useful[:2])


@contextmanager
def explaining_memory(advice: str) -> Iterator[None]:
    """Say in a sentence where memory is out; see `raise_if_too_large`."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        raise_if_too_large(error, advice)
        raise


def raise_if_too_large(error: BaseException, advice: str) -> None:
    """Say what a library reports when memory is out; nothing for any other error.

    Args:
        error: as caught.
        advice: what needs less.

    Raises:
        NetgazeError: memory was out.
    """
    said = str(error)
    if isinstance(error, MemoryError) or any(text in said for text in _OUT_OF_MEMORY):
        raise NetgazeError(f"This needs more memory than there is. {advice}") from error
