"""Small real objects: blobs on a ground as data with masks, two-stage networks, both kinds of task."""

import functools

import numpy as np
import pytest
import torch

from netgaze.data.augment import Augment
from netgaze.data.base import ImageData
from netgaze.data.images import Images
from netgaze.models.resnet import ResNet
from netgaze.records import Record
from netgaze.schedules import Constant
from netgaze.subject import Subject
from netgaze.tasks.rotation import Rotation
from netgaze.tasks.supervised import Supervised

SIZE = 16


class Blobs(ImageData):
    """A bright square of its class's color somewhere in noise; its mask is known."""

    def __init__(self, *, num_classes=3, num_channels=3, sizes=(("train", 60), ("val", 30), ("test", 40)), **part):
        half, facts = (0.5,) * num_channels, {"num_classes": num_classes, "num_channels": num_channels}
        super().__init__(**facts, image_size=SIZE, mean=half, std=half, **part)
        self.sizes = dict(sizes)

    def load(self):
        self.class_names = [f"a class with a long name {number}" for number in range(self.num_classes)]
        return {split: self._draw(size, number) for number, (split, size) in enumerate(self.sizes.items())}

    def _draw(self, size, seed):
        rng = np.random.default_rng(seed)
        labels = np.arange(size) % self.num_classes
        images = rng.integers(0, 120, (size, self.num_channels, SIZE, SIZE))
        masks = np.zeros((size, SIZE, SIZE), dtype=bool)
        for number, label in enumerate(labels):
            top, left = rng.integers(0, SIZE - 6, 2)
            masks[number, top : top + 6, left : left + 6] = True
            images[number, label % self.num_channels][masks[number]] = 255 - 20 * label
        parts = (images.astype(np.uint8), labels.astype(np.int64), masks)
        return Images(*(torch.from_numpy(part) for part in parts))


def make_task(kind, data, seed=0):
    torch.manual_seed(seed)
    num_classes = data.num_classes if kind is Supervised else 4
    model = ResNet(depths=[1, 1], widths=[8, 16], stem="cifar", in_channels=data.num_channels, num_classes=num_classes)
    optimizer = functools.partial(torch.optim.SGD, lr=0.1)
    task = kind(model=model, num_classes=num_classes, optimizer=optimizer, schedule=Constant())
    task.name_classes(data.class_names)
    return task


def _make_data(**arguments):
    data = Blobs(augment=Augment(crop_padding=2, flip=True), **arguments)
    data.setup()
    return data


def history(num_epochs=4, knn=False):
    rows = []
    for epoch in range(num_epochs):
        row = {"epoch": epoch + 1, "lr": 0.1, "seconds": 1.0}
        row |= {f"{split}/loss": 2.0 / (epoch + 1) for split in ("train", "val")}
        row |= {f"{split}/acc": 0.9 - 0.1 * abs(epoch - 2) for split in ("train", "val")}
        rows.append(row | ({"val/knn20": 0.3} if knn and epoch % 2 else {}))
    return rows


def make_record(names, num, num_epochs=4, seed=0):
    """What a network may have said of so many examples of classes with these names, in order of their labels."""
    rng = np.random.default_rng(seed)
    margin = rng.normal(np.linspace(-3, 4, num), 2, (num_epochs, num)).astype(np.float16)
    labels = np.arange(num) % len(names)
    answers = np.where(margin > 0, labels, (labels + rng.integers(1, len(names), margin.shape)) % len(names))
    probability = (1 / (1 + np.exp(-margin.astype(np.float64)))).astype(np.float16)
    arrays = (probability, (margin > 0).astype(np.float16), margin, answers.astype(np.int8))
    return Record(*arrays, np.array(names))


def _make_subjects(data):
    """A supervised run, a rotation run, an untrained network, and raw pixels."""
    supervised, rotation, control = (
        make_task(kind, data, seed) for seed, kind in enumerate((Supervised, Rotation, Supervised))
    )
    return [
        Subject(
            "supervised",
            task=lambda: supervised,
            data=lambda: data,
            history=history,
            metrics={"test/acc": 0.6, "val/acc": 0.7, "test/images": 1880},
            config={"data": {"set": "dtd", "num_classes": data.num_classes}, "task": {"num_classes": data.num_classes}},
            training=True,
            examples=lambda: make_record(data.class_names, len(data.labels("train"))),
        ),
        Subject(
            "rotation with a longer label, lr=0.1",
            task=lambda: rotation,
            data=lambda: data,
            history=lambda: history(knn=True),
            metrics={"test/acc": 0.5},
            config={"data": {"num_classes": data.num_classes}, "task": {"num_classes": 4}},
            training=True,
        ),
        Subject("untrained", task=lambda: control, data=lambda: data, control=True, training=True),
        Subject("raw pixels", data=lambda: data, control=True, pixels=True),
    ]


def make_all():
    """The subjects of the fixture of this name, made anew."""
    return _make_subjects(_make_data())


@pytest.fixture
def make_data():
    return _make_data


@pytest.fixture
def make_subjects():
    return _make_subjects


@pytest.fixture
def data():
    return _make_data()


@pytest.fixture
def subjects(data):
    return _make_subjects(data)


@pytest.fixture
def supervised(subjects):
    return subjects[0]


@pytest.fixture
def rotation(subjects):
    return subjects[1]
