"""What Task promises to any way of learning: means weighted by images, numbers of whole splits, one hook a step."""

from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_lightning import Trainer
from tests.data.test_base import Tiny, tiny
from tests.tasks.test_tasks import network

from netgaze.schedules import Constant
from netgaze.tasks.base import Task
from netgaze.tasks.step import Means, Rows, Step
from netgaze.tasks.supervised import Supervised

BATCHES = st.lists(st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=9), min_size=1, max_size=6)


@pytest.fixture
def data(monkeypatch):
    """48 images to train on in batches of 8, and 12 of validation in batches of 5, 5 and 2."""
    monkeypatch.setattr(Tiny, "test_batch_size", 5)
    return tiny()


def made(kind, lr=0.1):
    torch.manual_seed(0)
    optimizer = partial(torch.optim.SGD, lr=lr)
    task = kind(model=network(3), num_classes=3, optimizer=optimizer, schedule=Constant())
    task.name_classes(["a", "b", "c"])
    return task


def trained(task, data, **changes):
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = Trainer(max_epochs=1, num_sanity_val_steps=0, enable_model_summary=False, **quiet | changes)
    trainer.fit(task, datamodule=data)
    return trainer


class Same:
    """A strategy of one process."""

    def reduce(self, values, reduce_op):
        assert reduce_op == "sum"
        return values


@given(BATCHES)
def test_a_mean_is_over_images_however_they_are_batched(batches):
    means = Means()
    for batch in batches:
        values = torch.tensor(batch)
        means.add(len(batch), Step(values.mean(), numbers={"half": values.mean() / 2}))
    found = means.read(Same())
    expected = sum(map(sum, batches)) / sum(map(len, batches))
    assert found == pytest.approx({"loss": expected, "half": expected / 2}, rel=1e-4, abs=1e-3)


class Brightness(Task):
    """No logits: what is lost is the mean of the pixels times a weight."""

    classifies = False
    monitor, monitor_mode = "val/loss", "min"

    def loss(self, batch):
        mean = batch.images.mean()
        return Step(mean * self.model.fc.bias.exp().sum(), numbers={"mean": mean, "largest": batch.images.amax()})

    def compute_metrics(self, split, outputs, targets):
        raise AssertionError("there are no outputs")


def test_a_task_without_outputs_has_its_means_in_training_and_validation(data):
    task = made(Brightness, lr=0.0)
    trained(task, data)
    weight = float(task.model.fc.bias.exp().sum().detach())
    for split in ("train", "val"):
        images = data.normalize(data.images(split))
        numbers = task.epoch_numbers()
        assert numbers[f"{split}/mean"] == pytest.approx(float(images.mean()), rel=1e-4)
        assert numbers[f"{split}/loss"] == pytest.approx(weight * float(images.mean()), rel=1e-4)
    assert task.numbers.keys() == {"val/loss", "val/mean", "val/largest"}


class Both(Supervised):
    """Numbers of batches beside those of the whole split."""

    def train_metrics(self, outputs, targets):
        return {"acc": torch.tensor(7.0), "size": torch.tensor(float(len(targets)))}

    def compute_metrics(self, split, outputs, targets):
        self.seen = outputs, targets
        return {"acc": 0.25, "whole": float(len(targets))}


def test_numbers_of_the_whole_split_stand_beside_its_means_or_in_their_place(data):
    task = made(Both)
    trained(task, data)
    assert task.numbers["val/acc"] == 0.25
    assert task.numbers["val/whole"] == 12
    assert task.numbers["val/size"] == pytest.approx((5 * 5 + 5 * 5 + 2 * 2) / 12)
    outputs, targets = task.seen
    assert torch.equal(targets, data.labels("val"))
    assert task.numbers["val/loss"] == pytest.approx(float(task.criterion(outputs, targets)), rel=1e-5)
    assert task.epoch_numbers()["train/acc"] == 7


class Counted(Supervised):
    """Notes the weights after each step."""

    def __init__(self, **given):
        super().__init__(**given)
        self.after = []

    def after_step(self):
        assert not torch.is_grad_enabled()
        self.after.append(self.model.fc.weight.clone())


@pytest.mark.parametrize(("together", "steps"), [(1, 6), (2, 3), (4, 2)])
def test_the_hook_follows_each_step_of_the_optimizer_once(data, together, steps):
    """Six batches; the last step of an epoch takes what is left of an accumulated gradient."""
    task = made(Counted)
    trainer = trained(task, data, accumulate_grad_batches=together)
    assert len(task.after) == trainer.global_step == steps
    assert all(not torch.equal(one, other) for one, other in zip(task.after, task.after[1:], strict=False))
    assert torch.equal(task.after[-1], task.model.fc.weight)


def test_what_is_frozen_stays_frozen_when_more_is():
    task = made(Supervised)
    task.freeze_backbone()
    task.freeze_modules([task.model.fc])
    task.train()
    assert not any(parameter.requires_grad for parameter in task.parameters())
    assert not any(child.training for child in task.model.children())


@pytest.mark.parametrize("block", [1, 100, 2**25])
def test_rows_of_batches_are_kept_in_order_however_large_the_blocks(block, monkeypatch):
    monkeypatch.setattr("netgaze.tasks.step._BLOCK", block)
    batches = [torch.randn(num, 2, 3) for num in (5, 0, 7, 1, 4)]
    kept = Rows()
    assert kept.take() is None
    for _ in range(2):
        for batch in batches:
            kept.add(batch)
        assert torch.equal(kept.take(), torch.cat(batches))
    assert kept.take() is None
    kept.add(torch.arange(3))
    assert kept.take().tolist() == [0, 1, 2]
