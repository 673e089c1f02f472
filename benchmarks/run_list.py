"""ratio = processor seconds of `python analyze.py` over a thousand runs over those of the same command over one.

The runs are made up: 33 files each, with the facts, numbers and epochs of a small run. The two alternate; a first pair,
which brings the files into memory, does not count; medians.

    python benchmarks/run_list.py [--quick]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from netgaze.files import write_csv, write_json
from netgaze.trainer import describe_device

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "tests" / "golden" / "runs" / "supervised"
NUM, NUM_FILES = 1000, 30


def make_runs(folder: Path, num: int) -> Path:
    """Runs below `outputs` in a folder: that folder."""
    facts = json.loads((SOURCE / "run.json").read_text())
    facts["layers"] = [f"stages.{number}.0.conv" for number in range(100)]
    for number in range(num):
        run = folder / "outputs" / f"name{number % 20}" / f"{number:04}"
        (run / "checkpoints").mkdir(parents=True)
        status = "finished" if number % 5 else "failed"
        write_json(
            run / "run.json", facts | {"status": status, "started": f"2026-01-{1 + number % 28:02}T12:00:00+0000"}
        )
        write_json(run / "metrics.json", json.loads((SOURCE / "metrics.json").read_text()))
        write_csv(run / "history.csv", [{"epoch": epoch, "val/acc": 0.5} for epoch in range(1, 31)])
        for file in range(NUM_FILES):
            (run / "checkpoints" / str(file)).write_bytes(bytes(100))
    return folder


def time_list(folder: Path, *words: str) -> float:
    """Seconds that the command keeps a processor busy."""
    before = os.times()
    command = [sys.executable, str(ROOT / "analyze.py"), *words]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    """Measure and print the table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as name:
        many, one = make_runs(Path(name) / "many", NUM), make_runs(Path(name) / "one", 1)
        rounds = [
            (time_list(many), time_list(one), time_list(many, "where.task=supervised", "sort=test/acc", "limit=50"))
            for _ in range(3 if quick else 8)
        ][1:]
    whole, alone, chosen = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"{'':28s}{'s':>6s}\n{'a thousand runs':28s}{whole:6.2f}\n{'one run':28s}{alone:6.2f}")
    print(f"{'the best 50 of a thousand':28s}{chosen:6.2f}")
    facts = {
        "name": "run_list",
        "ratio": round(whole / alone, 4),
        "device": describe_device(),
        "torch": torch.__version__,
    }
    print(json.dumps(facts | {"many_s": round(whole, 2), "one_s": round(alone, 2), "best_50_s": round(chosen, 2)}))


if __name__ == "__main__":
    main()
