r"""Words of others, made visible: no character of a name or a path moves a cursor, breaks a line or stops a writer.

Names of classes, files and runs come from people's disks: they may hold line breaks, escape sequences, marks that turn
the direction of a whole line, and bytes that are no text at all. Where they are shown such characters are written as
Python writes them, `\n` and `\x1b`; all others stay as they are.
"""

import logging
import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

# Controls, line and paragraph separators, marks that turn the direction of what follows them, lone surrogates.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_JOINER = "\u200d"  # makes one emoji of two
_POWERS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_ESCAPED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def show(text: str, keep: str = "") -> str:
    r"""Text with every character that cannot be seen written as Python does, but for those in `keep`.

    A byte of a file's name that is no text, which Python holds as a lone surrogate, becomes `\xe9`.
    """

    def escape(found: re.Match[str]) -> str:
        char, code = found[0], ord(found[0])
        if char in keep:
            return char
        if 0xDC80 <= code <= 0xDCFF:
            code -= 0xDC00
        return _ESCAPED.get(char) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")

    return _UNSEEN.sub(escape, text)


def is_wide(char: str) -> bool:
    """Whether a character takes two columns of a terminal, as Chinese, Japanese and Korean ones and emoji do."""
    return unicodedata.east_asian_width(char) in "WF"


def is_mark(char: str) -> bool:
    """Whether a character has no place of its own: a combining mark, a joiner, a sign that nobody sees."""
    return unicodedata.category(char) in ("Mn", "Me", "Cf")


def count_columns(text: str) -> int:
    """How many columns of a terminal a line takes."""
    if text.isascii():
        return len(text)
    return sum(0 if is_mark(char) else 1 + is_wide(char) for char in text)


def shorten(text: str, room: float, count: Callable[[str], float] = count_columns) -> str:
    """A line that takes at most `room` by `count`; what does not fit is left out of its middle, as … says.

    A third of the room is the end's, in which names often differ.
    """
    if count(text) <= room:
        return text
    clusters = list(split_clusters(text))
    last = _count_fitting(clusters[::-1], (room - 1) // 3, count)
    end = "".join(clusters[len(clusters) - last :])
    first = _count_fitting(clusters, room - 1 - count(end), count)
    return "".join(clusters[:first]).rstrip() + "…" + end.lstrip()


def align_columns(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells as a table for a terminal, two blanks between its columns."""
    widths = [max(map(count_columns, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell + " " * (width - count_columns(cell)) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def split_clusters(text: str) -> Iterator[str]:
    """The characters that a person sees: each with its marks, and what is joined to it."""
    cluster = ""
    for char in text:
        joined = is_mark(char) or unicodedata.category(char) == "Mc" or cluster.endswith(_JOINER)
        if cluster and not joined:
            yield cluster
            cluster = ""
        cluster += char
    if cluster:
        yield cluster


def _count_fitting(clusters: Sequence[str], room: float, count: Callable[[str], float]) -> int:
    """How many of the first clusters fit."""
    text = ""
    for number, cluster in enumerate(clusters):
        text += cluster
        if count(text) > room:
            return number
    return len(clusters)


class VisibleFormatter(logging.Formatter):
    """Lines of a log whose words cannot steer the terminal; line breaks stay, as tables have them."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        return show(super().format(record), keep="\n\t")


def format_value(value: float, digits: int = 3) -> str:
    """A measured number with so many digits that count, as people write it: 0.0123, 1.20, 6,240, 1.20×10⁻⁵; 0 is 0."""
    if value == 0 or not math.isfinite(value):
        return f"{value:z.0f}"
    mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
    if -4 <= int(power) < 6:
        return f"{float(f'{mantissa}e{power}'):,.{max(0, digits - 1 - int(power))}f}"
    return f"{mantissa}×10{str(int(power)).translate(_POWERS)}"


def format_share(value: float) -> str:
    """A share or a probability in 0..1 with two digits after the point; below 0.005 with the first one that counts."""
    if value == 0 or value >= 0.005:
        return f"{value:.2f}"
    return format_value(value, 1) if value >= 0.0001 else "<0.0001"


def format_percent(share: float) -> str:
    """A share of counted examples with three digits that count and no zeros at the end: 100%, 9%, 28.6%, 0.2%."""
    return f"{100 * share:.3g}%"


def count_of(num: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun: "1 picture", "2,000 pictures"; with a plural of its own "2 classes"."""
    return f"{num:,} {noun if num == 1 else plural or noun + 's'}"
