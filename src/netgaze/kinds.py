"""The kind of value that a key takes, and its name."""

from typing import Any

NAMES = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a dict",
}
PLURALS = {bool: "true or false", int: "whole numbers", float: "numbers", str: "texts"}


def name_kind(kind: type) -> str:
    """What people call a kind of value."""
    return NAMES.get(kind, kind.__name__)


def fits(value: Any, kind: type) -> bool:
    """Whether a value may stand where one of this kind is expected: text may be a number, but true is none."""
    if kind is str:
        return isinstance(value, str | int | float)
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, int | float if kind is float else kind)
