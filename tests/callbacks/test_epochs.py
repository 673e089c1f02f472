"""What is noted, kept, stopped and seeded at an epoch's two ends; epoch by epoch, in numbers that differ."""

import logging
import math
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pytorch_lightning import Callback

from netgaze.callbacks.budget import Budget, to_seconds
from netgaze.callbacks.finite import Finite
from netgaze.callbacks.freeze import Freeze
from netgaze.callbacks.history import History
from netgaze.callbacks.keep import Keep
from netgaze.callbacks.progress import Progress
from netgaze.callbacks.reseed import Reseed
from netgaze.errors import NetgazeError
from netgaze.stored import read_history
from netgaze.trainer import StopWithin, drop_idle_hooks


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is moved."""
    now = [100.0]
    for name in ("monotonic", "perf_counter"):
        monkeypatch.setattr(f"time.{name}", lambda: now[0])
    return now


def test_history_is_a_row_an_epoch_counted_from_one(make_trainer, task, clock, tmp_path):
    history = History()
    trainer = make_trainer(history)
    for rate, accuracy, seconds in ((0.5, 0.1, 3.0), (0.125, 0.2, 7.0)):
        trainer.optimizers[0].param_groups[0]["lr"] = rate
        history.on_train_epoch_start(trainer, task)
        clock[0] += seconds
        trainer.optimizers[0].param_groups[0]["lr"] = 0.0  # the schedule moves on within an epoch
        trainer.end_epoch(task, acc=accuracy)
    rows = [
        {"epoch": 1, "val/acc": 0.1, "lr": 0.5, "seconds": 3.0},
        {"epoch": 2, "val/acc": 0.2, "lr": 0.125, "seconds": 7.0},
    ]
    assert history.rows == read_history(tmp_path / "history.csv") == rows
    assert History.last_row(trainer) == rows[1]


def test_history_goes_on_from_a_checkpoint(make_trainer, task, tmp_path):
    first, resumed = History(), History()
    trainer = make_trainer(first)
    trainer.end_epoch(task, acc=0.1)
    resumed.load_state_dict(first.state_dict())
    trainer.callbacks = [resumed]
    trainer.end_epoch(task, acc=0.2)
    assert [(row["epoch"], row["val/acc"]) for row in read_history(tmp_path / "history.csv")] == [(1, 0.1), (2, 0.2)]
    assert len(first.rows) == 1, "rows are copied, not shared"


def test_only_one_process_writes_the_history(make_trainer, task, tmp_path):
    trainer = make_trainer(History())
    trainer.is_global_zero = False
    trainer.end_epoch(task, acc=0.1)
    assert not (tmp_path / "history.csv").exists()


def test_what_stands_before_history_has_no_row_to_read(make_trainer, task):
    with pytest.raises(NetgazeError, match="need history to stand before them"):
        make_trainer(Progress(), History()).end_epoch(task, acc=0.1)


@pytest.mark.parametrize(
    ("mode", "values", "best"),
    [
        ("max", [0.2, 0.4, 0.3, 0.4], 1),
        ("min", [0.4, 0.2, 0.3, 0.2], 1),
        ("max", [math.nan, 0.1, 0.05, 0.0], 1),
        ("min", [math.nan, 0.1, 0.2, math.nan], 1),
        ("max", [0.3, math.nan, 0.2, 0.1], 0),
        ("max", [math.nan, math.nan, 0.1, 0.2], 3),
    ],
)
def test_the_best_epoch_is_kept_and_of_equal_ones_the_first(mode, values, best, make_trainer, task):
    keep, task.monitor_mode = Keep(), mode
    trainer = make_trainer(keep)
    for value in values:
        trainer.end_epoch(task, acc=value, loss=-value)
    assert (keep.best_epoch, keep.best_value) == (best, values[best])
    assert [epoch for name, epoch in trainer.saved if name == "best.ckpt"][-1] == best
    assert [epoch for name, epoch in trainer.saved if name == "last.ckpt"] == [0, 1, 2, 3]
    places = {epoch: trainer.saved.index(("last.ckpt", epoch)) for epoch in range(4)}
    assert all(trainer.saved.index(pair) < places[pair[1]] for pair in trainer.saved if pair[0] == "best.ckpt")


def test_the_best_of_a_resumed_run_may_lie_before_it(make_trainer, task):
    before, after = Keep(), Keep()
    trainer = make_trainer(before)
    trainer.end_epoch(task, acc=0.9)
    after.load_state_dict(before.state_dict())
    trainer.callbacks = [after]
    trainer.end_epoch(task, acc=0.5)
    assert (after.best_epoch, after.best_value) == (0, 0.9)
    assert trainer.saved == [("best.ckpt", 0), ("last.ckpt", 0), ("last.ckpt", 1)]


def test_a_run_says_that_it_was_stopped_and_that_nothing_chose_its_best(make_trainer, task, caplog):
    keep, task.monitor = Keep(), "val/knn20"
    trainer = make_trainer(keep)
    trainer.end_epoch(task, acc=0.1)
    assert not keep.state_dict()["stopped"]
    trainer.should_stop = True
    trainer.end_epoch(task, acc=0.2)
    assert keep.state_dict()["stopped"]
    keep.on_train_end(trainer, task)
    assert "No epoch has the number val/knn20" in caplog.text


@pytest.mark.parametrize(
    ("typed", "seconds"), [(2.5, 150), ("2", 120), ("00:02:30", 150), ("01:00:05", 3605), ("1:30", 90), (0, 0)]
)
def test_a_budget_is_minutes_or_a_clock(typed, seconds):
    assert to_seconds(typed) == seconds


@pytest.mark.parametrize("typed", ["soon", "1:2:3:4", "-1", "1:-2", ""])
def test_what_is_no_budget(typed):
    with pytest.raises(NetgazeError, match=r"trainer\.max_time="):
        to_seconds(typed)


def test_a_budget_ends_training_after_the_epoch_in_which_it_is_spent(make_trainer, task, clock):
    def run(budget, *seconds):
        trainer = make_trainer(budget)
        budget.on_train_start(trainer, task)
        stops = []
        for each in seconds:
            clock[0] += each
            trainer.end_epoch(task)
            stops.append(trainer.should_stop)
        return stops

    first = Budget(max_time="1:00")
    clock[0] += 1000  # loading data is no training
    assert run(first, 20, 20, 19, 1) == [False, False, False, True]
    assert run(Budget(max_time=None), 10**6) == [False]
    begun, resumed = Budget(max_time=1), Budget(max_time=1)
    run(begun, 40)
    resumed.load_state_dict(begun.state_dict())
    clock[0] += 1000
    assert run(resumed, 19, 1) == [False, True], "time before a resume counts"


def test_progress_says_what_is_left(make_trainer, task, clock, caplog):
    history = History()
    trainer = make_trainer(history, Progress())
    caplog.set_level(logging.INFO)
    for seconds in (90.0, 10.0):
        history.on_train_epoch_start(trainer, task)
        clock[0] += seconds
        trainer.end_epoch(task, acc=0.25, acc_macro=0.5)
    first, second = caplog.messages
    assert first == "epoch 1/4  val/acc 0.2500  90.0 s  (4.5 min left)"
    assert second == "epoch 2/4  val/acc 0.2500  10.0 s", "less than a minute is not worth a word"


def test_progress_says_images_a_second_of_training_alone(make_trainer, task, clock, caplog):
    history, progress = History(), Progress()
    trainer = make_trainer(history, progress)
    trainer.world_size, trainer.is_last_batch, task.device = 2, True, torch.device("cpu")
    caplog.set_level(logging.INFO)
    for num in (30, 60):
        history.on_train_epoch_start(trainer, task)
        progress.on_train_epoch_start(trainer, task)
        for step in range(2):
            clock[0] += 3.0
            progress.on_train_batch_end(trainer, task, None, SimpleNamespace(labels=torch.zeros(num)), step)
        clock[0] += 100.0  # validation
        trainer.end_epoch(task, acc=0.25)
    assert "106.0 s  20 images/s" in caplog.messages[0]
    assert "106.0 s  40 images/s" in caplog.messages[1], "each epoch counts for itself"


@pytest.mark.parametrize(("batches", "said"), [(200, ["5 images/s: about 8.3 min per epoch"]), (5, [])])
def test_progress_says_within_seconds_how_long_an_epoch_takes(make_trainer, task, clock, caplog, batches, said):
    """The first step, which is slower, does not count for the speed; nothing is said where the epoch ends at once."""
    progress = Progress()
    trainer = make_trainer(History(), progress)
    trainer.world_size, trainer.is_last_batch, trainer.num_training_batches = 1, False, batches
    caplog.set_level(logging.INFO)
    progress.on_train_epoch_start(trainer, task)
    for step in range(min(7, batches)):
        clock[0] += 2.0 if step else 4.0
        progress.on_train_batch_end(trainer, task, None, SimpleNamespace(labels=torch.zeros(10)), step)
    assert caplog.messages == said


def test_every_epoch_rank_and_seed_draws_its_own_and_always_the_same(make_trainer, task):
    def draw(seed, epoch, rank):
        trainer = make_trainer()
        trainer.current_epoch, trainer.global_rank = epoch, rank
        Reseed(seed=seed).on_train_epoch_start(trainer, task)
        return random.random(), np.random.rand(), torch.rand(()).item()

    draws = {key: draw(*key) for key in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]}
    for kind in zip(*draws.values(), strict=True):
        assert len(set(kind)) == 4
    assert all(draw(*key) == drawn for key, drawn in draws.items())


def step(finite, trainer, task, loss):
    finite.on_train_batch_end(trainer, task, {"loss": torch.tensor(loss)}, None, 0)
    trainer.global_step += 1


def test_the_first_step_that_is_not_finite_is_named_when_looked_at(make_trainer, task):
    finite, trainer = Finite(every=5), make_trainer()
    trainer.current_epoch = 2
    for loss in (1.0, 1.0, math.inf, 1.0, math.nan):
        step(finite, trainer, task, loss)
    with pytest.raises(NetgazeError, match=r"non-finite at step 2 \(epoch 3\)"):
        step(finite, trainer, task, 1.0)
    step(finite, trainer, task, 1.0)
    finite.on_train_epoch_end(trainer, task)  # what was said is said once


def test_looking_waits_for_its_turn_or_the_epochs_end(make_trainer, task):
    finite, trainer = Finite(every=50), make_trainer()
    for loss in (1.0, math.nan, 1.0):
        step(finite, trainer, task, loss)
    with pytest.raises(NetgazeError, match="at step 1 "):
        finite.on_train_epoch_end(trainer, task)


def test_weights_that_are_not_finite_are_told_though_every_loss_was(make_trainer, task):
    finite, trainer = Finite(), make_trainer()
    step(finite, trainer, task, 1.0)
    finite.on_train_epoch_end(trainer, task)
    task.weight.data.fill_(math.nan)
    with pytest.raises(NetgazeError, match=r"at step 1 \(epoch 1\)"):
        finite.on_train_epoch_end(trainer, task)


def test_a_step_calls_of_callbacks_what_they_have_and_nothing_else():
    """A hook of a class, one given to an object, and none; what is no step's stays; twice is as once."""
    said = []
    of_class, of_object, idle = Finite(), Callback(), Callback()
    of_object.on_before_backward = said.append
    for callback in (of_class, of_object, idle, idle):
        drop_idle_hooks(callback)
    assert callable(of_class.on_train_batch_end)
    assert not callable(of_class.on_train_batch_start)
    assert of_object.on_before_backward == said.append
    assert not callable(of_object.on_train_batch_end)
    assert all(not callable(getattr(idle, name)) for name in ("on_train_batch_end", "on_after_backward"))
    assert callable(idle.on_train_epoch_end)
    assert callable(Callback().on_train_batch_end)


