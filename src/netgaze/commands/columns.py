"""Two-column text for a terminal, wrapped to its width."""

import shutil
import textwrap
from collections.abc import Sequence
from functools import partial

_NARROW, _WIDE = 60, 160  # columns between which text follows the terminal
_fill = partial(textwrap.wrap, break_long_words=False, break_on_hyphens=False)


class Columns:
    """The terminal's width, or 80 columns where there is no terminal, and texts laid out in it."""

    def __init__(self) -> None:
        self.width = max(_NARROW, min(shutil.get_terminal_size().columns, _WIDE))

    def wrap(self, text: str) -> str:
        """A paragraph."""
        return "\n".join(_fill(text, self.width))

    def align(self, pairs: Sequence[tuple[str, str]]) -> str:
        """Each name with what is said of it, in lines below one another; a name too long for its column has a line."""
        lengths = [len(name) for name, _ in pairs]
        column = max((length for length in lengths if length <= self.width * 2 // 5), default=2)
        return "\n".join(line.rstrip() for pair in pairs for line in self._hang(*pair, column))

    def _hang(self, name: str, said: str, column: int) -> list[str]:
        lines = _fill(said, self.width - column - 4) or [""]
        own = [f"  {name}"] if len(name) > column else []
        starts = ["" if own else name, *[""] * (len(lines) - 1)]
        return [
            *own,
            *(f"  {start:{column}}  {line}" for start, line in zip(starts, lines, strict=True) if start or line),
        ]
