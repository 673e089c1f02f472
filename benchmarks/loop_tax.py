"""ratio = (5 ms + what our loop adds to a bare loop's step) / 5 ms: the tax on a GPU's short steps (at most 1.10).

The steps are those of `step_overhead`, of a network so small that little but Python is left, one thread, on the GPU
where there is one: what Lightning and our callbacks cost a step does not depend on what the step computes. The loops
alternate in one run, and the tax is the median difference of two that follow each other.

    python benchmarks/loop_tax.py [--quick] [--profile]
"""

import argparse
import cProfile
import json
import pstats
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import torch
from pytorch_lightning import Callback

from netgaze.callbacks.average import Average
from netgaze.callbacks.budget import Budget
from netgaze.callbacks.finite import Finite
from netgaze.callbacks.freeze import Freeze
from netgaze.callbacks.history import History
from netgaze.callbacks.keep import Keep
from netgaze.callbacks.online_eval import OnlineEval
from netgaze.callbacks.progress import Progress
from netgaze.callbacks.reseed import Reseed
from netgaze.data.augment import Augment
from netgaze.data.base import ImageData
from netgaze.data.images import Images
from netgaze.models.resnet import ResNet
from netgaze.schedules import OneCycle
from netgaze.tasks.supervised import Supervised
from netgaze.trainer import choose_device, describe_device, make_trainer, set_globals

STEP_MS = 5.0  # a step of a small network on a large GPU
BATCH, SIZE = 8, 8


class Noise(ImageData):
    """Random images of 8x8 pixels.

    Args:
        num_steps: steps of an epoch.
    """

    def __init__(self, num_steps: int):
        facts = {"num_classes": 10, "num_channels": 1, "image_size": SIZE, "mean": (0.5,), "std": (0.25,)}
        super().__init__(**facts, augment=Augment(crop_padding=1, flip=True), batch_size=BATCH)  # type: ignore[arg-type]
        self.num_steps = num_steps

    def load(self) -> dict[str, Images]:
        """As many images as one epoch takes, and a few others."""
        self.class_names = [str(number) for number in range(10)]
        generator = torch.Generator().manual_seed(0)

        def split(num: int) -> Images:
            images = torch.randint(256, (num, 1, SIZE, SIZE), dtype=torch.uint8, generator=generator)
            return Images(images, torch.arange(num) % 10)

        return {"train": split(self.num_steps * BATCH), "val": split(10), "test": split(10)}


class Clock(Callback):
    """Notes the seconds from an epoch's start to after its last step."""

    seconds = 0.0

    def on_train_epoch_start(self, *args: object) -> None:
        """Start."""
        self._started = time.perf_counter()

    def on_validation_start(self, *args: object) -> None:
        """Stop: the bare loop does not validate."""
        self.seconds = time.perf_counter() - self._started


def network() -> ResNet:
    """A network of one block."""
    torch.manual_seed(0)
    return ResNet(depths=[1], widths=[4], stem="cifar", in_channels=1, num_classes=10)


OPTIMIZER = partial(torch.optim.SGD, lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True, fused=True)


def ours(data: Noise) -> float:
    """Seconds of an epoch under `fit`, with every run's callbacks but TensorBoard's, slow to import."""
    task = Supervised(model=network(), num_classes=10, optimizer=OPTIMIZER, schedule=OneCycle())
    task.name_classes(data.class_names)
    clock = Clock()
    first: list[Callback] = [Reseed(seed=0), Freeze(), Average(), Finite(), OnlineEval(figures={})]
    callbacks = [*first, History(), Budget(max_time=None), Progress(), Keep()]
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(
            max_epochs=1,
            patience=None,
            precision="32",
            accelerator="gpu" if choose_device().type == "cuda" else "cpu",
            devices=1,
            strategy="auto",
            gradient_clip_val=None,
            callbacks=[clock, *callbacks],
            folder=Path(folder),
        )
        trainer.fit(task, datamodule=data)
    return clock.seconds


def bare(data: Noise) -> float:
    """Seconds of the same steps in a plain loop, images on the device."""
    device = choose_device()
    model = network().to(device)
    optimizer, schedule = OPTIMIZER(model.parameters()), OneCycle()
    images, labels = data.images("train").to(device), data.labels("train").to(device)
    started = time.perf_counter()
    order = torch.randperm(len(labels)).to(device)
    for step in range(data.num_steps):
        index = order[step * BATCH : (step + 1) * BATCH]
        batch = data.normalize(data.augment(images[index]))  # type: ignore[misc]
        outputs = model(batch)
        loss = torch.nn.functional.cross_entropy(outputs, labels[index])
        for group in optimizer.param_groups:
            group["lr"] = 0.1 * schedule(step / data.num_steps, 1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def main() -> None:
    """Measure and print the table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--profile", action="store_true", help="list what one epoch under fit calls instead")
    args = parser.parse_args()
    set_globals(seed=0, threads=1, deterministic=True)
    data = Noise(num_steps=50 if args.quick else 300)
    data.setup()
    ours(data), bare(data)  # warm-up
    if args.profile:
        with cProfile.Profile() as profile:
            ours(data)
        pstats.Stats(profile).sort_stats("tottime").print_stats(40)
        return
    pairs = [(ours(data), bare(data)) for _ in range(3 if args.quick else 9)]
    mine, theirs = (1000 * statistics.median(column) / data.num_steps for column in zip(*pairs, strict=True))
    tax = 1000 * statistics.median(first - second for first, second in pairs) / data.num_steps
    print(f"{'':12s}{'ms a step':>12s}")
    for name, value in (("our fit", mine), ("bare loop", theirs), ("tax", tax)):
        print(f"{name:12s}{value:12.3f}")
    facts = {"name": "loop_tax", "ratio": round((STEP_MS + tax) / STEP_MS, 4), "device": describe_device()}
    steps = {"ours": round(mine, 3), "bare": round(theirs, 3), "tax": round(tax, 3)}
    print(json.dumps(facts | {"torch": torch.__version__, "ms_per_step": steps}))


if __name__ == "__main__":
    main()
