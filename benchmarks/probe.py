"""ratio = seconds of the probe sweep done plainly over ours with cached features (at least 50).

The sweep: four learning rates, 60 epochs, batches of 64, on a frozen ResNet-18. Ours computes the features once (that
time is counted) and trains the four heads together; plainly each rate is a run of its own that takes every batch
through the frozen network. Plain epochs all cost the same, so a few are measured and scaled to 4 x 60. Both end in the
same accuracy, which the script compares on those few epochs.

    python benchmarks/probe.py [--quick]
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import torch

from netgaze.callbacks.history import History
from netgaze.callbacks.keep import Keep
from netgaze.callbacks.reseed import Reseed
from netgaze.data.augment import Augment
from netgaze.data.base import ImageData
from netgaze.data.images import Images
from netgaze.models.resnet import ResNet
from netgaze.schedules import MultiStep
from netgaze.schema import num_cpus
from netgaze.tasks.linear_probe import LinearProbe
from netgaze.trainer import choose_device, describe_device, make_trainer, set_globals

RATES, EPOCHS, MILESTONES = [1.0, 0.1, 0.01, 0.001], 60, [15, 30, 45]
CLASSES, SIZE = 10, 64


class Colors(ImageData):
    """Noise tinted by its class: as many images as a small set of the Visual Decathlon has, and learnable."""

    def __init__(self, num: int):
        super().__init__(
            num_classes=CLASSES,
            num_channels=3,
            image_size=SIZE,
            mean=(0.5,) * 3,
            std=(0.25,) * 3,
            augment=Augment(),
            batch_size=64,
        )
        self.num = num

    def load(self) -> dict[str, Images]:
        """As many validation as test images, half of the training images each."""
        self.class_names = [str(number) for number in range(CLASSES)]
        generator = torch.Generator().manual_seed(0)
        tints = torch.randint(-25, 26, (CLASSES, 3, 1, 1), generator=generator)

        def split(num: int) -> Images:
            labels = torch.arange(num) % CLASSES
            noise = torch.randint(30, 226, (num, 3, SIZE, SIZE), generator=generator)
            return Images((noise + tints[labels]).to(torch.uint8), labels)

        return {"train": split(self.num), "val": split(self.num // 2), "test": split(self.num // 2)}


def sweep(data: Colors, rates: list[float], epochs: int, cached: bool) -> tuple[float, list[float]]:
    """Seconds of a run with a head for each rate, and the heads' test accuracies."""
    torch.manual_seed(0)
    model = ResNet(depths=[2] * 4, widths=[64, 128, 256, 512], stem="imagenet", in_channels=3, num_classes=CLASSES).to(
        memory_format=torch.channels_last
    )
    task = LinearProbe(
        model=model,
        num_classes=CLASSES,
        optimizer=partial(torch.optim.SGD, lr=rates[0], momentum=0.9),
        schedule=MultiStep(milestones=MILESTONES),
        lrs=rates,
        cache_features=cached,
    )
    task.name_classes(data.class_names)
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(
            max_epochs=epochs,
            patience=None,
            precision="32",
            accelerator="auto",
            devices=1,
            strategy="auto",
            gradient_clip_val=None,
            callbacks=[Reseed(seed=0), History(), Keep()],
            folder=Path(folder),
        )
        started = time.perf_counter()
        training_data = task.training_data(data, choose_device())
        trainer.fit(task, datamodule=training_data)
        seconds = time.perf_counter() - started
        trainer.test(task, datamodule=training_data, verbose=False)
    return seconds, [variant["test/acc"] for variant in task.variants]


def main() -> None:
    """Measure and print the table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer images and rounds")
    quick = parser.parse_args().quick
    set_globals(seed=0, threads=num_cpus(), deterministic=True)
    data = Colors(300 if quick else 2000)
    data.setup()
    few, rounds = (1, 1) if quick else (2, 3)
    ours, plain, gaps = [], [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as cache:  # an empty cache each time: the features' time is counted
            os.environ["NETGAZE_CACHE"] = cache
            ours.append(sweep(data, RATES, EPOCHS, cached=True)[0])
            seconds, answers = sweep(data, RATES[:1], few, cached=False)
            plain.append(seconds / few * EPOCHS * len(RATES))
            gaps.append(abs(answers[0] - sweep(data, RATES[:1], few, cached=True)[1][0]))
    ratio = statistics.median(theirs / mine for theirs, mine in zip(plain, ours, strict=True))
    print(f"{'':44s}{'seconds':>10s}")
    print(f"{'four heads together, features once':44s}{statistics.median(ours):10.1f}")
    print(f"{f'four runs, network in each step ({few} epochs, scaled)':44s}{statistics.median(plain):10.1f}")
    facts = {"name": "probe", "ratio": round(ratio, 2), "device": describe_device(), "torch": torch.__version__}
    print(json.dumps(facts | {"accuracy_gap": round(max(gaps), 4), "images": data.num, "epochs_measured": few}))


if __name__ == "__main__":
    main()
