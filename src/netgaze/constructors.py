"""Checks a config's keys and values against the arguments of constructors."""

import difflib
import inspect
import math
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, Unpack, get_args, get_origin, get_type_hints

from netgaze import kinds
from netgaze.errors import NetgazeError
from netgaze.foreign import explain_foreign

_OF_HYDRA = ("_target_", "_partial_")
_CHECKED = ("netgaze.", "torch.optim")  # whose annotations are believed
_NUMBERS = (bool, int, float, str, NoneType)


def check_arguments(content: Mapping[str, Any], place: str | None = None, joined: Iterable[str] = ()) -> None:
    """Whether the keys of a config with `_target_` are arguments of that constructor, with values of their kind.

    The command line knows a key's kind by its default, so of one that is null, or added, it knows nothing. Kinds are
    held against annotations, and only those of our own constructors.

    Args:
        content: the config.
        place: its path in the whole config, such as `model`; None to speak of the constructor.
        joined: further keys that are read elsewhere, or handed over by whoever builds.

    Raises:
        NetgazeError: a key that it does not take, or a value that cannot be.
    """
    target = pkgutil.resolve_name(content["_target_"])
    hints = _list_hints(target)
    known = {*hints, *joined, *_OF_HYDRA}
    for key, value in content.items():
        named = f"{place}.{key}" if place else f"{content['_target_']} refuses {key}"
        if key not in known:
            said = explain_foreign(key)
            near = difflib.get_close_matches(key, sorted(hints), n=1)
            hint = f" {said}." if said else f" Did you mean {near[0]}?" if near else ""
            raise NetgazeError(f"{named}: {target.__name__} takes no key {key}.{hint}")
        if key in hints and target.__module__.startswith(_CHECKED) and not _fits(value, hints[key]):
            example = f", as in {key}=[{_show(value)}]" if _fits([value], hints[key]) else ""
            raise NetgazeError(f"{named}={_show(value)}: expected {_describe(hints[key])}{example}.")
        sizes = [size for size in (value if isinstance(value, list) else [value]) if type(size) is int]
        least = 0 if key == "num_classes" else 1  # 0: a network without a head
        # Networks take their channels from the data, where a wrong number was typed.
        is_size = target.__module__.startswith("netgaze.models.") or key == "num_channels"
        if is_size and any(not least <= size < 2**31 for size in sizes):
            raise NetgazeError(
                f"{named}={_show(value)}: expected {f'{least} or more' if min(sizes) < least else 'less'}."
            )


def check_numbers(content: Any, place: str) -> None:
    """Whether all numbers of a config are finite, and its whole numbers such as a processor counts with.

    Raises:
        NetgazeError: one is not.
    """
    if isinstance(content, Mapping):
        for key, value in content.items():
            check_numbers(value, f"{place}.{key}" if place else str(key))
    elif isinstance(content, list):
        for value in content:
            check_numbers(value, place)
    elif isinstance(content, float) and not math.isfinite(content):
        raise NetgazeError(f"{place}={content}: expected a finite number.")
    elif isinstance(content, int) and abs(content) >= 2**63 and not isinstance(content, bool):
        raise NetgazeError(f"{place}={content} is too large for a whole number.")


def check_given(content: Mapping[str, Any], joined: Iterable[str] = ()) -> None:
    """Whether a config with `_target_` has all that this constructor cannot do without.

    Raises:
        NetgazeError: it lacks something.
    """
    target = pkgutil.resolve_name(content["_target_"])
    needed = [
        name
        for name, parameter in inspect.signature(target).parameters.items()
        if parameter.default is inspect.Parameter.empty
        and parameter.kind not in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    ]
    if missing := [name for name in needed if name not in {*content, *joined}]:
        raise NetgazeError(f"{content['_target_']} needs a value for {', '.join(missing)}.")


def _list_hints(target: Any) -> dict[str, Any]:
    """The annotation of each argument by name, with those that a constructor shares with others; Any where none is."""
    hints = dict.fromkeys(inspect.signature(target).parameters, Any)
    hints |= get_type_hints(target.__init__ if inspect.isclass(target) else target)
    for shared in [get_args(hint) for hint in hints.values() if get_origin(hint) is Unpack]:
        hints |= get_type_hints(shared[0])
    return {name: hint for name, hint in hints.items() if name != "return" and get_origin(hint) is not Unpack}


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value of a config may stand where a constructor's annotation asks for another."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, each) for each in inner)
    if origin is Literal:
        return value in inner
    if hint in _NUMBERS:
        return value is None if hint is NoneType else kinds.fits(value, hint)
    if inspect.isclass(origin) and issubclass(origin, Mapping):
        return isinstance(value, Mapping)
    if inspect.isclass(origin) and issubclass(origin, Sequence) and origin is not type:
        return isinstance(value, list) and _fit_all(value, origin, inner)
    if inspect.isclass(hint) and hint.__module__.startswith("netgaze."):
        return not isinstance(value, bool | int | float | str | list | None) or hint is Path
    return True


def _fit_all(values: list[Any], origin: type, inner: tuple[Any, ...]) -> bool:
    if origin is tuple and Ellipsis not in inner:
        return len(values) == len(inner) and all(map(_fits, values, inner))
    return all(_fits(each, inner[0]) for each in values)


def _describe(hint: Any) -> str:
    """An annotation in people's words."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        last = ", or null" if NoneType in inner else ""
        return " or ".join(_describe(each) for each in inner if each is not NoneType) + last
    if origin is Literal:
        return ", ".join(map(str, inner[:-1])) + f" or {inner[-1]}" if inner[1:] else str(inner[0])
    if hint in kinds.NAMES:
        return kinds.name_kind(hint)
    if inspect.isclass(origin) and issubclass(origin, Mapping):
        return "a dict"
    if inspect.isclass(origin) and issubclass(origin, Sequence):
        if inner[:1] and inner[0] in kinds.PLURALS:
            num = f"{len(inner)} " if origin is tuple and Ellipsis not in inner else ""
            return f"a list of {num}{kinds.PLURALS[inner[0]]}"
        return "a list"
    return "its keys one by one"


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value).replace(" ", "") if isinstance(value, list) else str(value)
