"""The record of single examples: against a naive one kept in dictionaries, through checkpoints, over processes."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from netgaze.batch import Batch
from netgaze.callbacks import examples as examples_module
from netgaze.callbacks.examples import Examples
from netgaze.errors import NetgazeError
from netgaze.records import Record

NUM, CLASSES = 9, ["a", "b", "c"]


@pytest.fixture
def task(task):
    task.classifies, task.class_names, task.device = True, CLASSES, torch.device("cpu")
    task.choose_logits = lambda outputs: outputs
    return task


@pytest.fixture
def make_trainer(make_trainer):
    def make(*callbacks, augment=None, num=NUM):
        trainer = make_trainer(*callbacks)
        trainer.datamodule = SimpleNamespace(augment=augment, labels=lambda split: torch.zeros(num))
        return trainer

    return make


def draw_steps(epoch, size=4, repeat=1):
    """An epoch's steps (logits, targets, index): each example once, in an order of its own."""
    generator = torch.Generator().manual_seed(epoch)
    for index in torch.randperm(NUM, generator=generator).split(size):
        yield (
            torch.randn(repeat * len(index), len(CLASSES), generator=generator) * 3,
            torch.randint(len(CLASSES), (repeat * len(index),), generator=generator),
            index,
        )


def take(callback, trainer, task, steps):
    for number, (logits, targets, index) in enumerate(steps):
        batch = Batch((torch.zeros(len(index), 1),), torch.zeros(len(index)), index)
        callback.on_train_batch_end(trainer, task, {"outputs": logits, "targets": targets}, batch, number)


def run(callback, trainer, task, epochs, **changes):
    callback.on_train_start(trainer, task)
    for epoch in epochs:
        trainer.current_epoch = epoch
        take(callback, trainer, task, draw_steps(epoch, **changes))
        callback.on_train_epoch_end(trainer, task)


def read(trainer):
    return Record.load(trainer.default_root_dir / "examples.npz")


def assert_same(one, other):
    for name in Record.__annotations__:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert getattr(one, name).dtype == getattr(other, name).dtype


@pytest.mark.parametrize("repeat", [1, 4])
def test_each_example_has_the_means_of_its_own_looks(make_trainer, task, repeat):
    trainer = make_trainer()
    run(Examples(record=True), trainer, task, range(3), repeat=repeat)
    record = read(trainer)
    assert (record.num_epochs, record.num_examples, record.names) == (3, NUM, CLASSES)
    assert record.answers.dtype == np.int8
    assert {record.probability.dtype, record.right.dtype, record.margin.dtype} == {np.dtype(np.float16)}
    for epoch in range(3):
        for logits, targets, index in draw_steps(epoch, repeat=repeat):
            for place, image in enumerate(index.tolist()):
                own = range(place, len(targets), len(index))  # the same image again after all others
                rows = [(logits[row], int(targets[row])) for row in own]
                chances = [float(row.softmax(0)[target]) for row, target in rows]
                right = [float(row.argmax() == target) for row, target in rows]
                margins = [
                    float(row[target] - max(row[other] for other in {0, 1, 2} - {target})) for row, target in rows
                ]
                assert record.probability[epoch, image] == np.float16(np.mean(chances, dtype=np.float32))
                assert record.right[epoch, image] == np.mean(right)
                assert record.margin[epoch, image] == pytest.approx(np.mean(margins), rel=2e-3, abs=2e-3)
                assert record.answers[epoch, image] == int(rows[0][0].argmax())


def test_what_an_epoch_did_not_show_is_missing(make_trainer, task):
    trainer, callback = make_trainer(), Examples(record=True)
    callback.on_train_start(trainer, task)
    first, *_ = draw_steps(0)
    take(callback, trainer, task, [first])
    callback.on_train_epoch_end(trainer, task)
    record, shown = read(trainer), np.isin(np.arange(NUM), first[2].numpy())
    for values in (record.probability, record.right, record.margin):
        np.testing.assert_array_equal(np.isfinite(values[0]), shown)
    np.testing.assert_array_equal(record.answers[0] >= 0, shown)


