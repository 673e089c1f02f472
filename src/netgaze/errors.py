"""Errors the user can fix, in a sentence or two."""

import errno

_ADVICE = {
    errno.ENOSPC: " Make room there, or choose another folder.",
    errno.EROFS: " Choose a folder you may write to.",
    errno.EACCES: " Choose a folder that you may read and write.",
}


class NetgazeError(Exception):
    """A mistake or a lack that the person at the keyboard can mend.

    The message says what is wrong, where, and what to do. The command line prints it without a traceback and
    exits with code 1; `NETGAZE_DEBUG=1` shows the traceback as well.
    """


def sentence(error: BaseException) -> str:
    """What an exception says, without the places in libraries where it was raised."""
    if isinstance(error, OSError) and (error.filename or error.errno):
        place = f"Cannot use {error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}." + _ADVICE.get(error.errno or 0, "")
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, NetgazeError) or not lines:
        return " ".join(lines) or type(error).__name__
    useful = [line for line in lines if not line.startswith(("full_key:", "object_type=", "See https"))]
    return " ".join(useful[:2])
