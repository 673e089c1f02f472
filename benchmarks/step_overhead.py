"""ratio = seconds of a step of `python train.py` over those of a bare PyTorch loop of the same steps (at most 1.05).

Same network (resnet_small), images in memory, augmentation, batch of 256, optimizer, schedule, precision and threads.
Each side is a process of its own, started as people start it: ours through the entry point, with all of its callbacks.
They alternate; a warm-up does not count; medians.

    python benchmarks/step_overhead.py [--quick]
"""

import argparse
import json

import torch
from side_by_side import compare

from netgaze.trainer import describe_device


def main() -> None:
    """Measure and print the table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    quick = parser.parse_args().quick
    ratio, facts = compare([], num_steps=5 if quick else 40, rounds=1 if quick else 5)
    own = {"name": "step_overhead", "ratio": round(ratio, 4), "device": describe_device(), "torch": torch.__version__}
    print(json.dumps(own | facts))


if __name__ == "__main__":
    main()
