"""Batches are the same wherever a split lies, and a training step waits for the device nowhere."""

from contextlib import nullcontext
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_lightning import Callback
from torch.utils._python_dispatch import TorchDispatchMode

from netgaze.callbacks.average import Average
from netgaze.callbacks.examples import Examples
from netgaze.callbacks.finite import Finite
from netgaze.callbacks.reseed import Reseed
from netgaze.data.augment import Augment
from netgaze.data.digits import Digits
from netgaze.data.images import Images, Vectors
from netgaze.data.loading import Ahead, DeviceOrder, fits, make_loader
from netgaze.data.sampler import PlainBatches
from netgaze.models.resnet import ResNet
from netgaze.schedules import Constant
from netgaze.tasks.supervised import Supervised
from netgaze.trainer import make_trainer

CPU, META = torch.device("cpu"), torch.device("meta")


def split(num: int) -> Images:
    generator = torch.Generator().manual_seed(num)
    return Images(torch.randint(256, (num, 3, 8, 8), dtype=torch.uint8, generator=generator), torch.arange(num) % 7)


def sampler(num: int, size: int, epoch: int = 0) -> PlainBatches:
    made = PlainBatches(num, size, shuffle=True, seed=1)
    made.set_epoch(epoch)
    return made


@settings(max_examples=30, deadline=None)
@given(num=st.integers(1, 40), size=st.integers(1, 12), epoch=st.integers(0, 3))
def test_resident_and_streamed_batches_are_the_same(num, size, epoch):
    part = split(num)
    ways = [list(make_loader(part, sampler(num, size, epoch), CPU, resident)) for resident in (True, False)]
    assert len(ways[0]) == len(ways[1]) == len(make_loader(part, sampler(num, size), CPU, False))
    for mine, theirs, index in zip(*ways, sampler(num, size, epoch), strict=True):
        for batch in (mine, theirs):
            assert torch.equal(batch.images, part.images[index])
            assert torch.equal(batch.labels, part.labels[index])
            assert torch.equal(batch.index, index)


def test_the_order_of_an_epoch_goes_to_the_device_at_once():
    """On a device without numbers: the places come in batches of the same sizes, and lie there."""
    order = DeviceOrder(sampler(23, 5), META)
    assert [tuple(batch.shape) for batch in order] == [(5,)] * 4 + [(3,)]
    assert all(batch.device == META for batch in order)
    assert len(order) == 5


@pytest.mark.parametrize("resident", [True, False])
def test_each_epoch_has_its_own_order(resident):
    loader = make_loader(split(20), sampler(20, 20), CPU, resident)
    orders = []
    for epoch in (0, 1, 0):
        loader.sampler.set_epoch(epoch)
        orders.append(next(iter(loader)).index)
    assert torch.equal(orders[0], orders[2])
    assert not torch.equal(orders[0], orders[1])


def test_a_split_on_a_device_gathers_there():
    part = split(6).to(META)
    batch = part[torch.tensor([0, 3], device=META)]
    assert batch.images.device == batch.labels.device == META
    assert batch.images.shape == (2, 3, 8, 8)
    vectors = Vectors(torch.zeros(2, 6, 4), torch.arange(6)).to(META)
    assert vectors[torch.tensor([0, 3], device=META)].images.shape == (2, 4)
    assert split(6).to(CPU).images.device == CPU


def test_what_lies_there_already_fits_and_a_gpu_takes_a_share(monkeypatch):
    part = split(100)
    assert part.nbytes == 100 * 3 * 8 * 8
    assert fits(part, CPU)
    for free, expected in ((part.nbytes * 4, True), (part.nbytes * 3, False)):
        monkeypatch.setattr("torch.cuda.mem_get_info", lambda device, free=free: (free, 10**12))
        assert fits(part, torch.device("cuda")) == expected


def test_one_batch_is_copied_ahead(monkeypatch):
    """The next one's copy is begun before the one before it is worked on."""
    seen = []
    ahead = Ahead(make_loader(split(6), sampler(6, 2), CPU, True), CPU)
    copy = ahead._copy
    monkeypatch.setattr(ahead, "_copy", lambda batch: seen.append("copied") or copy(batch))
    for _ in ahead:
        seen.append("worked")
    assert seen == ["copied", "copied", "worked", "copied", "worked", "worked"]


