"""ratio = our images per second over torchvision's, for two augmented views of each (at least 10).

Batches of 256 images of CIFAR-10's form, of each two views as `task=simclr` has them: a resized crop, a flip, jittered
colors, grayscale, normalization. Ours: whole batches. Theirs: torchvision's v2 transforms on single images behind a
DataLoader, with the best of 0, 1 and 2 workers. Where kornia is installed, its batched augmentation stands beside them.
All on the CPU, in turn, in one process.

    python benchmarks/views.py [--quick]
"""

import argparse
import functools
import importlib.util
import json
from collections.abc import Callable, Iterator

import torch
from input_pipeline import BATCH, MEAN, STD, measure
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from netgaze.data.augment import Augment
from netgaze.data.pixels import normalize
from netgaze.trainer import describe_device

SCALE, STRENGTHS, JITTERED, GRAY = (0.2, 1.0), (0.4, 0.4, 0.4, 0.1), 0.8, 0.2
Pair = tuple[Tensor, Tensor]


class Twice(Dataset[Pair]):
    """Two views of each image, one image at a time.

    Args:
        images: uint8 [N,3,32,32].
    """

    def __init__(self, images: Tensor):
        self.images = images.contiguous()
        self.transform = v2.Compose(
            [
                v2.RandomResizedCrop(32, scale=SCALE, antialias=True),
                v2.RandomHorizontalFlip(),
                v2.RandomApply([v2.ColorJitter(*STRENGTHS)], p=JITTERED),
                v2.RandomGrayscale(p=GRAY),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Pair:
        return self.transform(self.images[index]), self.transform(self.images[index])


def make_ours(images: Tensor) -> Iterator[Pair]:
    """Batches of two views by our augmentation, epoch after epoch."""
    augment = Augment(
        flip=True, crop_scale=SCALE, color_jitter=STRENGTHS, color_jitter_prob=JITTERED, grayscale_prob=GRAY
    )
    while True:
        for index in torch.randperm(len(images)).split(BATCH):
            batch = images[index]
            first, second = (normalize(augment(batch, 32), MEAN, STD) for _ in range(2))
            yield first, second


def make_theirs(images: Tensor, workers: int) -> Iterator[Pair]:
    """The same by torchvision."""
    loader = DataLoader(Twice(images), BATCH, shuffle=True, num_workers=workers, drop_last=True)
    while True:
        yield from loader


def make_kornias(images: Tensor) -> Iterator[Pair]:
    """The same by kornia's batched augmentation."""
    from kornia import augmentation

    views = augmentation.AugmentationSequential(
        augmentation.RandomResizedCrop((32, 32), scale=SCALE),
        augmentation.RandomHorizontalFlip(),
        augmentation.ColorJitter(*STRENGTHS, p=JITTERED),
        augmentation.RandomGrayscale(p=GRAY),
        augmentation.Normalize(torch.tensor(MEAN), torch.tensor(STD)),
    )
    while True:
        for index in torch.randperm(len(images)).split(BATCH):
            batch = images[index].float() / 255
            yield views(batch), views(batch)


def main() -> None:
    """Measure, print a table, and one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    quick = parser.parse_args().quick
    pixels = torch.randint(256, (20 * BATCH, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images = pixels.permute(0, 3, 1, 2)
    sides: dict[str, Callable[[], Iterator[Pair]]] = {"netgaze": lambda: make_ours(images)}
    for workers in (0, 1, 2):
        sides[f"torchvision, {workers} workers"] = functools.partial(make_theirs, images, workers)
    if importlib.util.find_spec("kornia"):
        sides["kornia"] = lambda: make_kornias(images)
    speeds = measure(sides, batches=3 if quick else 10, rounds=3 if quick else 7)  # type: ignore[arg-type]
    for name, speed in speeds.items():
        print(f"{name:24s} {speed:12,.0f} images/s, two views each")
    best = max(speed for name, speed in speeds.items() if name.startswith("torchvision"))
    facts = {"device": describe_device(), "torch": torch.__version__, "threads": torch.get_num_threads()}
    rounded = {name: round(speed) for name, speed in speeds.items()}
    print(
        json.dumps(
            {"name": "views", "ratio": round(speeds["netgaze"] / best, 2), **facts, "images_per_second": rounded}
        )
    )


if __name__ == "__main__":
    main()
