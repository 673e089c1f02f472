"""ratio = seconds of a step of `python train.py task=simclr` over those of a bare PyTorch loop (at most 1.05).

Two views of each of 256 images, one pass of the network over all of them, projector, NT-Xent; see `step_overhead.py`.

    python benchmarks/two_views.py [--quick]
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
    ratio, facts = compare(["task=simclr"], num_steps=4 if quick else 20, rounds=1 if quick else 5)
    own = {"name": "two_views", "ratio": round(ratio, 4), "device": describe_device(), "torch": torch.__version__}
    print(json.dumps(own | facts))


if __name__ == "__main__":
    main()
