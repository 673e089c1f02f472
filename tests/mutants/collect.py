"""The breakages: `MUTANTS` of every module beside this one."""

import importlib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_OTHERS = {"__main__", "collect", "test_mutants"}


@dataclass(frozen=True)
class Mutant:
    """A mistake that a careless colleague could make.

    Attributes:
        file: that it is in, under `src/netgaze`.
        old: the right text, which occurs there once.
        new: the wrong one.
        tests: files of tests that must notice.
    """

    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def apply(self, text: str) -> str:
        """The file's text with the mistake in it.

        Raises:
            ValueError: the right text does not occur there exactly once.
        """
        if text.count(self.old) != 1 or self.old == self.new:
            raise ValueError(f"{self.file}: {self.old!r} occurs {text.count(self.old)} times, and must occur once.")
        return text.replace(self.old, self.new)

    def __str__(self) -> str:
        where = (ROOT / "src" / "netgaze" / self.file).read_text("utf-8").partition(self.old)[0].count("\n") + 1
        return f"{self.file}:{where}  {' '.join(self.new.split())[:90]}"


def collect() -> list[Mutant]:
    """All breakages, file by file."""
    mutants = []
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem not in _OTHERS:
            entries = importlib.import_module(f"tests.mutants.{path.stem}").MUTANTS
            mutants += [Mutant(file, old, new, tuple(tests)) for file, old, new, *tests in entries]
    return mutants