def test_an_image_that_is_drawn_twice_has_the_mean_of_both_looks(make_trainer, task):
    trainer, callback = make_trainer(), Examples(record=True)
    callback.on_train_start(trainer, task)
    logits = torch.tensor([[2.0, 0, 0], [0, 1, 0], [0, 5, 0]])
    steps = [
        (logits[:2], torch.tensor([0, 0]), torch.tensor([3, 3])),
        (logits[2:], torch.tensor([0]), torch.tensor([3])),
    ]
    take(callback, trainer, task, steps)
    callback.on_train_epoch_end(trainer, task)
    record = read(trainer)
    assert record.margin[0, 3] == np.float16((2 - 1 - 5) / 3)
    assert record.right[0, 3] == np.float16(1 / 3)
    assert record.answers[0, 3] == 1
    assert np.isnan(record.margin[0, :3]).all()


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_a_checkpoint_goes_on_where_it_stood_within_an_epoch_too(make_trainer, task, cut):
    trainer = make_trainer()
    run(Examples(record=True), trainer, task, range(3))
    whole = read(trainer)
    before, after = Examples(record=True), Examples(record=True)
    run(before, trainer, task, range(1))
    steps = list(draw_steps(1))
    take(before, trainer, task, steps[:cut])
    state = before.state_dict()
    assert (state["begun"] is None) == (cut == 0)
    after.load_state_dict(state)
    trainer.current_epoch = 1
    after.on_train_start(trainer, task)
    take(after, trainer, task, steps[cut:])
    after.on_train_epoch_end(trainer, task)
    trainer.current_epoch = 2
    take(after, trainer, task, draw_steps(2))
    after.on_train_epoch_end(trainer, task)
    assert_same(read(trainer), whole)


def test_in_the_first_epoch_there_is_something_to_go_on_from_as_well(make_trainer, task):
    trainer, before, after = make_trainer(), Examples(record=True), Examples(record=True)
    run(Examples(record=True), trainer, task, range(1))
    whole, steps = read(trainer), list(draw_steps(0))
    before.on_train_start(trainer, task)
    take(before, trainer, task, steps[:1])
    after.load_state_dict(before.state_dict())
    after.on_train_start(trainer, task)
    for name, values in before.state_dict()["begun"].items():  # also where it is cut off again at once
        assert torch.equal(after.state_dict()["begun"][name], values)
    take(after, trainer, task, steps[1:])
    after.on_train_epoch_end(trainer, task)
    assert_same(read(trainer), whole)


def test_epochs_before_it_was_switched_on_are_missing(make_trainer, task):
    trainer = make_trainer()
    run(Examples(record=True), trainer, task, [2])
    record = read(trainer)
    assert record.num_epochs == 3
    assert np.isnan(record.margin[:2]).all()
    assert (record.answers[:2] == -1).all()
    assert np.isfinite(record.margin[2]).all()


def test_a_record_of_other_examples_is_left_behind(make_trainer, task, caplog):
    trainer, callback = make_trainer(), Examples(record=True)
    run(callback, trainer, task, range(2))
    other = Examples(record=True)
    other.load_state_dict(callback.state_dict())
    fewer = make_trainer(num=NUM - 1)
    fewer.current_epoch = 2
    other.on_train_start(fewer, task)
    assert "starts again" in caplog.text
    other.on_train_epoch_end(fewer, task)
    assert other.state_dict()["epochs"]["margin"].shape == (3, NUM - 1)


