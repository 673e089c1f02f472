"""What is said of the runs below a folder: the list, the newest of them, and what was cleared away."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from netgaze.errors import NetgazeError
from netgaze.run_list.choose import choose_entries, sort_entries
from netgaze.run_list.clean import Plan, plan, remove
from netgaze.run_list.entry import Entry
from netgaze.run_list.find import find_entries
from netgaze.run_list.table import draw_table, format_size
from netgaze.text import count_of

_FIRST = "Train a first one, in seconds: python train.py data=shapes data.limit=200 trainer.max_epochs=1"


def show_list(where: Mapping[str, Any], by: str, limit: int | None, below: str, width: int | None) -> Iterator[str]:
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
    yield draw_table(found[:limit], [by, *where], width)
    yield ""
    if limit is not None and len(found) > limit:
        yield f"{len(found) - limit:,} more; limit=null shows all."
    yield _suggest_next(found)


def clean(where: Mapping[str, Any], by: str, below: str, width: int | None, removes: bool) -> Iterator[str]:
    """List the runs that came to nothing, or remove them, and say which of them stay and why; see `show_list`.

    Raises:
        NetgazeError: as `show_list`; or a file cannot be removed.
    """
    every = find_entries(below)
    planned = plan(sort_entries(choose_entries(every, where), by), every)
    if not planned.removable:
        yield f"Nothing to remove: no failed, interrupted or unfinished run below {below}{_describe(where)}."
    elif removes:
        yield from _remove_all(planned, below)
    else:
        yield draw_table(planned.removable, [by, *where], width)
        yield ""
    for entry, why in planned.kept.items():
        yield f"{entry.folder} ({entry.status}) stays: {why}."
    if planned.removable and not removes:
        num = count_of(len(planned.removable), "run")
        yield f"clean=remove removes {num}, {format_size(planned.size)}, for good; resume=<run> goes on with one."


def find_latest(num: int, where: Mapping[str, Any], below: str, fits: Callable[[Entry], bool], kind: str) -> list[str]:
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
    there = f"only {count_of(len(found), f'{kind} run')}" if found else f"no {kind} run"
    raise NetgazeError(
        f"There is {there} below {below}{_describe(where)}. python analyze.py lists those that there are."
    )


def _remove_all(planned: Plan, below: str) -> Iterator[str]:
    num, size = 0, 0
    for entry in planned.removable:
        words = f"{entry.folder} ({entry.status}, {format_size(entry.disk.size)})"
        if remove(entry, below):
            num, size = num + 1, size + entry.disk.size
            yield f"Removed {words}"
        else:
            yield f"{words} stays: it was taken up again."
    yield f"Removed {count_of(num, 'run')}, {format_size(size)} ({size:,} bytes)."


def _explain_none(every: Sequence[Entry], where: Mapping[str, Any], below: str) -> str:
    if not every:
        return f"There are no runs below {below} yet. {_FIRST}"
    return f"None of {count_of(len(every), 'run')} below {below} fits{_describe(where)}. python analyze.py lists all."


def _describe(where: Mapping[str, Any]) -> str:
    """The conditions as they are typed, to be put behind a sentence's end."""
    words = (f"where.{key}={_write(wanted)}" for key, wanted in where.items())
    return f" with {' '.join(words)}" if where else ""


def _write(wanted: Any) -> str:
    return f"[{','.join(map(str, wanted))}]" if isinstance(wanted, list | tuple) else str(wanted)


def _suggest_next(found: Sequence[Entry]) -> str:
    num = sum(entry.status == "finished" for entry in found)
    if num == 0:
        return f"Go on with one: python train.py resume={found[0].folder.as_posix()}"
    what = "Look at the newest: python analyze.py runs=latest"
    return what if num == 1 else f"{what}, or at two side by side: python analyze.py runs=latest:2"