class Gpu:
    """Streams as a GPU has them, which note what is asked of them."""

    def __init__(self):
        self.asked, self.events = [], 0

    def record_event(self):
        self.events += 1
        self.asked.append(f"copy {self.events}")
        return self.events

    def wait_event(self, event):
        self.asked.append(f"wait {event}")

    def wait_stream(self, stream):
        self.asked.append("wait all")


def test_a_step_waits_for_its_own_batch_and_not_for_the_next(monkeypatch):
    gpu, part = Gpu(), split(6)
    ahead = Ahead(make_loader(part, sampler(6, 2), CPU, True), CPU)
    ahead.stream = gpu
    monkeypatch.setattr("torch.cuda.stream", lambda stream: nullcontext())
    monkeypatch.setattr("torch.cuda.current_stream", lambda device: gpu)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda tensor, stream: gpu.asked.append("kept"))
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)
    for batch, index in zip(ahead, sampler(6, 2), strict=True):
        gpu.asked.append("worked")
        assert torch.equal(batch.images, part.images[index])
    kept = ["kept"] * 3  # images, labels and places
    assert gpu.asked == [
        *("copy 1", "copy 2", "wait 1", *kept, "worked"),
        *("copy 3", "wait 2", *kept, "worked", "wait 3", *kept, "worked"),
    ]


def learn(folder, *callbacks, max_epochs=2, **augment):
    """The task after so many epochs of training and validation, and a test, of digits."""
    facts = {"num_classes": 10, "num_channels": 1, "image_size": 32, "mean": [0.3], "std": [0.35], "num_val": 100}
    data = Digits(**facts, limit=200, batch_size=40, augment=Augment(crop_padding=2, flip=True, **augment))
    data.setup()
    torch.manual_seed(0)
    task = Supervised(
        model=ResNet(depths=[1], widths=[8], stem="cifar", in_channels=1, num_classes=10),
        num_classes=10,
        optimizer=partial(torch.optim.SGD, lr=0.1, fused=True),
        schedule=Constant(),
    )
    task.name_classes(data.class_names)
    trainer = make_trainer(
        max_epochs=max_epochs,
        patience=None,
        precision="32",
        accelerator="cpu",
        devices=1,
        strategy="auto",
        gradient_clip_val=None,
        callbacks=callbacks,
        folder=folder,
    )
    trainer.fit(task, datamodule=data)
    trainer.test(task, datamodule=data, verbose=False)
    return task


def test_a_network_learns_the_same_wherever_the_split_lies(tmp_path, monkeypatch):
    """To the bit: Lightning takes the one loader and the other, in training, validation and test."""
    resident = learn(tmp_path, Reseed(seed=0), rotate90=True)
    monkeypatch.setattr("netgaze.data.loading.fits", lambda part, device: False)
    streamed = learn(tmp_path, Reseed(seed=0), rotate90=True)
    assert streamed.numbers == resident.numbers
    for mine, other in zip(streamed.parameters(), resident.parameters(), strict=True):
        assert torch.equal(mine, other)


class Watch(TorchDispatchMode):
    """Counts what on a GPU would wait for it: numbers read out, and tensors made of Python's numbers."""

    def __init__(self):
        super().__init__()
        self.waits, self.calls = [], 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.calls += 1
        if function in (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.lift_fresh.default):
            self.waits.append(str(function))
        return function(*args, **(kwargs or {}))


def test_a_training_step_waits_for_nothing(tmp_path):
    """With all that acts in a step: from the second one on no number is read, and none is made on the host."""

    class Steps(Callback):
        """Watches from the first step's end to the last one's: the loader, the transfer and all that follows."""

        def on_train_batch_end(self, trainer, task, outputs, batch, index):
            if index == 0:
                self.watch = Watch().__enter__()
            elif index == 4:
                self.watch.__exit__(None, None, None)

    steps = Steps()
    learn(tmp_path, Average(kind="ema"), Finite(), Examples(record=True), steps, max_epochs=1, alternate_flip=True)
    assert steps.watch.calls > 500
    assert steps.watch.waits == []
