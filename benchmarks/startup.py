"""ratio = seconds from `python train.py` to its first step over those of importing torch and Lightning (at most 1.5).

On CIFAR-10 where its files are, else on `data=shapes`, which is drawn anew at each start (the last line says which);
everything else by default. The two alternate; a first pair, which fills the caches, does not count; medians. Beside it
`sweep_s`: from the end of a sweep's job to the first step of the next one, which is to be within a second.

    python benchmarks/startup.py [--quick]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from side_by_side import ROOT, time_ours

from netgaze.trainer import describe_device


def choose_data() -> list[str]:
    """The words that choose CIFAR-10, where its files lie as in a user's checkout, or else the embedded shapes."""
    folder = Path(os.environ.get("NETGAZE_DATA", ROOT / "data")) / "cifar-10-batches-py"
    return ["data=cifar10", "data.verify=false"] if (folder / "test_batch").is_file() else ["data=shapes"]


def time_imports() -> float:
    """Seconds of the imports alone."""
    started = time.time()
    subprocess.run([sys.executable, "-c", "import torch, pytorch_lightning"], check=True)
    return time.time() - started


def time_first_step(words: list[str], folder: Path) -> float:
    """Seconds from the command to where the first step begins."""
    started = time.time()
    return time_ours(words, 0, folder)["first"] - started


def time_later_job(data: list[str], folder: Path) -> float:
    """Seconds from the end of a sweep's first job to the first step of its second one."""
    words = [*data, "data.limit=500", "trainer.max_epochs=1", "figure=[]", "control=null", "seed=0,1"]
    sweep = folder / "sweep"
    times = time_ours(["-m", *words, f"hydra.sweep.dir={sweep}"], None, folder)
    return times["first"] - (sweep / "0" / "run.json").stat().st_mtime


def main() -> None:
    """Measure and print the table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    quick, words = parser.parse_args().quick, choose_data()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pairs = [(time_first_step(words, folder), time_imports()) for _ in range(3 if quick else 8)][1:]
        later = time_later_job(words, folder)
    ratio = statistics.median(ours / imports for ours, imports in pairs)
    ours, imports = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"{'':28s}{'s':>6s}\n{'to the first step':28s}{ours:6.2f}\n{'imports alone':28s}{imports:6.2f}")
    print(f"{'a sweep, its later job':28s}{later:6.2f}")
    facts = {"name": "startup", "ratio": round(ratio, 4), "device": describe_device(), "torch": torch.__version__}
    seconds = {"first_step_s": round(ours, 2), "imports_s": round(imports, 2), "sweep_s": round(later, 2)}
    print(json.dumps(facts | {"data": words[0]} | seconds))


if __name__ == "__main__":
    main()
