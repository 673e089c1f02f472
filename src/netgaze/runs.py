"""A run's folder: what lies in it, how it is written, and `rows`, the one source of every table."""

import csv
import glob
import platform
import subprocess
import time
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from netgaze.errors import NetgazeError
from netgaze.files import digest, read_json, write_json

REPEATS = ("seed", "data.split_seed")  # runs that differ in nothing else are repetitions of one setting
_PACKAGES = ("torch", "torchvision", "pytorch-lightning", "hydra-core", "numpy", "scikit-learn")


def begin(folder: Path, about: dict[str, Any]) -> None:
    """Write `run.json` with the status "running" and all that is known at the start; what it said before stays."""
    known = read_json(folder / "run.json") if is_run(folder) else {}
    known.pop("error", None)
    known.pop("trace", None)
    provenance = {
        "status": "running",
        "started": known.get("started", time.strftime("%Y-%m-%dT%H:%M:%S%z")),
        "git": _git(),
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES},
        "machine": platform.machine(),
        "system": platform.platform(),
    }
    if "overrides" in known:  # a resumed run keeps what it was started with
        typed = {_split(override)[0] for override in about["overrides"]}
        kept = [override for override in known["overrides"] if _split(override)[0] not in typed]
        about = about | {"overrides": kept + about["overrides"], "choices": known["choices"]}
    write_json(folder / "run.json", known | provenance | about)


def note(folder: Path, **facts: Any) -> None:
    """Add facts to `run.json`."""
    write_json(folder / "run.json", read_json(folder / "run.json") | facts)


def is_run(folder: Path) -> bool:
    """Whether a folder holds a run."""
    return (folder / "run.json").is_file()


def read(folder: Path) -> dict[str, Any]:
    """A run's `run.json`.

    Raises:
        NetgazeError: the folder holds no run.
    """
    if not is_run(folder):
        raise NetgazeError(f"{folder} holds no run (no run.json). Give a folder below outputs/ that train.py wrote.")
    return read_json(folder / "run.json")


def read_history(folder: Path) -> list[dict[str, float]]:
    """The rows of `history.csv`, one an epoch; numbers that an epoch lacks are left out."""
    path = folder / "history.csv"
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [
        {name: int(value) if name == "epoch" else float(value) for name, value in row.items() if value} for row in rows
    ]


def read_metrics(folder: Path) -> dict[str, Any]:
    """A run's final numbers; empty where it has none yet."""
    path = folder / "metrics.json"
    return read_json(path) if path.exists() else {}


def read_variants(folder: Path) -> list[dict[str, Any]]:
    """Settings and numbers of each network that a run trained at once; empty for a run of one."""
    path = folder / "variants.json"
    return read_json(path) if path.exists() else []


def spend(folder: Path, seconds: float) -> None:
    """Add to the seconds that a run has taken, over all its attempts."""
    note(folder, seconds=seconds + (read(folder).get("seconds") or 0))


def seconds(folder: Path) -> float | None:
    """What a run has taken, with the stages that lie in it; None before its first attempt has ended."""
    spent = [read(run).get("seconds") for run in (folder, *(path.parent for path in folder.glob("stages/*/run.json")))]
    return sum(part or 0 for part in spent) if spent[0] is not None else None


def find(paths: Iterable[str]) -> list[Path]:
    """The run folders that were meant: runs themselves, folders with runs below (a sweep), patterns with `*`.

    Raises:
        NetgazeError: a path leads to no run.
    """
    found: list[Path] = []
    for path in paths:
        matches = sorted(map(Path, glob.glob(path))) if "*" in path else [Path(path)]
        runs = [run for match in matches for run in _below(match)]
        if not runs:
            raise NetgazeError(f"runs: {path} leads to no run. Give folders below outputs/ that train.py wrote.")
        found += [run for run in runs if run not in found]
    return found


def _below(folder: Path) -> list[Path]:
    if is_run(folder):
        return [folder]
    below = [path.parent for path in folder.glob("**/run.json")]
    # Its stages lie inside a run; they are found by their own paths.
    return sorted((run for run in below if not any(other in run.parents for other in below)), key=_by_number)


def _by_number(folder: Path) -> tuple[str, int, str]:
    return (str(folder.parent), int(folder.name) if folder.name.isdigit() else -1, folder.name)


