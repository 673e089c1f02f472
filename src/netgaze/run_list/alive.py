"""Whether a run is still being trained, by its `run.json` and its files."""

import os
import platform
import time
from collections.abc import Mapping
from typing import Any

JUST_NOW = 10 * 60.0  # seconds after which a folder in which nothing was written counts as quiet
_SILENT = 24 * 3600.0  # seconds without a written file after which a run of another machine counts as ended


def describe_process() -> dict[str, Any]:
    """Which process this is, for `run.json`: a later one can tell whether it is still there."""
    return {"host": platform.node(), "pid": os.getpid()}


def is_alive(facts: Mapping[str, Any], written: float) -> bool:
    """Whether a run that says "running" may still be: its process is there, or cannot be asked and wrote of late.

    Args:
        facts: of its `run.json`; runs of earlier versions do not name their process.
        written: when anything in its folder was written last, by `time.time`.
    """
    pid = facts.get("pid")
    if facts.get("host") == platform.node() and isinstance(pid, int) and pid > 0:
        return _is_there(pid)
    return time.time() - written < _SILENT


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # sends nothing
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # somebody else's
        return True
    return True
