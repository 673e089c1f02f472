"""Text is text: no character of a name is markup, and all are drawn in fonts that have them.

Right-to-left words and scripts whose letters change their shapes are laid out by matplotlib (3.11 and later).
"""

import logging
import re
import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import matplotlib
from matplotlib.axis import Axis
from matplotlib.figure import Figure as Picture
from matplotlib.font_manager import FontEntry, findfont, findSystemFonts, fontManager
from matplotlib.ft2font import FT2Font, LoadFlags
from matplotlib.text import Text
from matplotlib.ticker import LogFormatterMathtext

from netgaze.text import is_mark, show

log = logging.getLogger(__name__)

_OWN = "DejaVu Sans"  # comes with matplotlib: plain text looks the same everywhere
_STYLE: Any = {
    "font.family": [_OWN],
    "text.parse_math": False,
    "text.usetex": False,
    "axes.formatter.use_mathtext": False,
}
_BOX = 1.15  # font sizes: the width of the box that stands for a character that no font has
_EAST_ASIAN = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC", "FULLWIDTH", "HALFWIDTH", "YI")
_PREFERRED = ("Noto Sans", "Noto Sans CJK SC")  # each before all others, the last one first
_INSTALL = {
    "Chinese, Japanese or Korean characters": "Noto Sans CJK (Debian and Ubuntu: apt install fonts-noto-cjk)",
    "emoji": "Noto Emoji or Symbola, not one in color (Debian and Ubuntu: apt install fonts-symbola)",
}
_OTHERS = "the Noto fonts (Debian and Ubuntu: apt install fonts-noto-core)"

# Hebrew, Arabic and their relatives: a name goes from the first letter to the last, over blanks and signs.
_RIGHT_TO_LEFT = "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
_NAME = re.compile(rf"{_RIGHT_TO_LEFT}(?:(?:{_RIGHT_TO_LEFT}|\W)*{_RIGHT_TO_LEFT})?[)\]}}]*")
_MARK = "\u200e"  # stands for a letter that goes from left to right

_families: dict[str, str | None] = {}  # the font of each character that matplotlib's own lacks, as far as was asked
_missed: set[str] = set()  # kinds of characters that the log has said no font has


@contextmanager
def plain_text() -> Iterator[None]:
    """Within it text is drawn as it is, whatever your own matplotlib settings are."""
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ ")  # one a character and place; `find_families` says it once
        yield


class Page(Picture):
    """A matplotlib figure that draws all of its words as they are."""

    def draw(self, renderer: object) -> None:
        """Draw everything, as matplotlib asks for it."""
        with plain_text():
            for axes in self.axes:
                for axis in (axes.xaxis, axes.yaxis) if axes.axison else ():
                    _name_ticks(axis)
            for text in self.findobj(Text):
                _set_words(text)
            super().draw(renderer)  # type: ignore[arg-type]


def _name_ticks(axis: Axis) -> None:
    """Make the ticks' words, of which an axis would first know when it is drawn; only powers of ten are formulas."""
    words = [label.get_text() for label in axis.get_majorticklabels()]
    if isinstance(axis.get_major_formatter(), LogFormatterMathtext):
        for label in axis.get_majorticklabels():
            label.set_parse_math(True)
    elif any(show(each, keep="\n") != each for each in words):
        axis.set_ticks(axis.get_majorticklocs(), [show(each, keep="\n") for each in words])


def _set_words(text: Text) -> None:
    words = text.get_text()
    if words.isascii() and words.isprintable():
        return
    shown = show(words, keep="\n")
    if (laid := mark_directions(shown)) != words:
        text.set_text(laid)
    if families := find_families(shown):
        text.set_fontfamily([_OWN, *families])


def mark_directions(words: str) -> str:
    """Lines that go from left to right, also where right-to-left names are in them: what follows such a name stays so.

    Without Unicode's marks the number after a name would stand to its other side. A line that is a name stays as it is.
    """
    return "\n".join(
        line if _NAME.fullmatch(line) or not _NAME.search(line) else _MARK + _NAME.sub(rf"\g<0>{_MARK}", line)
        for line in words.replace(_MARK, "").split("\n")
    )


