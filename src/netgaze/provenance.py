"""The provenance of a number: versions, commit, machine."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import netgaze

_PACKAGES = ("torch", "torchvision", "pytorch-lightning", "hydra-core", "numpy", "scikit-learn")


def collect_provenance() -> dict[str, Any]:
    """Facts of this process for `run.json`: git commit, versions, machine and system."""
    own = {"netgaze": netgaze.__version__, "python": platform.python_version()}
    return {
        "git": _ask_git(),
        "versions": own | {name: _find_version(name) for name in _PACKAGES},
        "machine": platform.machine(),
        "system": platform.platform(),
    }


def _find_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _ask_git() -> dict[str, Any] | None:
    """Commit and whether anything is uncommitted, where the project lies in a git checkout."""

    def ask(*words: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        return {"commit": ask("rev-parse", "HEAD"), "dirty": bool(ask("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None
