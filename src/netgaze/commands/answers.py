"""The answer to an unknown word: today's word, our word, or the nearest one."""

import difflib
from collections.abc import Sequence

from netgaze.commands.configs import Configs
from netgaze.errors import NetgazeError
from netgaze.foreign import explain_foreign
from netgaze.program import spell
from netgaze.upgrade import explain_gone, find_new_name


def answer_unknown(key: str, known: Sequence[str], chosen: str, configs: Configs) -> None:
    """Say what a key that there is not may have meant.

    Args:
        key: as typed.
        known: all keys.
        chosen: the choices with which these are all, as typed.
        configs: where other choices lie.

    Raises:
        NetgazeError: always.
    """
    answer_old(key)
    said = explain_foreign(key)
    near = _find_deeper(key, known) or name_choices(key, configs) or (f" {said}." if said else suggest(key, known))
    near = near or f" {spell('train')} --cfg job lists all keys."
    raise NetgazeError(f"There is no key {key}{write_with(chosen)}.{near}")


def answer_old(word: str) -> None:
    """Name the new word for a key or choice of an earlier version.

    Raises:
        NetgazeError: it is one.
    """
    if new := find_new_name(word):
        raise NetgazeError(f"{word} is now {new}.")
    if where := explain_gone(word):
        raise NetgazeError(f"{word} was removed: {where}.")


def name_choices(key: str, configs: Configs) -> str:
    """A sentence that names the choices that would bring a key; empty where none does."""
    choices = configs.find_choices(key)
    more = f", and {len(choices) - 4} more" if len(choices) > 4 else ""
    return f" It comes with {', '.join(choices[:4])}{more}." if choices else ""


def suggest(name: str, known: Sequence[str]) -> str:
    """A question that names what may have been meant: the same deeper down, else by the whole key, or its last part."""
    if same := _find_deeper(name, known):
        return same
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
    if not near:
        last = name.rpartition(".")[2]
        ends = {key.rpartition(".")[2]: key for key in reversed(known)}
        near = [ends[match] for match in difflib.get_close_matches(last, list(ends), n=1, cutoff=0.7)]
    return f" Did you mean {near[0]}?" if near else ""


def write_with(chosen: str) -> str:
    """The choices with which something holds, to be put behind it."""
    return f" with {chosen}" if chosen else ""


def _find_deeper(name: str, known: Sequence[str]) -> str:
    same = [key for key in known if key.endswith(f".{name}")]
    return f" Did you mean {same[0]}?" if same else ""