@pytest.mark.parametrize(("names", "frozen"), [(["0"], [0, 1]), (["0.bias"], [1]), (["0.bias", "1"], [1, 2, 3])])
def test_parameters_learn_for_as_long_as_it_is_said(make_trainer, task, names, frozen):
    task.model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    freeze = Freeze(parameters=names, after=2)
    trainer = make_trainer(freeze)
    for epoch in range(4):
        freeze.on_train_epoch_start(trainer, task)
        still = [place for place, p in enumerate(task.model.parameters()) if not p.requires_grad]
        assert still == (frozen if epoch >= 2 else [])
        trainer.end_epoch(task)


def test_a_name_that_merely_begins_alike_is_no_parameter_of_a_module(make_trainer, task):
    task.model = torch.nn.ModuleDict({"stem": torch.nn.Linear(2, 2), "stem2": torch.nn.Linear(2, 2)})
    Freeze(parameters=["stem"]).on_train_epoch_start(make_trainer(), task)
    assert task.model["stem2"].weight.requires_grad
    with pytest.raises(NetgazeError, match=r"callback.freeze.parameters=ste: the network has no such"):
        Freeze(parameters=["ste"]).on_train_epoch_start(make_trainer(), task)


def test_a_part_of_an_epoch_stops_within_it(make_trainer, task):
    """1.35 epochs of 10 steps are 13.5, and so 14; two epochs end by themselves."""
    for epochs, last in ((1.35, 14), (2, None)):
        trainer = make_trainer()
        trainer.num_training_batches = 10
        stops = []
        for step in range(1, 21):
            trainer.global_step, trainer.should_stop = step, False
            StopWithin(epochs).on_train_batch_end(trainer, task)
            stops += [step] if trainer.should_stop else []
        assert stops[:1] == ([last] if last else [])