def rows(folders: Sequence[Path], titles: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """One row a network: label, run, setting, folder, status, what was typed, its numbers.

    A run that trained several networks at once (the heads of a linear probe) has a row for each; `run` is what they
    share. `setting` is what runs of several seeds, or of several divisions of the data, share; `drawn` is the division
    where it differs between the runs. `last/val_acc` is the last epoch's validation accuracy.

    Args:
        folders: of the runs.
        titles: what the runs are called; None for what tells them apart.
    """
    typed = _typed(folders)
    titles, differing = titles or labels(folders), varied(typed)
    shared = _settings(folders, typed, [key for key in differing if key not in REPEATS])
    table = []
    divisions = [read(folder).get("config", {}).get("data", {}).get("split_seed") for folder in folders]
    drawn = divisions if len({*divisions} - {None}) > 1 else [None] * len(folders)
    for folder, name, setting, settings, division in zip(folders, titles, shared, typed, drawn, strict=True):
        run, last = read(folder), (read_history(folder) or [{}])[-1]
        row = (
            {"label": name, "run": name, "setting": setting, "folder": str(folder)}
            | {"status": run["status"] if run["status"] != "running" else "unfinished"}
            | {key: value for key, value in settings.items() if key in differing}
            | {"kind": digest(run.get("classes", run.get("task")))}  # right answers to other questions do not compare
            | {key: run.get(key) for key in ("seed", "monitor", "monitor_mode")}
            | {"eval_fingerprint": run.get("eval_fingerprint", run.get("data")), "drawn": division}
            | read_metrics(folder)
            | ({"last/val_acc": last["val/acc"]} if "val/acc" in last else {})
            | {"seconds": seconds(folder), "error": run.get("error")}
        )
        table += [_of_variant(row, variant, last, len(folders)) for variant in read_variants(folder)] or [row]
    return table


def _settings(folders: Sequence[Path], typed: Sequence[dict[str, str]], keys: Sequence[str]) -> list[str]:
    """What runs that agree in all `keys` are called together; others are never called the same."""
    found = names(folders, typed, keys)
    values = [tuple(settings.get(key) for key in keys) for settings in typed]
    places = {value: place for place, value in enumerate(dict.fromkeys(values), start=1)}
    meant: dict[str, set[int]] = {}
    for name, value in zip(found, values, strict=True):
        meant.setdefault(name, set()).add(places[value])
    return [
        name if len(meant[name]) == 1 else f"{name} ({places[value]})"
        for name, value in zip(found, values, strict=True)
    ]


def _of_variant(
    row: dict[str, Any], variant: dict[str, float], last: dict[str, float], num_runs: int
) -> dict[str, Any]:
    """The row of one of the networks that a run trained at once, told by its learning rate."""
    rate = f"lr={variant['lr']:g}"
    # The list of all rates is no part of what one of them is called, nor are the numbers of the best one its own.
    shared = [", ".join(part for part in row[key].split(", ") if "lrs=" not in part) for key in ("label", "setting")]
    called = {
        key: rate if num_runs == 1 else f"{name}, {rate}"
        for key, name in zip(("label", "setting"), shared, strict=True)
    }
    row = {name: value for name, value in row.items() if "/" not in name or name == "last/val_acc"}
    final = last.get(f"val/acc {rate}", row.get("last/val_acc"))
    numbers = {name: value for name, value in variant.items() if name != "lr"}
    return row | called | {"optim.lr": f"{variant['lr']:g}", "monitor": "val/acc", "last/val_acc": final} | numbers


def labels(folders: Sequence[Path]) -> list[str]:
    """A short, distinct name a run, by what was typed."""
    return label(folders, _typed(folders))


def _typed(folders: Sequence[Path]) -> list[dict[str, str]]:
    return [dict(_split(override) for override in read(folder).get("overrides", [])) for folder in folders]


def varied(typed: Sequence[dict[str, str]]) -> list[str]:
    """The keys whose values are not the same in all runs."""
    keys = dict.fromkeys(key for settings in typed for key in settings)
    return [key for key in keys if len({settings.get(key) for settings in typed}) > 1]


def label(folders: Sequence[Path], typed: Sequence[dict[str, str]]) -> list[str]:
    """A short, distinct name a run: what differs in what was typed, else the task, else the folder."""
    found = names(folders, typed, varied(typed))
    if len(set(found)) < len(found):
        found = [f"{name} {'/'.join(folder.parts[-2:])}".strip() for name, folder in zip(found, folders, strict=True)]
    return found


def names(folders: Sequence[Path], typed: Sequence[dict[str, str]], differ: Sequence[str]) -> list[str]:
    """What each run is called by the settings in `differ`; runs that agree in them are called the same."""
    if len(differ) == 1 and all(differ[0] in settings for settings in typed):
        values = [_short(settings[differ[0]]) for settings in typed]
        words = all(not _is_number(value) and value.lower() not in ("null", "true", "false") for value in values)
        return values if words else [f"{differ[0].rpartition('.')[2]}={value}" for value in values]
    if differ:
        return [
            ", ".join(f"{key.rpartition('.')[2]}={_short(settings[key])}" for key in differ if key in settings)
            or "as it is"
            for settings in typed
        ]
    return [read(folder).get("choices", {}).get("task", folder.name) for folder in folders]


def _short(value: str) -> str:
    """A path by its last part."""
    return Path(value).name if "/" in value else value


def _split(override: str) -> tuple[str, str]:
    key, _, value = override.partition("=")
    return key.lstrip("+~"), value.strip("'\"")


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git() -> dict[str, Any] | None:
    """Commit and whether anything is uncommitted, where the project lies in a git checkout."""
    place = Path(__file__).parent

    def ask(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(place), *words], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()

    try:
        return {"commit": ask("rev-parse", "HEAD"), "dirty": bool(ask("status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None
