"""Answers about the runs in a folder: the list, the newest runs, and what was removed."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from netgaze.errors import NetgazeError
from netgaze.program import spell
from netgaze.run_list.choose import Condition, choose_entries, sort_entries
from netgaze.run_list.clean import Plan, plan, remove
from netgaze.run_list.entry import Entry
from netgaze.run_list.find import find_entries
from netgaze.run_list.table import draw_table, format_size
from netgaze.text import count_of

_FIRST = "data=shapes data.limit=200 trainer.max_epochs=1"  # a run of seconds


def show_list(where: Sequence[Condition], by: str, limit: int | None, below: str, width: int | None) -> Iterator[str]:
    """The list of runs as text.

    Args:
        where: see `choose_entries`.
        by: the key by which they are sorted, see `sort_entries`.
        limit: the most that are shown; None for all.
        below: the folder that is looked through.
        width: of the terminal; None for whole names.

    Raises:
        NetgazeError: a key that no run has, or a comparison with what is no number.
    """
    every = find_entries(below)
    found = sort_entries(choose_entries(every, where), by)
    if not found:
        yield _explain_none(every, where, below)
        return
    table = draw_table(found[:limit], [by, *(key for key, _ in where)], width)
    yield f"{table}\n"
    if any(entry.folder.as_posix() not in table for entry in found[:limit]):
        yield f"Names are shortened to fit; {spell('analyze')} | cat shows them in full."
    if limit is not None and len(found) > limit:
        yield f"{len(found) - limit:,} more; limit=null shows all."
    yield _suggest_next(found, where, below)


def clean(where: Sequence[Condition], by: str, below: str, width: int | None, removes: bool) -> Iterator[str]:
    """List the runs that came to nothing, or remove them, and say which of them stay and why; see `show_list`.

    Raises:
        NetgazeError: as `show_list`; or a file cannot be removed.
    """
    every = find_entries(below)
    planned = plan(sort_entries(choose_entries(every, where), by), every)
    if not planned.removable:
        yield f"Nothing to remove: no failed, interrupted or unfinished run in {below}{_describe(where)}."
    elif removes:
        yield from _remove_all(planned, below)
    else:
        yield draw_table(planned.removable, [by, *(key for key, _ in where)], width) + "\n"
    for entry, why in planned.kept.items():
        yield f"{entry.folder} ({entry.status}) is kept: {why}."
    if planned.removable and not removes:
        num = count_of(len(planned.removable), "run")
        yield f"clean=remove deletes {num}, {format_size(planned.size)}; resume=<run> resumes one instead."


def find_latest(
    num: int, where: Sequence[Condition], below: str, fits: Callable[[Entry], bool], kind: str
) -> list[str]:
    """The folders of the newest runs, newest first.

    Args:
        num: how many.
        where: see `choose_entries`.
        below: the folder that is looked through.
        fits: whether a run is of the right kind.
        kind: in words, as "finished".

    Raises:
        NetgazeError: there are fewer; or as `show_list`.
    """
    found = list[Entry]()
    for entry in choose_entries(find_entries(below), where):
        if fits(entry):
            found.append(entry)
        if len(found) == num:
            return [entry.folder.as_posix() for entry in found]
    there = "is no" if not found else "is only 1" if len(found) == 1 else f"are only {len(found)}"
    what = f"{kind} run{'s' if len(found) > 1 else ''}"
    raise NetgazeError(f"There {there} {what} in {below}{_describe(where)}. {spell('analyze')} lists all runs.")


def _remove_all(planned: Plan, below: str) -> Iterator[str]:
    num, size = 0, 0
    for entry in planned.removable:
        words = f"{entry.folder} ({entry.status}, {format_size(entry.disk.size)})"
        if remove(entry, below):
            num, size = num + 1, size + entry.disk.size
            yield f"Removed {words}"
        else:
            yield f"{words} is kept: it was resumed."
    yield f"Removed {count_of(num, 'run')}, {format_size(size)} ({size:,} bytes)."


def _explain_none(every: Sequence[Entry], where: Sequence[Condition], below: str) -> str:
    if not every:
        return f"There are no runs in {below} yet. Train a first one in seconds: {spell('train')} {_FIRST}"
    return f"None of {count_of(len(every), 'run')} in {below} fits {_write_words(where)}. {spell('analyze')} lists all."


def _describe(where: Sequence[Condition]) -> str:
    """The conditions, to be put behind what must fit them."""
    return f" with {_write_words(where)}" if where else ""


def _write_words(where: Sequence[Condition]) -> str:
    """The conditions as they are typed."""
    return " ".join(shlex.quote(f"where.{key}={_write(wanted)}") for key, wanted in where)


def _write(wanted: Any) -> str:
    return f"[{','.join(map(str, wanted))}]" if isinstance(wanted, list | tuple) else str(wanted)


def _suggest_next(found: Sequence[Entry], where: Sequence[Condition], below: str) -> str:
    num = sum(entry.status == "finished" for entry in found)
    if num == 0:
        return f"Resume one: {spell('train')} resume={found[0].folder.as_posix()}"
    among = [_write_words(where)] if where else []
    among += [shlex.quote(f"below={below}")] if below != "outputs" else []
    newest, two = (" ".join([spell("analyze"), f"runs={latest}", *among]) for latest in ("latest", "latest:2"))
    return f"Show the newest: {newest}" + (f", or the two newest side by side: {two}" if num > 1 else "")
