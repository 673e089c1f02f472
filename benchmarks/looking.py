"""ratio = seconds of a whole report, nothing kept, over those of the same by passes of their own (at most 0.4).

`analyze.py` on two resnet_small networks, supervised and rotation, with two untrained ones and raw pixels, all of
CIFAR-10, in a process of its own, imports and all. "plain" is how version 0.1 did it: features, outputs and maps of
each network by passes of their own, these and neighbors in fp32, nothing fused, every untrained network for itself,
nothing kept. Then the report with an empty cache ("cold"), and once more ("warm", at most 10 s on two cores). The
networks are not trained: weights do not matter for time. Numbers must agree within 0.2 points, or the script exits
with 1.

    python benchmarks/looking.py [--quick] [--folder DIR]
"""

import argparse
import json
import os
import pickle
import resource
import runpy
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ("filters", "cam", "tsne", "knn", "extremes", "confusion", "data_card")
TASKS = ("supervised", "rotation")
QUICK = 5000  # images of each split
CLOSE = 0.002  # of an accuracy


def write_stand_in(folder: Path) -> Path:
    """Files of CIFAR-10's form, with noise in them: what is measured does not depend on what they show."""
    batches = folder / "cifar-10-batches-py"
    batches.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        data = rng.integers(256, size=(10_000, 3072), dtype=np.uint8)
        content = {"data": data, "labels": (np.arange(10_000) % 10).tolist()}
        (batches / name).write_bytes(pickle.dumps(content, protocol=2))
    names = {"label_names": [f"class {number}" for number in range(10)]}
    (batches / "batches.meta").write_bytes(pickle.dumps(names, protocol=2))
    return folder


def find_images(folder: Path) -> tuple[Path, bool]:
    """The folder around CIFAR-10's, and whether these are the real images."""
    place = Path(os.environ.get("NETGAZE_DATA", ROOT / "data"))
    if (place / "cifar-10-batches-py").is_dir():
        return place, True
    print(f"The real CIFAR-10 is not at {place}: noise of the same form stands in.")
    return write_stand_in(folder / "data"), False


def make_run(folder: Path, task: str, data: Path, quick: bool) -> Path:
    """The folder of a network that was not trained, made once."""
    if not (folder / task / "metrics.json").exists():
        words = [f"task={task}", "model=resnet_small", "trainer.max_epochs=0", "figure=[]", "control=null"]
        words += [f"data.dir='{data}'", "data.verify=false", f"hydra.run.dir='{folder / task}'"]
        words += [f"data.limit={QUICK}"] if quick else []
        subprocess.run([sys.executable, str(ROOT / "train.py"), *words], check=True, stdout=subprocess.DEVNULL)
    return folder / task


def report(how: str, out: Path, runs: list[Path]) -> dict[str, Any]:
    """Seconds of a report in a process of its own, those of each figure, memory, and the numbers that it shows."""
    places = ",".join(f"'{run}'" for run in runs)
    words = [f"runs=[{places}]", f"figure=[{','.join(FIGURES)}]", f"hydra.run.dir='{out}'"]
    cache = {"NETGAZE_CACHE": str(out.parent / "cache")}
    started = time.perf_counter()
    command = [sys.executable, __file__, "--report", how, *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **cache})
    seconds = time.perf_counter() - started
    numbers = {name: json.loads((out / "figures" / f"{name}.json").read_text())["numbers"] for name in FIGURES}
    return {"seconds": seconds, "numbers": numbers} | json.loads((out / "clock.json").read_text())


