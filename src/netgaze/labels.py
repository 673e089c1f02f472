"""Labels of runs: the settings that differ, except figures and folders."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from netgaze.run import Run

REPEATS = ("seed", "data.split_seed")  # runs that differ in nothing else are repetitions of one setting
# Keys that make no difference to the network.
_NO_DIFFERENCE = ("callback", "control", "export_predictions", "figure", "figures", "hydra", "logger", "name")
_MAIN = ("task", "data", "model", "optim.lr", "trainer.max_epochs", "data.batch_size", "seed")  # of any run
_NOTHING_TYPED = "as it is"
_FILE_AND_KEY = re.compile(r"\{file:'?(.*?)'?,key:'?(.*?)'?\}")  # an `init` that names a key in its file


def label_runs(runs: Sequence[Run]) -> list[str]:
    """A short, distinct name per run: what differs, else its task, numbered where that says nothing."""
    settings = list_settings(runs)
    differing = find_differing(settings)
    return _number_equals(name_settings(settings, differing) if differing else _name_tasks(runs))


def list_settings(runs: Sequence[Run]) -> list[dict[str, str]]:
    """Per run the value of every key that was typed for any of them, as far as the run knows such a key.

    What a run was not given it has by choice or by default: a run with `optim.lr=0.1` typed and one without differ only
    where the default is another.
    """
    keys = dict.fromkeys(key for run in runs for key in run.request.typed)
    keys = dict.fromkeys(key for key in keys if key.partition(".")[0].partition("/")[0] not in _NO_DIFFERENCE)
    return [{key: value for key in keys if (value := _find_value(run, key)) is not None} for run in runs]


def list_hyperparameters(run: Run) -> dict[str, str]:
    """What a run is told from others by before these are known: what was typed for it, then its main settings."""
    main = {key: value for key in _MAIN if (value := _find_value(run, key)) is not None}
    return list_settings([run])[0] | main


def find_differing(settings: Sequence[dict[str, str]]) -> list[str]:
    """The keys whose values are not the same in all runs."""
    keys = dict.fromkeys(key for one in settings for key in one)
    return [key for key in keys if len({one.get(key) for one in settings}) > 1]


def name_settings(settings: Sequence[dict[str, str]], differing: Sequence[str]) -> list[str]:
    """What each run is called by the settings in `differing`; runs that agree in them are called the same."""
    short = {key: _shorten([one.get(key) for one in settings]) for key in differing}
    if len(differing) == 1 and all(_is_word(value) for value in short[differing[0]]):
        return [str(value) for value in short[differing[0]]]
    named = [
        ", ".join(f"{_last(key)}={short[key][place]}" for key in differing if key in settings[place])
        for place in range(len(settings))
    ]
    return [name or _NOTHING_TYPED for name in named]


def name_groups(settings: Sequence[dict[str, str]], keys: Sequence[str]) -> list[str]:
    """What runs that agree in all `keys` are called together; others are never called the same."""
    names = name_settings(settings, keys)
    values = [tuple(one.get(key) for key in keys) for one in settings]
    places = {value: place for place, value in enumerate(dict.fromkeys(values), start=1)}
    meant: dict[str, set[int]] = {}
    for name, value in zip(names, values, strict=True):
        meant.setdefault(name, set()).add(places[value])
    return [
        name if len(meant[name]) == 1 else f"{name} ({places[value]})"
        for name, value in zip(names, values, strict=True)
    ]


def _name_tasks(runs: Sequence[Run]) -> list[str]:
    """The task of each; where tasks, models or data differ without a word of it typed, these together."""
    chosen = [[run.request.choices.get(group) for group in ("task", "model", "data")] for run in runs]
    differing = [place for place in range(3) if len({choices[place] for choices in chosen}) > 1] or [0]
    return [
        ", ".join(choice for place in differing if (choice := choices[place])) or run.folder.name
        for run, choices in zip(runs, chosen, strict=True)
    ]


def _number_equals(names: Sequence[str]) -> list[str]:
    """The names, with a number behind those that several runs have."""
    counts, seen = Counter(names), Counter[str]()
    numbered = []
    for name in names:
        seen[name] += 1
        numbered.append(name if counts[name] == 1 else f"{name} ({seen[name]})")
    return numbered


def _find_value(run: Run, key: str) -> str | None:
    """The value that a run has for a key: as typed, as chosen, or as its config has it."""
    if key in run.request.typed:
        typed = _FILE_AND_KEY.sub(r"\1:\2", run.request.typed[key])
        return typed.lower() if typed in ("True", "False") else typed  # as a sweep writes true and false
    if key in run.request.choices:
        return run.request.choices[key]
    value: Any = run.config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, dict) and set(value) == {"file", "key"}:
        return f"{value['file']}:{value['key']}"
    return None if value is None or isinstance(value, dict) else _write(value)


def _write(value: Any) -> str:
    """A value of a config as it would be typed."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(map(_write, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _shorten(values: Sequence[str | None]) -> list[str | None]:
    """Paths by as few of their last parts as keep different ones different."""
    depth = 1
    while True:
        short = [None if value is None else _cut_path(value, depth) for value in values]
        if len(set(short)) == len(set(values)) or depth > max(len(value or "") for value in values):
            return short
        depth += 1


def _cut_path(value: str, depth: int) -> str:
    return "/".join(PurePosixPath(value).parts[-depth:]) if "/" in value else value


def _is_word(value: str | None) -> bool:
    """Whether a value says by itself what it is about: numbers, lists, yes and no do not."""
    if value is None or value.startswith("[") or value.lower() in ("null", "true", "false"):
        return False
    try:
        float(value)
    except ValueError:
        return True
    return False


def _last(key: str) -> str:
    return key.rpartition(".")[2]
