"""One command, run in this process as a notebook would, and what is to be thought of how it ended."""

import io
import logging
import os
import re
import resource
import shutil
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from tests.commands import as_it_was
from tests.fuzz.draw import TINY, Command, draw_command

from netgaze import analyze, fit
from netgaze.errors import NetgazeError
from netgaze.inline import Comparison
from netgaze.run import Run

SECONDS = 30  # a command that takes longer is ended: it may be right, but proves nothing
MEMORY = 6 << 30  # bytes that this process may have

# Words of libraries, which lead nobody anywhere.
FOREIGN_WORDS = re.compile(
    r"Config\w*Error|\w+Exception|Traceback|full_key|object_type|(?<!--cfg )[Hh]ydra(?![./=-])|instantiat|pickle"
    r"|keyword arg|OmegaConf|is not in struct|NoneType|<class|object at 0x|\bdict_keys|Lexer|viable|failed to unpack"
    r"|index out of range|negative dimension"
)


class Late(BaseException):
    """The time of a command is over."""


@dataclass(frozen=True)
class Verdict:
    """How a command ended: "trained", "sentence", "late" or "wrong", and what was said."""

    kind: str
    said: str = ""


def judge(command: Command) -> Verdict:
    """Run a command in an empty folder, which is gone afterwards, and look at how it ends."""
    before, handlers = _list_state(), set(logging.getLogger("netgaze").handlers)
    try:
        with as_it_was(), _within(SECONDS), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            shown = (fit if command.script == "train" else analyze)(list(command.words))
        verdict = _judge_shown(shown)
    except NetgazeError as error:
        verdict = judge_sentence(str(error), command)
    except Late:
        verdict = Verdict("late")
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        verdict = Verdict("wrong", "".join(traceback.format_exception(error)))
    left = {name: (value, _list_state()[name]) for name, value in before.items() if value != _list_state()[name]}
    if left and verdict.kind != "late":
        return Verdict("wrong", f"left behind: {left}")
    return Verdict("wrong", "a log stayed open") if set(logging.getLogger("netgaze").handlers) - handlers else verdict


def _list_state() -> dict[str, object]:
    """What no command may change."""
    threads = [thread.name for thread in threading.enumerate() if not thread.daemon]
    return {"folder": os.getcwd(), "words": list(sys.argv), "threads": threads, "environment": dict(os.environ)}


def _judge_shown(shown: Run | Comparison) -> Verdict:
    if isinstance(shown, Run):
        missing = [name for name in ("run.json", "metrics.json") if not (shown.folder / name).is_file()]
        told = [name for name in shown.metrics if name.startswith("test/")]
        return (
            Verdict("wrong", f"lacks {missing or 'numbers of the test'}") if missing or not told else Verdict("trained")
        )
    failed = [str(row["error"]) for row in shown.rows if row["error"]] if hasattr(shown, "rows") else []
    return next((Verdict("wrong", said) for said in failed if FOREIGN_WORDS.search(said)), Verdict("trained"))


def judge_sentence(said: str, command: Command) -> Verdict:
    """Whether a refusal is one or two sentences in our words, and names what was typed."""
    typed = [word for word in command.words if word not in TINY]
    names = {part for word in typed for part in _name_parts(word)}
    bare = re.sub(r"'[^']*'|\"[^\"]*\"|\S+=\S+", "", said)
    faults = {
        "several lines": "\n" in said,
        "too long": len(re.findall(r"[.?!] [A-Z]", bare)) > 3,
        f"a library's words: {FOREIGN_WORDS.search(bare)}": FOREIGN_WORDS.search(bare) is not None,
        "names nothing that was typed": not any(name in said for name in names),
        "no sentence": not said or said[-1] not in ".?!)",
    }
    found = [fault for fault, is_so in faults.items() if is_so]
    return Verdict("wrong", f"{said}\n    {', '.join(found)}") if found else Verdict("sentence", said)


def _name_parts(word: str) -> set[str]:
    key, _, value = word.partition("=")
    own = key.lstrip("+~-")
    parts = {*own.split("."), own.rpartition(".")[2], own.partition("@")[0], value.strip("'\""), word}
    return {part for part in parts if part}


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Raise `Late` where the block takes longer."""

    def stop(*_: object) -> None:
        raise Late

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def limited_memory() -> Iterator[None]:
    """A ceiling over this process, so that a drawn number cannot take the machine's memory."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        taken = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def run_commands(seed: int, numbers: range, place: Path) -> Iterator[tuple[int, Command, Verdict]]:
    """Draw and judge commands, each in a folder of its own below `place`, with a finished run to look at."""
    place = place.resolve()
    with chdir(place), redirect_stdout(io.StringIO()), as_it_was():
        fit([*TINY, f"hydra.run.dir={place}/finished"])
    with limited_memory():
        for number in numbers:
            own, run = place / "own", place / "run"
            for folder in (own, run):
                shutil.rmtree(folder, ignore_errors=True)
            own.mkdir()
            shutil.copytree(place / "finished", run)  # a resume may change it
            with chdir(own):
                command = draw_command(seed, number, "../run")
                verdict = judge(command)
            yield number, command, verdict
