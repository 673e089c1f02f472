"""Replaces `latest` and `latest:N` by the folders of the newest runs."""

import re
from collections.abc import Sequence
from pathlib import Path

from netgaze.commands.run_words import FOR_LATEST, Asked, get_key, is_about_list
from netgaze.commands.words import split_stage
from netgaze.errors import NetgazeError
from netgaze.places import PSEUDO_LABELS
from netgaze.ranks import is_main_process
from netgaze.run_list.entry import Entry
from netgaze.text import show

_LATEST = re.compile(r"latest(?::(\d+))?")


def name_latest(words: Sequence[str]) -> list[str]:
    """The words with folders in place of `latest` and `latest:N`, and without those that say among which runs.

    `runs=latest:2` are the two newest finished runs, `init=latest` is the newest one, `resume=latest` the newest one
    that is not running. A file or a folder of that name goes first.

    Raises:
        NetgazeError: there are too few runs, or a word of the list is among the words that does not choose runs.
    """
    named = [word for word in words if any(map(_is_latest, _split_items(word)))]
    if not named:
        return list(words)
    about = list(filter(is_about_list, words))
    if other := [word for word in about if get_key(word) not in FOR_LATEST]:
        raise NetgazeError(f"{other[0]} is for the list of runs. Use {named[0]} with where.<key>=<value> and below=.")
    asked = Asked.of_words(about)
    return [_name_word(word, asked) if word in named else word for word in words if word not in about]


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
        print(show(f"{word} is {', '.join(items)}"), flush=True)
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
