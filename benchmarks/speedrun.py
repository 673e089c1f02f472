"""ratio = seconds of a step of `python train.py experiment=speedrun` over those of a bare loop of the same recipe.

At most 1.05 on the CPU, at most 1.10 on a GPU. Same network (airbench), Muon, augmentation, label smoothing, batch of
2,000, precision and threads; each side is a process of its own, they alternate, a warm-up does not count; medians.

    python benchmarks/speedrun.py [--quick] [--record FILE]

With the record's own script and a GPU, the whole of `train.py experiment=speedrun` is timed beside it, from command to
end (`whole`: seconds of both, and ours over theirs): CIFAR-10 must be there for both.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from typing import Any

import torch
from side_by_side import ROOT, compare

from netgaze.trainer import describe_device

WORDS = ["experiment=speedrun"]


def time_whole(record: str) -> dict[str, float]:
    """Seconds of the record's script and of our whole run, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        run = [f"hydra.run.dir={folder}/run", "figure=[]", "control=null"]
        commands = {"record": [sys.executable, record], "ours": [sys.executable, "train.py", *WORDS, *run]}
        seconds = {}
        for name, command in commands.items():
            started = time.perf_counter()
            subprocess.run(command, cwd=ROOT, check=True)
            seconds[name] = round(time.perf_counter() - started, 2)
    return seconds | {"ratio": round(seconds["ours"] / seconds["record"], 3)}


def main() -> None:
    """Measure and print the table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--record", metavar="FILE", help="the record's script, to be timed beside the whole run")
    arguments = parser.parse_args()
    if arguments.record and not torch.cuda.is_available():
        parser.error("--record needs a GPU: the record's script runs on nothing else.")
    steps, rounds = (2, 1) if arguments.quick else (8, 3)
    ratio, facts = compare(WORDS, num_steps=steps, rounds=rounds)
    own: dict[str, Any] = {"name": "speedrun", "ratio": round(ratio, 4), "device": describe_device()}
    whole = {"whole": time_whole(arguments.record)} if arguments.record else {}
    print(json.dumps(own | {"torch": torch.__version__} | facts | whole))


if __name__ == "__main__":
    main()