def find_families(words: str) -> list[str]:
    """The fonts that words need beside matplotlib's own; the log says once of each kind of character that none has it.

    A font installed after matplotlib made its list is found too.
    """
    rare = [char for char in dict.fromkeys(words) if not (_is_own(char) or _is_unseen(char) or char == "\n")]
    if unknown := [char for char in rare if char not in _families]:
        _families.update(_look_up(unknown))
        _tell_missing(char for char in unknown if _families[char] is None)
    return list(dict.fromkeys(family for char in rare if (family := _families[char])))


@cache
def _open_own() -> FT2Font:
    font = FT2Font(findfont(_OWN))
    font.set_size(100, 72)
    return font


@cache
def _is_own(char: str) -> bool:
    return bool(_open_own().get_char_index(ord(char)))


def _look_up(chars: Iterable[str]) -> dict[str, str | None]:
    """The first font that has each character, or None; fonts that serve already come first."""
    found = dict[str, str | None].fromkeys(chars)
    for entry in _list_fonts():
        missing = [char for char, family in found.items() if family is None]
        if not missing:
            break
        with suppress(RuntimeError, OSError):  # a font that cannot be read
            font = FT2Font(entry.fname, face_index=entry.index)
            found |= {char: entry.name for char in missing if font.scalable and font.get_char_index(ord(char))}
    return found


def _list_fonts() -> list[FontEntry]:
    """An upright entry of each family, those without serifs first."""
    _add_new_fonts()
    upright: dict[str, FontEntry] = {}
    for entry in fontManager.ttflist:
        if entry.style == "normal" and entry.variant == "normal" and "Last Resort" not in entry.name:
            best = upright.setdefault(entry.name, entry)
            if abs(_weigh(entry) - 400) < abs(_weigh(best) - 400):
                upright[entry.name] = entry
    serving = set(_families.values())

    def rank(entry: FontEntry) -> tuple[object, ...]:
        preferred = -max((place for place, name in enumerate(_PREFERRED) if entry.name.startswith(name)), default=-1)
        return entry.name not in serving, preferred, "Sans" not in entry.name, "Mono" in entry.name, entry.name

    return sorted(upright.values(), key=rank)


def _weigh(entry: FontEntry) -> int:
    return entry.weight if isinstance(entry.weight, int) else 400


@cache
def _add_new_fonts() -> None:
    """Add fonts missing from matplotlib's stored list: they may have been installed on our advice."""
    known = {entry.fname for entry in fontManager.ttflist}
    for path in findSystemFonts():
        if path not in known:
            with suppress(Exception):  # whatever a damaged font raises, a picture needs it not
                fontManager.addfont(path)


def _tell_missing(chars: Iterable[str]) -> None:
    kinds: dict[str, str] = {}
    for char in chars:
        kinds.setdefault(_name_kind(char), char)
    if new := {kind: char for kind, char in kinds.items() if kind not in _missed}:
        _missed.update(new)
        named = ", ".join(f"{kind} (such as {show(char)})" for kind, char in new.items())
        fonts = dict.fromkeys(_INSTALL.get(kind, _OTHERS) for kind in new)
        log.warning("Pictures show boxes for %s: no installed font has them. Install %s.", named, " and ".join(fonts))


def _name_kind(char: str) -> str:
    """The common name of this kind of characters."""
    name = unicodedata.name(char, "unknown")
    if name.startswith(_EAST_ASIAN):
        return "Chinese, Japanese or Korean characters"
    if unicodedata.category(char) in ("So", "Sk") and char >= "\U0001f000":
        return "emoji"
    if unicodedata.category(char).startswith(("L", "M", "N")):
        return f"{name.split()[0].capitalize()} characters"
    return "symbols"


@cache
def measure_char(char: str) -> float:
    """The width of a character in font sizes, as it is drawn in regular weight; 0 of a mark upon another."""
    if _is_unseen(char):
        return 0.0
    if not _is_own(char):
        return 0.0 if is_mark(char) and find_families(char) else _BOX
    if is_mark(char):
        return 0.0
    return _open_own().load_char(ord(char), flags=LoadFlags.NO_HINTING).linearHoriAdvance / 65536 / 100


def _is_unseen(char: str) -> bool:
    """Whether nothing is drawn for a character: joiners, marks of direction, selectors of a variant."""
    return unicodedata.category(char) == "Cf" or unicodedata.name(char, "").startswith("VARIATION SELECTOR")
