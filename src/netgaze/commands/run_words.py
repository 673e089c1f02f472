"""Words about runs that are there already: which to list, to clear away, or to take for `latest`."""

import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from netgaze.commands.words import split_stage
from netgaze.errors import NetgazeError
from netgaze.places import PSEUDO_LABELS
from netgaze.ranks import is_main_process
from netgaze.run_list.entry import Entry

_LATEST = re.compile(r"latest(?::(\d+))?")
_OF_LATEST = ("where", "below")
_SCREENFUL = 50  # runs that a terminal is shown unless more are asked for
_EXAMPLES = {  # of the keys of the list, of which no config knows
    "where": "where.task=rotation",
    "sort": "sort=test/acc",
    "limit": "limit=20",
    "below": "below=outputs",
    "clean": "clean=list",
}


@dataclass(frozen=True)
class Asked:
    """What was typed of the list.

    Attributes:
        where: conditions by key, see `run_list.choose.choose_entries`.
        sort: by which key.
        limit: the most runs shown; None for all.
        below: the folder that is looked through.
        clean: "list" or "remove"; None for neither.
    """

    where: dict[str, Any] = field(default_factory=dict)
    sort: str = "age"
    limit: int | None = None
    below: str = "outputs"
    clean: str | None = None

    @classmethod
    def of_words(cls, words: Sequence[str], limit: int | None = None) -> "Asked":
        """From words, each with one of the list's keys.

        Args:
            words: as typed.
            limit: where none is typed.

        Raises:
            NetgazeError: a value that cannot be.
        """
        asked = cls(limit=limit)
        for word in words:
            key, _, value = word.partition("=")
            key, _, wanted = key.partition(".")
            value = value.strip("'\"")
            if key == "where":
                asked.where[wanted] = _read_wanted(word, wanted, value)
            elif not value or wanted:
                raise NetgazeError(f"{word}: type {_EXAMPLES[key]}.")
            elif key == "limit":
                asked = replace(asked, limit=_read_limit(word, value))
            else:
                asked = replace(asked, **{key: value})
        if asked.clean not in (None, "list", "remove"):
            raise NetgazeError(f"clean={asked.clean} is not known: type clean=list, or clean=remove.")
        return asked


def asks_for_list(words: Sequence[str]) -> bool:
    """Whether the words after `analyze.py` are about the list of runs alone: none at all, too."""
    return all(is_about_list(word) for word in words)


def is_about_list(word: str) -> bool:
    """Whether a word has one of the list's keys."""
    return "=" in word and _get_key(word) in _EXAMPLES


def answer(words: Sequence[str]) -> None:
    """Print the list of runs, or clear away what came to nothing.

    Args:
        words: for which `asks_for_list`.

    Raises:
        NetgazeError: a key or a value that cannot be, or a file that cannot be removed.
    """
    from netgaze.run_list import answers  # here, as it imports NumPy

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    asked = Asked.of_words(words, limit=_SCREENFUL if width else None)
    if asked.clean is None:
        lines = answers.show_list(asked.where, asked.sort, asked.limit, asked.below, width)
    else:
        lines = answers.clean(asked.where, asked.sort, asked.below, width, removes=asked.clean == "remove")
    if is_main_process():  # of several it alone removes and speaks
        for line in lines:
            print(line, flush=True)


def name_latest(words: Sequence[str]) -> list[str]:
    """The words with folders in place of `latest` and `latest:N`, and without those that say among which runs.

    `runs=latest:2` are the two newest finished runs, `init=latest` is the newest one, `resume=latest` the newest that is
    not running. A file or a folder of that name goes first.

    Raises:
        NetgazeError: there are too few runs, or `where` without a run to choose.
    """
    named = [word for word in words if any(map(_is_latest, _split_items(word)))]
    if not named:
        return list(words)
    about = list(filter(is_about_list, words))
    if other := [word for word in about if _get_key(word) not in _OF_LATEST]:
        raise NetgazeError(f"{other[0]} is for the list of runs. With {named[0]} go where.<key>=<value> and below=.")
    asked = Asked.of_words(about)
    return [_name_word(word, asked) if word in named else word for word in words if word not in about]


def refuse_alone(words: Sequence[str]) -> None:
    """Say of words about the list that they choose nothing among other words.

    Raises:
        NetgazeError: there are such words.
    """
    for word in filter(is_about_list, words):
        beside = "beside runs=latest, or alone" if _get_key(word) in _OF_LATEST else "alone"
        raise NetgazeError(f"{word} chooses from the list of runs: type it {beside}.")


def _get_key(word: str) -> str:
    """What of a word's key stands before the first dot."""
    return word.partition("=")[0].partition(".")[0]


def _is_latest(item: str) -> bool:
    return bool(_LATEST.fullmatch(item)) and not Path(item).exists()


def _split_items(word: str) -> list[str]:
    """The values of a key that takes folders of runs; none of another key."""
    key, _, value = word.partition("=")
    if _get_own(key) not in _KINDS:
        return []
    value = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    return [item.strip().strip("'\"") for item in value.split(",")]


def _get_own(key: str) -> str:
    """A key without the stage that it is of."""
    return split_stage(key.lstrip("+"))[1]


def _name_word(word: str, asked: Asked) -> str:
    """A word with folders in place of `latest`, which are printed, too."""
    key = word.partition("=")[0]
    items = [folder for item in _split_items(word) for folder in _name_item(item, word, _get_own(key), asked)]
    if is_main_process():
        print(f"{word} is {', '.join(items)}", flush=True)
    return f"{key}=[{','.join(items)}]" if _get_own(key) == "runs" else f"{key}={','.join(items)}"


def _name_item(item: str, word: str, key: str, asked: Asked) -> list[str]:
    from netgaze.run_list import answers

    found = _LATEST.fullmatch(item)
    if found is None or not _is_latest(item):
        return [item]
    num = int(found[1] or 1)
    if num < 1 or (num > 1 and key != "runs"):
        raise NetgazeError(f"{word}: {'count from 1, as in latest:2' if num < 1 else f'{key} takes one run, latest'}.")
    kind, fits = _KINDS[key]
    return answers.find_latest(num, asked.where, asked.below, fits, kind)


def _is_finished(entry: Entry) -> bool:
    return entry.status == "finished"


def _has_labels(entry: Entry) -> bool:
    return _is_finished(entry) and (entry.folder / PSEUDO_LABELS).is_file()


def _can_be_resumed(entry: Entry) -> bool:
    return entry.status not in ("running", "damaged")


_KINDS = {  # of the runs that a key takes: in words, and whether one is of that kind
    "runs": ("finished", _is_finished),
    "init": ("finished", _is_finished),
    "run": ("finished", _is_finished),
    "resume": ("resumable", _can_be_resumed),
    "data.pseudo_labels": ("finished labeling", _has_labels),
}


def _read_wanted(word: str, key: str, value: str) -> Any:
    if not key or not value:
        raise NetgazeError(
            f"{word}: type {_EXAMPLES['where']}, with a column of the list or a key of the runs' configs."
        )
    if value.startswith("[") and value.endswith("]"):
        return [item.strip().strip("'\"") for item in value[1:-1].split(",")]
    return value


def _read_limit(word: str, value: str) -> int | None:
    if value == "null":
        return None
    if not value.isdecimal() or int(value) < 1:
        raise NetgazeError(f"{word}: expected how many runs to show, as in limit=20, or null for all.")
    return int(value)
