"""Moves Hydra's flags to the front, where its parser needs them."""

import difflib
import itertools
from collections.abc import Sequence

from netgaze.errors import NetgazeError
from netgaze.foreign import explain_foreign

SWEEP = ("-m", "--multirun")
DIRECTORY = ("--config-dir", "-cd")
HELP = ("--help", "-h")
_ALONE = (*SWEEP, *HELP, "--hydra-help", "--version", "--run", "-r", "--resolve", "--shell-completion", "-sc")
CFG = ("--cfg", "-c")
_INFO = ("--info", "-i")  # its value may be left out
_WITH_VALUE = (
    *(*CFG, *DIRECTORY, "--package", "-p"),
    *("--config-path", "-cp", "--config-name", "-cn"),
)


def split_flags(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The flags with their values, and the other words, each in the order typed.

    Raises:
        NetgazeError: a flag that there is not, or one without its value.
    """
    flags, rest, left = list[str](), list[str](), list(words)
    while left:
        word = left.pop(0)
        if not word.startswith("-"):
            rest.append(word)
            continue
        flag, equals, value = word.partition("=")
        flags.append(flag)
        if flag in _WITH_VALUE:
            if not equals and not left:
                raise NetgazeError(f"{flag} needs a value, as in {'--cfg job' if flag in CFG else f'{flag} <name>'}.")
            flags.append(value if equals else left.pop(0))
            if flag in CFG and flags[-1] not in ("job", "hydra", "all"):
                raise NetgazeError(f"{flag} {flags[-1]}: type --cfg job, --cfg hydra or --cfg all.")
        elif flag in _INFO and left and "=" not in left[0]:
            flags.append(left.pop(0))
        elif flag not in (*_ALONE, *_INFO):
            raise NetgazeError(f"There is no flag {flag}.{_suggest(flag)}")
    return flags, rest


def drop_flags(words: Sequence[str]) -> list[str]:
    """The words that are no flags, nor a flag's value."""
    return split_flags(words)[1]


def list_directories(flags: Sequence[str]) -> list[str]:
    """The folders with further configs that were named."""
    return [value for flag, value in itertools.pairwise(flags) if flag in DIRECTORY]


def _suggest(flag: str) -> str:
    if said := explain_foreign(flag):
        return f" {said}, and keys are typed without dashes."
    if near := difflib.get_close_matches(flag, [*_ALONE, *_WITH_VALUE, *_INFO], n=1):
        return f" Did you mean {near[0]}?"
    return " Keys are typed without dashes, as in optim.lr=0.1; --help shows what there is."
