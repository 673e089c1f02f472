"""Filters and order of the run list: by columns, numbers, choices and config keys."""

import difflib
import fnmatch
import operator
import re
from collections.abc import Sequence
from typing import Any

from netgaze.errors import NetgazeError
from netgaze.glossary import NUMBERS, explain
from netgaze.run_list.entry import COLUMNS, MISSING, Entry

Condition = tuple[str, Any]  # a key, and what is wanted of it

_COMPARED = re.compile(r"(<=|>=|<|>)(.*)")
_QUANTITY = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*(%|s|min|h|d|kB|MB|GB)?\s*", re.IGNORECASE)
_UNITS = {"": 1.0, "%": 0.01, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "kb": 1e3, "mb": 1e6, "gb": 1e9}
_ORDERS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_LARGEST_FIRST = ("epoch", "size")


def choose_entries(entries: Sequence[Entry], where: Sequence[Condition]) -> list[Entry]:
    """The runs that fit every condition, in their order.

    Args:
        entries: all that there are.
        where: pairs of a key, see `Entry.find`, and what is wanted: a value; a list, of which one must fit; a pattern
            with * or ?; or a comparison, as ">0.8", ">=90%", ">7d", "<1GB". Of a name a part of the path may fit.

    Raises:
        NetgazeError: a key that no run has, or a comparison with what is no number.
    """
    check_keys(entries, [key for key, _ in where])
    for key, wanted in where:
        _check_comparison(key, wanted)
    return [entry for entry in entries if all(_fits(entry, key, wanted) for key, wanted in where)]


def sort_entries(entries: Sequence[Entry], key: str) -> list[Entry]:
    """The runs by a key: the newest, the largest, or the best by a number first; those that lack it last.

    Numbers whose better direction nobody knows come largest first, values of configs smallest first, texts by alphabet.

    Raises:
        NetgazeError: no run has such a key.
    """
    check_keys(entries, [key])
    values = [(entry, normalize(entry.find(key))) for entry in entries]
    numbers = [(entry, value) for entry, value in values if isinstance(value, float)]
    texts = [(entry, str(value)) for entry, value in values if not isinstance(value, float) and value is not MISSING]
    order = sorted(numbers, key=lambda pair: pair[1], reverse=_is_largest_first(key))
    lacking = [entry for entry, value in values if value is MISSING]
    return [entry for entry, _ in [*order, *sorted(texts, key=lambda pair: pair[1])]] + lacking


def check_keys(entries: Sequence[Entry], keys: Sequence[str]) -> None:
    """Whether each key is one that a run has.

    Raises:
        NetgazeError: none has one of them; nothing is said where there are no runs.
    """
    for key in keys:
        if not entries or key in COLUMNS or any(entry.find(key) is not MISSING for entry in entries):
            continue
        known = sorted(set().union(*(entry.list_keys() for entry in entries)))
        near = difflib.get_close_matches(key, known, n=3) or [name for name in known if name.endswith(f".{key}")][:3]
        advice = f"Nearest keys: {', '.join(near)}" if near else f"Columns are {', '.join(COLUMNS)}"
        raise NetgazeError(f"No run has a key {key}. {advice}.")


def normalize(value: Any) -> Any:
    """A value as it compares: numbers as float, also where they are text; lists as tuples; all else as typed."""
    if isinstance(value, bool) or value is None:
        return "null" if value is None else str(value).lower()
    if isinstance(value, list | tuple):
        return tuple(map(normalize, value))
    if isinstance(value, str):
        if _QUANTITY.fullmatch(value) and value[-1].isdigit():
            return float(value)
        return value.lower() if value in ("True", "False") else value
    return float(value) if isinstance(value, int | float) else value


def _is_largest_first(key: str) -> bool:
    if "/" not in key:
        return key in _LARGEST_FIRST
    meaning = explain(key, NUMBERS)
    return meaning is None or meaning.better != "lower"


def _fits(entry: Entry, key: str, wanted: Any) -> bool:
    known = entry.find(key)
    if known is MISSING:
        return False
    if isinstance(wanted, list | tuple) and not isinstance(known, list):
        return any(_fits(entry, key, each) for each in wanted)
    if isinstance(wanted, str) and (found := _COMPARED.fullmatch(wanted)):
        return _compare(normalize(known), found[1], _read_quantity(found[2]))
    if key == "name":
        return any(_is_like(name, str(wanted)) for name in (known, *entry.folder.parts))
    if isinstance(wanted, str) and isinstance(known, str) and _is_like(known, wanted):
        return True
    return bool(normalize(known) == normalize(wanted))


def _is_like(text: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


def _compare(known: Any, how: str, bound: float | None) -> bool:
    if not isinstance(known, float) or bound is None:
        return False
    return bool(_ORDERS[how](known, bound))


def _check_comparison(key: str, wanted: Any) -> None:
    for each in wanted if isinstance(wanted, list | tuple) else [wanted]:
        if isinstance(each, str) and (found := _COMPARED.fullmatch(each)) and _read_quantity(found[2]) is None:
            raise NetgazeError(f"where.{key}={each}: expected a number after {found[1]}, as in {key}='>0.8' or '>7d'.")


def _read_quantity(text: str) -> float | None:
    found = _QUANTITY.fullmatch(text)
    return None if found is None else float(found[1]) * _UNITS[(found[2] or "").lower()]
