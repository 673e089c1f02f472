"""Errors the user can fix, in a sentence or two."""

from netgaze.text import show


class NetgazeError(Exception):
    """A mistake or a lack that the person at the keyboard can mend.

    The message says what is wrong, where, and what to do. The command line prints it without a traceback and
    exits with code 1; `NETGAZE_DEBUG=1` shows the traceback as well.
    """


def sentence(error: BaseException) -> str:
    """What an exception says, on one line, without the places in libraries where it was raised."""
    return show(_find_sentence(error))


def _find_sentence(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"Cannot use {error.filename}: {error.strerror}."
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, NetgazeError) or not lines:
        return " ".join(lines) or type(error).__name__
    useful = [line for line in lines if not line.startswith(("full_key:", "object_type=", "See https"))]
    return " ".join(useful[:2])
