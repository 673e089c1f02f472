"""ratio = seconds of an epoch under our `fit` over those of a bare PyTorch loop of the same steps (at most 1.05).

Same network (resnet_small), images in memory, augmentation, batch of 256, optimizer, schedule, precision and
threads; both take all steps of an epoch, without validation, alternating in one run; medians after a warm-up.

    python benchmarks/step_overhead.py [--quick]
"""

import argparse
import json
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import torch

from netgaze.callbacks.finite import Finite
from netgaze.callbacks.history import History
from netgaze.callbacks.keep import Keep
from netgaze.callbacks.reseed import Reseed
from netgaze.data.augment import Augment
from netgaze.data.base import ImageData
from netgaze.data.images import Images
from netgaze.models.resnet import ResNet
from netgaze.schedules import OneCycle
from netgaze.schema import num_cpus
from netgaze.tasks.supervised import Supervised
from netgaze.trainer import describe_device, make_trainer, resolve_precision, set_globals

BATCH = 256


class Noise(ImageData):
    """Random images of CIFAR-10's size: what is measured does not depend on what they show."""

    def __init__(self, num_steps: int):
        super().__init__(
            num_classes=10,
            num_channels=3,
            image_size=32,
            mean=(0.5,) * 3,
            std=(0.25,) * 3,
            augment=Augment(crop_padding=4, flip=True),
            batch_size=BATCH,
        )
        self.num_steps = num_steps

    def load(self) -> dict[str, Images]:
        """As many images as one epoch takes, and one batch of others."""
        self.class_names = [str(number) for number in range(10)]
        generator = torch.Generator().manual_seed(0)

        def split(num: int) -> Images:
            images = torch.randint(256, (num, 3, 32, 32), dtype=torch.uint8, generator=generator)
            return Images(images, torch.arange(num) % 10)

        return {"train": split(self.num_steps * BATCH), "val": split(10), "test": split(10)}


def network() -> ResNet:
    """A fresh resnet_small."""
    torch.manual_seed(0)
    model = ResNet(depths=[1] * 4, widths=[32, 64, 128, 256], stem="cifar", in_channels=3, num_classes=10)
    return model.to(memory_format=torch.channels_last)


OPTIMIZER = partial(torch.optim.SGD, lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True, fused=True)


class Clock(Reseed):
    """Notes the seconds from an epoch's first step to after its last."""

    seconds = 0.0

    def on_train_epoch_start(self, *args: object) -> None:
        """Start."""
        super().on_train_epoch_start(*args)  # type: ignore[arg-type]
        self._started = time.perf_counter()

    def on_validation_start(self, *args: object) -> None:
        """Stop: the bare loop does not validate."""
        self.seconds = time.perf_counter() - self._started


def ours(data: Noise, precision: str) -> float:
    """Seconds of one epoch under Lightning, with the callbacks that act in each step."""
    task = Supervised(model=network(), num_classes=10, optimizer=OPTIMIZER, schedule=OneCycle())
    task.name_classes(data.class_names)
    clock = Clock(seed=0)
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(
            max_epochs=1,
            patience=None,
            precision=precision,
            accelerator="cpu" if not torch.cuda.is_available() else "gpu",
            devices=1,
            strategy="auto",
            gradient_clip_val=None,
            callbacks=[clock, Finite(), History(), Keep()],
            folder=Path(folder),
        )
        trainer.fit(task, datamodule=data)
    return clock.seconds


def bare(data: Noise, precision: str) -> float:
    """Seconds of the same steps in a plain loop."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = network().to(device)
    optimizer, schedule = OPTIMIZER(model.parameters()), OneCycle()
    images, labels = data.images("train"), data.labels("train")
    started = time.perf_counter()
    order = torch.randperm(len(labels))
    for step in range(data.num_steps):
        index = order[step * BATCH : (step + 1) * BATCH]
        batch = data.normalize(data.augment(images[index].to(device)))  # type: ignore[misc]
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16-mixed"):
            loss = torch.nn.functional.cross_entropy(model(batch), labels[index].to(device))
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
    quick = parser.parse_args().quick
    set_globals(seed=0, threads=num_cpus(), deterministic=True)  # for both sides
    precision = resolve_precision("auto")
    data = Noise(num_steps=8 if quick else 40)
    data.setup()
    ours(data, precision), bare(data, precision)  # warm-up
    pairs = [(ours(data, precision), bare(data, precision)) for _ in range(3 if quick else 7)]
    mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(first / second for first, second in pairs)

    def step(seconds: float) -> float:
        return round(1000 * seconds / data.num_steps, 2)

    print(f"{'':12s}{'ms a step':>12s}")
    print(f"{'our fit':12s}{step(mine):12.1f}")
    print(f"{'bare loop':12s}{step(theirs):12.1f}")
    facts = {"name": "step_overhead", "ratio": round(ratio, 4), "device": describe_device(), "torch": torch.__version__}
    print(json.dumps(facts | {"precision": precision, "ms_per_step": {"ours": step(mine), "bare": step(theirs)}}))


if __name__ == "__main__":
    main()
