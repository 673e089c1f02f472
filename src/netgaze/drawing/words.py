"""Fitting words into the available room: measuring, wrapping, shortening.

Widths are counted in cells: a cell is as wide as most letters are with the gap after them. Words take one for each
letter; where the font's own widths say that they are wider (capitals, Chinese, emoji), as many as these say.
"""

import re
from collections.abc import Iterator

from netgaze import text
from netgaze.drawing.fonts import measure_char
from netgaze.text import is_mark, show, split_clusters

_EM, _MOST_OF_ONE = 0.60, 0.66  # font sizes: the width of a cell, of the widest letter that counts as one
_CELL, LINE = _EM / 72, 1.3 / 72  # inches a point of font size: the width of a cell, the height of a line
# Words break at blanks; a name too long for a line, as static_per_class, optim.lr or init=a/b, at its joints too.
_BLANKS, _JOINTS = re.compile(r"(\s+)"), re.compile(r"(?<=\w[-_=/,])(?=\w)|(?<=\w\.)(?=[^\W\d])")


def measure_cell(size: float) -> float:
    """The width in inches of a cell at a font size."""
    return size * _CELL


def count_cells(words: str) -> float:
    """How many cells a line of words takes."""
    words = show(words)
    return max(sum(not is_mark(char) for char in words), sum(map(_count_cell, words)))


def _count_cell(char: str) -> float:
    width = measure_char(char)
    return width / _EM if width > _MOST_OF_ONE else min(width / _EM, 1)


def wrap_words(words: str, width: float, size: float) -> str:
    """Words broken into lines that fit into `width` inches at a font size."""
    room = max(4, int(width / measure_cell(size)))
    return "\n".join("\n".join(_wrap_line(show(line), room)) for line in words.split("\n"))


def _wrap_line(line: str, room: int) -> Iterator[str]:
    """Lines of at most `room` cells, without the blanks at which they were broken."""
    current, is_first = "", True
    for piece in _list_pieces(line, room):
        fits = count_cells(piece) <= room
        if fits and count_cells(current + piece.rstrip()) > room:
            yield current.rstrip()
            current, is_first = "", False
        for part in [piece] if fits else split_clusters(piece):  # longer than a line: it goes on from where it begins
            if not fits and current and count_cells(current + part) > room:
                yield current.rstrip()
                current, is_first = "", False
            current += part if current or is_first else part.lstrip()
    if current.strip():
        yield current.rstrip()


def _list_pieces(line: str, room: int) -> Iterator[str]:
    """Between which a line of words may break."""
    for word in filter(None, _BLANKS.split(line)):
        yield from [word] if count_cells(word) <= room else _JOINTS.split(word)


def shorten(words: str, width: float, size: float) -> str:
    """Words on one line of `width` inches; what does not fit is replaced by … in the middle.

    The end stays, as names often differ in it.
    """
    return text.shorten(show(words), max(3, int(width / measure_cell(size))), count_cells)


def clip_words(words: str, width: float, size: float, lines: int) -> str:
    """A name on at most so many lines of `width` inches; what does not fit is replaced by … in the last one."""
    rest = show(words)
    broken = wrap_words(rest, width, size).split("\n")
    if len(broken) <= lines:
        return "\n".join(broken)
    for line in broken[: lines - 1]:
        rest = rest.removeprefix(line).lstrip()
    return "\n".join([*broken[: lines - 1], shorten(rest, width, size)])


def measure_lines(words: str, size: float) -> float:
    """The height in inches of words that are broken into lines already."""
    return (words.count("\n") + 1) * size * LINE
