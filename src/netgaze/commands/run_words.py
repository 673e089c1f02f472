"""The words of the run list: which runs to show, in which order, and which to remove."""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from netgaze.errors import NetgazeError
from netgaze.ranks import is_main_process
from netgaze.text import show

FOR_LATEST = ("where", "below")  # keys of the list that go with `latest`, too
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
        where: conditions, see `run_list.choose.choose_entries`.
        sort: by which key.
        limit: the most runs shown; None for all.
        below: the folder that is looked through.
        clean: "list" or "remove"; None for neither.
    """

    where: tuple[tuple[str, Any], ...] = ()
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
        where, typed = list[tuple[str, Any]](), dict[str, str]()
        for word in words:
            whole, _, value = word.partition("=")
            key, _, wanted = whole.partition(".")
            value = _unquote(value)
            if not value or bool(wanted) != (key == "where"):
                raise NetgazeError(f"Cannot read {word}. Type it as in {_EXAMPLES[key]}.")
            if key == "where":
                where.append((wanted, _read_wanted(value)))
            else:
                typed[key] = value
        if typed.get("clean", "list") not in ("list", "remove"):
            raise NetgazeError(f"Unknown clean={typed['clean']}. Choose clean=list or clean=remove.")
        if {"clean", "limit"} <= set(typed):
            raise NetgazeError("limit cannot be combined with clean. Choose the runs by where.<key>=<value>.")
        most = _read_limit(typed["limit"]) if "limit" in typed else limit
        return cls(tuple(where), typed.get("sort", cls.sort), most, typed.get("below", cls.below), typed.get("clean"))


def get_key(word: str) -> str:
    """What of a word's key stands before the first dot."""
    return word.partition("=")[0].partition(".")[0]


def asks_for_list(words: Sequence[str]) -> bool:
    """Whether the words after `analyze.py` are about the list of runs alone: none at all, too."""
    return all(is_about_list(word) for word in words)


def is_about_list(word: str) -> bool:
    """Whether a word has one of the list's keys."""
    return "=" in word and get_key(word) in _EXAMPLES


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
    if not is_main_process():  # of several it alone removes and speaks
        return
    try:
        for line in lines:
            print(show(line, keep="\n"), flush=True)
    except BrokenPipeError:  # whoever read it has seen enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def refuse_alone(words: Sequence[str]) -> None:
    """Say of words about the list that they choose nothing among other words.

    Raises:
        NetgazeError: there are such words.
    """
    for word in filter(is_about_list, words):
        beside = "with runs=latest, or alone" if get_key(word) in FOR_LATEST else "alone"
        raise NetgazeError(f"{word} filters the list of runs. Type it {beside}.")


def _read_wanted(value: str) -> str | list[str]:
    if value.startswith("[") and value.endswith("]"):
        return [_unquote(item.strip()) for item in value[1:-1].split(",")]
    return value


def _unquote(text: str) -> str:
    return text[1:-1] if text[:1] in ("'", '"') and text[-1:] == text[:1] and len(text) > 1 else text


def _read_limit(value: str) -> int | None:
    if value == "null":
        return None
    if not value.isdecimal() or int(value) < 1:
        raise NetgazeError(f"limit={value}: expected the number of runs to show, as in limit=20, or null for all.")
    return int(value)
