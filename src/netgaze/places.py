"""Finds the runs, weight files and pseudo-labels that you name. Needs no torch."""

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from netgaze.errors import NetgazeError

PSEUDO_LABELS = "pseudo_labels.npz"  # in the folder of the run that wrote them
_EXPORTED = ("model.safetensors", "model.onnx")  # in a folder that was exported, the better first
_ENDINGS = (".safetensors", ".onnx", ".pth", ".pt", ".ckpt", ".bin", ".th", ".tar")


def find_run_folders(paths: Iterable[str]) -> list[Path]:
    """The folders of the runs that were meant: their own, those below a folder (a sweep), patterns with `*`.

    Raises:
        NetgazeError: a path leads to no run.
    """
    found: dict[Path, None] = {}
    for path in paths:
        matches = sorted(map(Path, glob.glob(path))) if "*" in path else [Path(path)]
        below = [folder for match in matches for folder in _find_below(match)]
        if not below:
            raise NetgazeError(f"runs: {path} contains no run. Give folders in outputs/ that train.py wrote.")
        found |= dict.fromkeys(below)
    return list(found)


def locate_checkpoint(folder: Path, name: str) -> Path:
    """Where the checkpoint "best" or "last" of a run lies."""
    return folder / "checkpoints" / f"{name}.ckpt"


def find_weights(source: str) -> Path:
    """The file behind an `init` that names one, a run, or the folder of an exported one.

    Raises:
        NetgazeError: there is none.
    """
    path = Path(source).expanduser()
    for file in (locate_checkpoint(path, "best"), *(path / name for name in _EXPORTED)):
        if os.path.isfile(file):
            return file
    if os.path.isdir(path) and (inside := sorted(each.name for each in path.iterdir() if each.suffix in _ENDINGS)):
        raise NetgazeError(f"init={source} is a folder, but not a run's. Give a file in it: init={path / inside[0]}.")
    if not os.path.isfile(path):  # of a name that cannot be, too
        raise NetgazeError(
            f"init={source}: there is no such file of weights, nor a run with {path}/checkpoints/best.ckpt."
        )
    return path


def find_pseudo_labels(source: Path | str) -> Path:
    """The file of pseudo-labels that is named, or that lies in a run's folder.

    Raises:
        NetgazeError: there is none.
    """
    path = Path(source)
    path = path / PSEUDO_LABELS if path.is_dir() else path
    if not path.is_file():
        raise NetgazeError(f"There are no pseudo-labels at {path}. Write them with a run of task=pseudo_labels.")
    return path


def _find_below(folder: Path) -> list[Path]:
    if (folder / "run.json").is_file():
        return [folder]
    below = [path.parent for path in folder.glob("**/run.json")]
    # Its stages lie inside a run; they are found by their own paths.
    outermost = [place for place in below if not any(other in place.parents for other in below)]
    return sorted(outermost, key=_by_number)


def _by_number(folder: Path) -> tuple[str, int, str]:
    return (str(folder.parent), int(folder.name) if folder.name.isdigit() else -1, folder.name)
