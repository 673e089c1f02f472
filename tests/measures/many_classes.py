"""A test of 2,000 classes and 10,000 images and its figures, under a ceiling: run by itself, as the limit stays.

python -m tests.measures.many_classes <folder>
"""

import functools
import json
import resource
import sys
from pathlib import Path

import torch

from netgaze.data.base import ImageData
from netgaze.data.images import Images
from netgaze.figures.confused_pairs import ConfusedPairs
from netgaze.figures.confusion import Confusion
from netgaze.figures.data_card import DataCard
from netgaze.figures.extremes import Extremes
from netgaze.figures.filter_similarity import FilterSimilarity
from netgaze.figures.knn import Knn
from netgaze.figures.neighbors import Neighbors
from netgaze.figures.tsne import Tsne
from netgaze.gallery import look
from netgaze.models.resnet import ResNet
from netgaze.schedules import Constant
from netgaze.subject import Subject
from netgaze.tasks.supervised import Supervised
from netgaze.trainer import make_trainer, set_globals

CLASSES, IMAGES, SIZE, ROOM = 2000, 10_000, 8, 2**30
FIGURES = [Confusion, ConfusedPairs, Tsne, Knn, Extremes, DataCard, Neighbors, FilterSimilarity]


class Noise(ImageData):
    """Gray noise whose labels mean nothing."""

    def load(self):
        self.class_names = [f"class {number}" for number in range(CLASSES)]
        return {split: self._draw(size) for split, size in (("train", 4000), ("val", IMAGES), ("test", IMAGES))}

    def _draw(self, size):
        images = torch.randint(0, 256, (size, 1, SIZE, SIZE), dtype=torch.uint8)
        return Images(images, torch.arange(size) % CLASSES)


def limit_memory(room):
    """Let this process take so many bytes more than it has now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + room,) * 2)


def main(folder):
    """Test and look; prints what the test found, and which figures failed."""
    set_globals(seed=0, threads=1, deterministic=True)
    data = Noise(num_classes=CLASSES, num_channels=1, image_size=SIZE, mean=[0.5], std=[0.5])
    data.setup()
    model = ResNet(depths=[1], widths=[16], stem="cifar", in_channels=1, num_classes=CLASSES)
    optimizer = functools.partial(torch.optim.SGD, lr=0.1)
    task = Supervised(model=model, num_classes=CLASSES, optimizer=optimizer, schedule=Constant())
    task.name_classes(data.class_names)
    trainer = make_trainer(
        max_epochs=0,
        patience=None,
        precision="32",
        accelerator="cpu",
        devices=1,
        strategy="auto",
        gradient_clip_val=None,
        folder=folder,
    )
    limit_memory(ROOM)
    numbers = trainer.validate(task, datamodule=data, verbose=False)[0]
    numbers |= trainer.test(task, datamodule=data, verbose=False)[0]
    config = {"data": {}, "task": {}, "model": {}}
    run = Subject("run", task=lambda: task, data=lambda: data, config=config, folder=folder)
    found = look({figure.__name__: figure() for figure in FIGURES}, [run], folder / "figures")
    sizes = {path.name: path.stat().st_size for path in (folder / "figures").glob("*.json")}
    print(json.dumps({"numbers": numbers, "failed": {k: vars(it) for k, it in found.failed.items()}, "sizes": sizes}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
