"""ratio = memory that neighbors of raw pixels take over their images, as a share of these as floats (at most 0.25).

Peaks of whole processes, from start to end, as the system counts them: a training of the default network with all of
CIFAR-10 loaded (a few steps, then the test), a report on it with its default figures (features of 50,000 + 10,000
images of each network, an untrained one and raw pixels), and the 20 nearest of 200 among many made-up images of
128x128, held as bytes. With --full these are 100,000, of which floats would take 19.7 GB.

    python benchmarks/memory.py [--quick] [--full]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SIDE = 128
SEARCH = f"""
import sys, torch
from netgaze.measures.neighbors import find_nearest
from netgaze.trainer import keep_freed_memory
keep_freed_memory()
num = int(sys.argv[1])
images = torch.empty(num, 3 * {SIDE} * {SIDE}, dtype=torch.uint8)
for part in images.split(1000):
    part.random_(256)
if sys.argv[2] == "search":
    find_nearest(images[:200], images, 20)
"""


def measure_peak(*command: str, **env: str) -> float:
    """The most memory, in GB, that a process held, which must end well."""
    process = subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.DEVNULL, env={**os.environ, **env}, cwd=ROOT
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}.")
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


def main() -> None:
    """Measure and print the table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer images, and no report")
    parser.add_argument("--full", action="store_true", help="100,000 images of 128x128")
    chosen = parser.parse_args()
    data = Path(os.environ.get("NETGAZE_DATA", ROOT / "data"))
    real = (data / "cifar-10-batches-py").is_dir()
    if not real:
        print(f"The real CIFAR-10 is not at {data}: embedded scenes stand in.")
    peaks: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        words = ["data.verify=false"] if real else ["data=shapes"]
        words += ["data.epoch_size=1024", "trainer.max_epochs=1", "figure=[]", "control=null"]
        peaks["training"] = measure_peak("train.py", *words, f"hydra.run.dir='{folder}/run'")
        if not chosen.quick:
            report = ["analyze.py", f"runs=['{folder}/run']", f"hydra.run.dir='{folder}/report'"]
            peaks["report"] = measure_peak(*report, NETGAZE_CACHE=f"{folder}/cache")
    num = 100_000 if chosen.full else 5_000 if chosen.quick else 20_000
    peaks["images"] = measure_peak("-c", SEARCH, str(num), "hold")
    peaks["search"] = measure_peak("-c", SEARCH, str(num), "search")
    floats = 4 * num * 3 * SIDE**2 / 1e9
    for name, peak in peaks.items():
        print(f"{name:10s} {peak:8.2f} GB at most")
    print(f"{'as floats':10s} {floats:8.2f} GB")
    from netgaze.trainer import describe_device  # not before: it takes seconds

    ratio = (peaks["search"] - peaks["images"]) / floats
    facts = {"name": "memory", "ratio": round(ratio, 3), "gb": {name: round(peak, 2) for name, peak in peaks.items()}}
    import torch

    print(json.dumps(facts | {"real_images": real, "device": describe_device(), "torch": torch.__version__}))


if __name__ == "__main__":
    main()