def clock(module: Any, function: str, name: Callable[..., str], taken: dict[str, float]) -> None:
    """Have a function of a module add up what it takes, under the name that its arguments give."""
    called = getattr(module, function)

    def timed(*args: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return called(*args, **named)
        finally:
            taken[name(*args)] += time.perf_counter() - started

    setattr(module, function, timed)


def work(how: str, words: list[str]) -> None:
    """Write a report in this process as `analyze.py` does, in the way of version 0.1 or in today's."""
    began = time.perf_counter()
    from netgaze import gallery, subjects
    from netgaze import report as page
    from netgaze.measures import neighbors
    from netgaze.subject import Subject

    taken: dict[str, float] = defaultdict(float, imports=time.perf_counter() - began)
    if how == "plain":
        Subject._is_asked_plainly = True  # type: ignore[assignment, method-assign]
        subjects._share_body = lambda *args: None
        neighbors.has_fast_bf16 = lambda: False  # type: ignore[assignment]
        gallery._ask_cached = lambda figure, subject, question: gallery._compute(figure, subject)
    clock(gallery, "_ask", lambda name, *args: f"{name}: asked", taken)
    clock(gallery, "write_figure", lambda name, *args: f"{name}: drawn", taken)
    clock(page, "write", lambda *args: "page", taken)
    sys.argv = ["analyze.py", *words]
    runpy.run_path(str(ROOT / "analyze.py"), run_name="__main__")
    out = next(word for word in words if word.startswith("hydra.run.dir=")).partition("=")[2].strip("'")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    used = resource.getrusage(resource.RUSAGE_SELF)
    facts = {"parts": taken, "peak_memory_mb": used.ru_maxrss / unit, "cpu_seconds": used.ru_utime + used.ru_stime}
    (Path(out) / "clock.json").write_text(json.dumps(facts))


def check(first: dict[str, Any], second: dict[str, Any]) -> None:
    """Exit where two reports' accuracies of the same networks differ."""
    for name in ("knn", "confusion"):
        for label, numbers in first["numbers"][name].items():
            if label == f"untrained ({TASKS[1]})":  # whose weights were others
                continue
            for key in ("knn20", "knn200", "acc"):
                apart = abs(numbers.get(key, 0) - second["numbers"][name][label].get(key, 0))
                if apart > CLOSE:
                    sys.exit(f"{name} of {label}: {key} differs by {apart}.")


def main() -> None:
    """Measure and print the table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK:,} images of each split")
    parser.add_argument("--folder", type=Path, help="where the runs and reports go, and are found again")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as fresh, tempfile.TemporaryDirectory() as reports:
        folder = (chosen.folder or Path(fresh)).resolve() / ("quick" if chosen.quick else "whole")
        data, real = find_images(folder)
        runs = [make_run(folder, task, data, chosen.quick) for task in TASKS]
        # Each in its order: the cache is empty until "cold" has filled it.
        found = {how: report(how, Path(reports) / how, runs) for how in ("plain", "cold", "warm")}
    check(found["plain"], found["cold"])
    check(found["cold"], found["warm"])
    parts = dict.fromkeys(part for each in found.values() for part in each["parts"])
    print(f"{'seconds':24s}" + "".join(f"{how:>10s}" for how in found))
    for part in parts:
        print(f"{part:24s}" + "".join(f"{each['parts'].get(part, 0):10.1f}" for each in found.values()))
    print(f"{'all':24s}" + "".join(f"{each['seconds']:10.1f}" for each in found.values()))
    from netgaze.trainer import describe_device, resolve_figures_precision  # not before: it takes seconds

    seconds = {how: round(each["seconds"], 1) for how, each in found.items()}
    facts: dict[str, Any] = {"name": "looking", "ratio": round(seconds["cold"] / seconds["plain"], 3)}
    facts |= {"seconds": seconds, "precision": resolve_figures_precision("auto"), "real_images": real}
    # Of the processor's time: the same on a machine that does other work beside it.
    facts |= {"ratio_cpu": round(found["cold"]["cpu_seconds"] / found["plain"]["cpu_seconds"], 3)}
    facts |= {"cpu_seconds": {how: round(each["cpu_seconds"], 1) for how, each in found.items()}}
    facts |= {"peak_memory_mb": {how: round(each["peak_memory_mb"]) for how, each in found.items()}}
    import torch

    print(json.dumps(facts | {"device": describe_device(), "torch": torch.__version__}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--report"]:
        work(sys.argv[2], sys.argv[3:])
    else:
        main()
