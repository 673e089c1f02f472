"""Break the code on purpose, one mistake at a time, and see its tests fail: `make mutants`, or a part of the list.

    python -m tests.mutants                       # all of them
    python -m tests.mutants figures/knn measures  # those whose file begins so

Each breakage goes into a copy of the tree, in which the tests named for it must fail; unbroken they must pass.
Libraries are imported once, and every breakage runs in a fork. Prints the survivors; ends with 1 where there are any.
"""

import contextlib
import io
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

os.environ["OMP_NUM_THREADS"] = "1"

import matplotlib.figure  # noqa: F401 - what tests import anyway, before the forks
import pytest
import pytorch_lightning  # noqa: F401
import sklearn.manifold  # noqa: F401
import torch
import torchvision  # noqa: F401
from tests.mutants.collect import ROOT, Mutant, collect

_WORKERS = 2
_TOO_LONG = 300  # seconds: a breakage that never ends is noticed, too


def main(starts: Sequence[str]) -> int:
    """Try the breakages of files that begin as one of `starts`; 1 where one survives, or where tests fail without."""
    mutants = [mutant for mutant in collect() if not starts or mutant.file.startswith(tuple(starts))]
    tests, began = sorted({test for mutant in mutants for test in mutant.tests}), time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(_WORKERS) as pool:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(_WORKERS):
            copies.put(_copy_tree(Path(folder) / str(number)))
        passing = pool.map(lambda test: _passes(copies, [test]), tests)
        if failing := [test for test, passed in zip(tests, passing, strict=True) if not passed]:
            print(f"Without any breakage these fail already: {', '.join(failing)}")
            return 1
        survivors = []
        surviving = pool.map(lambda mutant: _passes(copies, mutant.tests, mutant), mutants)
        for number, (mutant, survives) in enumerate(zip(mutants, surviving, strict=True), start=1):
            print(f"{number:4}/{len(mutants)}  {'SURVIVES' if survives else 'killed':8}  {mutant}", flush=True)
            survivors += [mutant] if survives else []
    print(f"{len(mutants)} breakages tried in {(time.monotonic() - began) / 60:.1f} min, {len(survivors)} survive.")
    for mutant in survivors:
        print(f"  {mutant}\n    {mutant.old!r}\n    -> {mutant.new!r}")
    return int(bool(survivors))


def _copy_tree(folder: Path) -> Path:
    for name in ("src", "conf", "tests", "docs", "notebooks", "benchmarks"):
        shutil.copytree(
            ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "outputs")
        )
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    return folder


def _passes(copies: "SimpleQueue[Path]", tests: Sequence[str], mutant: Mutant | None = None) -> bool:
    """Whether tests pass in a copy of the tree, broken or not."""
    copy = copies.get()
    try:
        with _broken(copy, mutant):
            process = multiprocessing.get_context("fork").Process(target=_run_tests, args=(copy, tests))
            process.start()
            process.join(_TOO_LONG)
            if process.is_alive():
                process.kill()
                process.join()
            return process.exitcode == 0
    finally:
        copies.put(copy)


@contextlib.contextmanager
def _broken(copy: Path, mutant: Mutant | None) -> Iterator[None]:
    if mutant is None:
        yield
        return
    path = copy / "src" / "netgaze" / mutant.file
    whole = path.read_text("utf-8")
    path.write_text(mutant.apply(whole), "utf-8")
    try:
        yield
    finally:
        path.write_text(whole, "utf-8")


def _run_tests(copy: Path, tests: Sequence[str]) -> None:
    """In a process of its own: pytest's exit code becomes the process's."""
    torch.set_num_threads(1)
    os.chdir(copy)
    sys.dont_write_bytecode = True
    sys.path[:0] = [str(copy / "src"), str(copy)]
    for name in [name for name in sys.modules if name.partition(".")[0] in ("netgaze", "tests")]:
        del sys.modules[name]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow", *tests])
    os._exit(int(code))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
