"""ratio = our images per second over torchvision's, for the same training batches (higher is better for us).

Batches of 256 of CIFAR-10 with a random crop (padding 4), a random flip and normalization. Ours: the set's own
loader, then what happens to a batch on its device. Theirs: torchvision's CIFAR10 with its usual transforms behind a
DataLoader, with the best of 0, 1 and 2 workers. Both on the CPU, in turn, in one process.

    python benchmarks/input_pipeline.py [--quick]
"""

import argparse
import functools
import itertools
import json
import os
import pickle
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import CIFAR10

from netgaze.data.augment import Augment
from netgaze.data.cifar10 import FOLDER, META, TEST, TRAIN, Cifar10

BATCH = 256
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def main() -> None:
    """Measure, print a table, and one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(os.environ.get("NETGAZE_DATA") or "data")
        real = (root / FOLDER).is_dir()
        if not real:
            root = Path(scratch)
            write_random_cifar10(root)
        data = Cifar10(
            dir=str(root),
            verify=False,
            num_classes=10,
            num_channels=3,
            image_size=32,
            mean=MEAN,
            std=STD,
            augment=Augment(crop_padding=4, flip=True),
        )
        data.setup()
    print(f"images: {'CIFAR-10' if real else 'random, in the form of CIFAR-10'}")

    sides: dict[str, Callable[[], Iterator[torch.Tensor]]] = {"netgaze": lambda: ours(data)}
    for workers in (0, 1, 2):
        sides[f"torchvision, {workers} workers"] = functools.partial(theirs, data, workers)
    speeds = measure(sides, batches=12 if quick else 40, rounds=3 if quick else 9)

    for name, speed in speeds.items():
        print(f"{name:24s} {speed:12,.0f} images/s")
    ratio = speeds["netgaze"] / max(speed for name, speed in speeds.items() if name != "netgaze")
    print(
        json.dumps(
            {
                "name": "input_pipeline",
                "ratio": round(ratio, 2),
                "device": "cpu",
                "torch": torch.__version__,
                "threads": torch.get_num_threads(),
                "images": "cifar10" if real else "random",
                "images_per_second": {name: round(speed) for name, speed in speeds.items()},
            }
        )
    )


def ours(data: Cifar10) -> Iterator[torch.Tensor]:
    """Batches as a training step gets them, epoch after epoch."""
    for epoch in itertools.count():
        loader = data.train_dataloader()
        loader.sampler.set_epoch(epoch)
        for batch in loader:
            yield data.normalize(data.augment(batch.images))  # type: ignore[misc]


def theirs(data: Cifar10, workers: int) -> Iterator[torch.Tensor]:
    """The same from torchvision; its constructor is left out, since it accepts no files but the official ones."""
    peer = object.__new__(CIFAR10)
    peer.data = data.images("train").permute(0, 2, 3, 1).numpy().copy()
    peer.targets = data.labels("train").tolist()
    peer.target_transform = None
    peer.transform = transforms.Compose(
        [
            transforms.RandomCrop(32, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    loader = DataLoader(peer, BATCH, shuffle=True, num_workers=workers, drop_last=True)
    while True:
        for images, _ in loader:
            yield images


def measure(sides: dict[str, Callable[[], Iterator[torch.Tensor]]], batches: int, rounds: int) -> dict[str, float]:
    """The median speed of each side in images per second, over rounds in which the sides take turns.

    A side is started afresh for its turn, so that no other's workers run beside it, and warmed up before the clock.
    """
    speeds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, start in sides.items():
            stream = start()
            for _ in range(4):
                next(stream)
            begin = time.perf_counter()
            for _ in range(batches):
                next(stream)
            speeds[name].append(batches * BATCH / (time.perf_counter() - begin))
            stream.close()  # type: ignore[attr-defined]
    return {name: statistics.median(values) for name, values in speeds.items()}


def write_random_cifar10(root: Path) -> None:
    """Files of the official form and size with random pixels."""
    rng = np.random.default_rng(0)
    folder = root / FOLDER
    folder.mkdir(parents=True)
    for name in (*TRAIN, TEST):
        data = rng.integers(0, 256, (10_000, 3072), np.uint8)
        (folder / name).write_bytes(pickle.dumps({"data": data, "labels": [i % 10 for i in range(10_000)]}, protocol=2))
    (folder / META).write_bytes(pickle.dumps({"label_names": [f"class {i}" for i in range(10)]}, protocol=2))


if __name__ == "__main__":
    main()