def test_two_processes_have_one_record(make_trainer, task, monkeypatch):
    """Each saw every other step; what is gathered is what one process would have that saw all."""
    trainer = make_trainer()
    run(Examples(record=True), trainer, task, range(1))
    whole, both, gathered = read(trainer), [Examples(record=True), Examples(record=True)], {}
    for rank, callback in enumerate(both):
        trainer.is_global_zero = rank == 0
        callback.on_train_start(trainer, task)
        take(callback, trainer, task, list(draw_steps(0))[rank::2])
        gathered[rank] = (callback._looks.sums.clone(), callback._looks.answers.clone())

    def gather(rows):
        assert len(rows) == 1
        return torch.stack([gathered[rank][rows.ndim == 2] for rank in (0, 1)])

    monkeypatch.setattr(examples_module, "gather_rows", gather)
    state = both[1].state_dict()  # asked of all at once: each has what all saw
    resumed = [Examples(record=True), Examples(record=True)]
    for rank, callback in enumerate(resumed):  # the main one alone goes on with it, or it would count twice
        callback.load_state_dict(state)
        trainer.is_global_zero = rank == 0
        callback.on_train_start(trainer, task)
        gathered[rank] = (callback._looks.sums.clone(), callback._looks.answers.clone())
    assert float(gathered[1][0].abs().sum()) == 0
    trainer.is_global_zero = True
    monkeypatch.setattr(resumed[0]._looks, "forget", lambda: None)
    resumed[0].on_train_epoch_end(trainer, task)
    assert_same(read(trainer), whole)


def test_off_it_does_nothing(make_trainer, task):
    trainer, callback = make_trainer(), Examples()
    run(callback, trainer, task, range(2))
    assert callback.state_dict() == {}
    assert not (trainer.default_root_dir / "examples.npz").exists()


def test_of_a_task_without_classes_it_says_that_there_is_nothing_to_record(make_trainer, task, caplog):
    task.classifies = False
    trainer, callback = make_trainer(), Examples(record=True)
    run(callback, trainer, task, range(1))
    assert caplog.text.count("callback.examples records nothing: Task predicts no class for a training example.") == 1
    assert not (trainer.default_root_dir / "examples.npz").exists()


def test_mixed_images_have_no_true_class(make_trainer, task):
    trainer = make_trainer(augment=SimpleNamespace(mixes=True))
    with pytest.raises(NetgazeError, match=r"data.augment.mixup and data.augment.cutmix .* record=false"):
        Examples(record=True).on_train_start(trainer, task)
    Examples().on_train_start(trainer, task)


def test_a_margin_too_large_for_half_precision_is_the_largest_that_fits(make_trainer, task):
    trainer, callback = make_trainer(), Examples(record=True)
    callback.on_train_start(trainer, task)
    take(callback, trainer, task, [(torch.tensor([[1e6, 0, 0]]), torch.tensor([1]), torch.tensor([0]))])
    callback.on_train_epoch_end(trainer, task)
    assert read(trainer).margin[0, 0] == np.finfo(np.float16).min


def test_many_classes_fit(make_trainer, task):
    task.class_names = [str(number) for number in range(300)]
    trainer, callback = make_trainer(), Examples(record=True)
    callback.on_train_start(trainer, task)
    take(callback, trainer, task, [(torch.eye(300)[[299]], torch.tensor([299]), torch.tensor([0]))])
    callback.on_train_epoch_end(trainer, task)
    assert read(trainer).answers[0, 0] == 299
    assert read(trainer).answers.dtype == np.int16


def test_of_several_heads_the_answer_is_that_of_the_one_that_leads(make_trainer, task):
    trainer, callback = make_trainer(), Examples(record=True)
    task.choose_logits = lambda outputs: outputs[:, 1]
    callback.on_train_start(trainer, task)
    outputs = torch.tensor([[[9.0, 0, 0], [0, 0, 2.5]]])
    take(callback, trainer, task, [(outputs, torch.tensor([2]), torch.tensor([4]))])
    callback.on_train_epoch_end(trainer, task)
    assert read(trainer).margin[0, 4] == 2.5
    assert read(trainer).answers[0, 4] == 2
