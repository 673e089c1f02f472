"""Work on many files: few by threads, many by processes, which run independently. Needs no torch."""

import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import IO, Any, TypeVar

from netgaze.errors import NetgazeError
from netgaze.ranks import count_cores

_MANY = 2000  # files from which on it pays to start processes
_AT_ONCE = 64  # files that a process is given

Files = Sequence[Path | str]
T = TypeVar("T")
R = TypeVar("R")


def map_files(function: Callable[[int, Files], R], files: Files, at_once: int | None = None) -> Iterator[R]:
    """What a function says of all `files`, a few of them at a time and in order.

    Args:
        function: takes the number of the first, and some of the files; it and what it gives can be pickled.
        files: in order.
        at_once: how many a process is given; more where little is to be done with each.

    Raises:
        NetgazeError: a process was ended from outside.
        OSError: raised by the function.
    """
    num, many = count_cores(), len(files) >= _MANY
    size = (at_once or _AT_ONCE) if many else 1
    parts = ((start, files[start : start + size]) for start in range(0, len(files), size))
    with ThreadPoolExecutor(num) as pool:
        if not many or num == 1 or not sys.executable:
            yield from map_ahead(pool, lambda part: function(*part), parts, 4 * num)
            return
        workers = _Workers(num, function)
        try:
            yield from map_ahead(pool, workers.ask, parts, 4 * num)
        finally:
            workers.close()


def map_ahead(pool: ThreadPoolExecutor, function: Callable[[T], R], items: Iterable[T], ahead: int) -> Iterator[R]:
    """`pool.map`, of which no more than `ahead` results wait to be taken: memory stays what it is."""
    left, waiting = iter(items), deque[Future[R]]()
    waiting.extend(pool.submit(function, item) for item in islice(left, ahead))
    try:
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(function, item) for item in islice(left, 1))
    finally:
        for each in waiting:
            each.cancel()


class _Workers:
    """Processes that each work for one thread at a time.

    They are started by their command, not by `multiprocessing`: that would import the program's own script once more
    wherever processes cannot be forked, and a process with torch in it should not be.

    Args:
        num: processes.
        function: what they do, see `map_files`.
    """

    def __init__(self, num: int, function: Callable[[int, Files], Any]) -> None:
        paths = os.pathsep.join(path for path in sys.path if path)
        command = [sys.executable, "-P", "-c", f"from {__name__} import serve; serve()"]
        pipe, environment = subprocess.PIPE, os.environ | {"PYTHONPATH": paths}
        self._all = [subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment) for _ in range(num)]
        self._idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        for process in self._all:
            self._idle.put(process)
            _write(process.stdin, function)

    def ask(self, part: tuple[int, Files]) -> Any:
        """What the function says of some files, by a process that has nothing to do."""
        first, files = part
        process = self._idle.get()
        try:
            _write(process.stdin, (first, [os.fspath(file) for file in files]))
            assert process.stdout is not None
            answer = pickle.load(process.stdout)  # of a process that we have started; files never come as pickles
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            raise NetgazeError(
                "A process that reads images was killed, perhaps for lack of memory. Start again when there "
                "is more memory."
            ) from error
        finally:
            self._idle.put(process)
        if isinstance(answer, OSError):
            raise answer
        return answer

    def close(self) -> None:
        """End the processes; one that is at work ends when it is done."""
        for process in self._all:
            for pipe in (process.stdin, process.stdout):
                try:
                    if pipe is not None:
                        pipe.close()
                except OSError:  # it is gone
                    pass
            process.wait()


def serve() -> None:
    """The life of a process of `_Workers`: it works on the files that it is told of until nothing more comes."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it answers, and closes the pipe
    function = pickle.load(sys.stdin.buffer)
    while True:
        try:
            first, files = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = function(first, files)
        except OSError as error:
            answer = error
        _write(sys.stdout.buffer, answer)


def _write(pipe: IO[bytes] | None, content: Any) -> None:
    assert pipe is not None
    pickle.dump(content, pipe, protocol=pickle.HIGHEST_PROTOCOL)
    pipe.flush()
