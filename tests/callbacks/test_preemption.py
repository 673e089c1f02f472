"""What of an epoch that is cut off must be kept, and how counts of steps become those of other epochs."""

import copy
import random
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from netgaze.callbacks import preemption
from netgaze.callbacks.history import History
from netgaze.callbacks.preemption import Preemption, _read_generators, _set_generators, fit_steps
from netgaze.tasks.step import Means, Step

OPTIMIZER = "epoch_loop.automatic_optimization.optim_progress"


def make_checkpoint(epochs, steps, of, within):
    """As Lightning writes one after so many epochs of `of` steps, and some steps of the next."""
    done, current = epochs * of + steps, steps if within else of
    counts = {"ready": done, "started": done, "processed": done, "completed": done - within}
    here = {name: current - within * (name == "completed") for name in counts}
    batches = {"total": counts, "current": here, "is_last_batch": not within}
    optimizer = {"total": {"ready": done, "completed": done}, "current": {"ready": current, "completed": current}}
    loops = {
        "epoch_progress": {"current": {"started": epochs + within, "processed": epochs}},
        "epoch_loop.batch_progress": batches,
        "epoch_loop.scheduler_progress": copy.deepcopy(optimizer),
        OPTIMIZER: {"optimizer": {"step": optimizer, "zero_grad": copy.deepcopy(optimizer)}},
    }
    schedulers = [{"last_epoch": done, "_step_count": done + 1, "base_lrs": [1.0]}]
    return {"global_step": done, "loops": {"fit_loop": loops}, "lr_schedulers": schedulers}


@given(st.integers(0, 5), st.integers(1, 40), st.integers(1, 40), st.data())
def test_counts_stand_where_they_stood_in_epochs(epochs, before, now, data):
    steps = data.draw(st.integers(0, before - 1))
    within = steps > 0
    if not within and not epochs:
        return
    checkpoint = make_checkpoint(epochs, steps, before, within)
    fit_steps(checkpoint, before, now)
    left = int(now * steps / before + 1e-9)
    assert checkpoint == make_checkpoint(epochs, left, now, within)


def test_generators_go_on_where_they_stood():
    def draw():
        return random.random(), np.random.rand(), torch.rand(3).tolist()

    draw()
    state = copy.deepcopy(_read_generators())
    first = draw()
    draw()
    _set_generators(state)
    assert draw() == first


def test_sums_of_an_epoch_go_on_where_they_stood():
    strategy = SimpleNamespace(reduce=lambda tensor, reduce_op: tensor)
    steps = [Step(torch.tensor(number), numbers={"acc": torch.tensor(number / 7)}) for number in (0.1, 0.7, 0.3)]
    whole, first, rest = Means(), Means(), Means()
    for means in (whole, first):
        for step in steps[:2]:
            means.add(5, step)
    rest.add_sums(*first.read_sums(), torch.device("cpu"))
    for means in (whole, rest):
        means.add(3, steps[2])
    assert rest.read(strategy) == whole.read(strategy)


@pytest.mark.parametrize("cut_off", [True, False])
def test_an_epoch_that_was_cut_off_keeps_its_rate(make_trainer, task, cut_off):
    trainer, history, resumed = make_trainer(), History(), History()
    history.on_train_epoch_start(trainer, task)
    resumed.load_state_dict(history.state_dict())
    trainer.optimizers[0].param_groups[0]["lr"] = 0.125
    trainer.fit_loop.restarted_mid_epoch = cut_off
    resumed.on_train_epoch_start(trainer, task)
    resumed.on_train_epoch_end(trainer, task)
    assert resumed.rows[0]["lr"] == (0.5 if cut_off else 0.125)


@pytest.mark.parametrize(("told", "others", "step", "stops"), [
    (True, False, 3, False), (True, False, 10, True), (False, True, 10, True), (False, False, 10, False),
])  # fmt: skip
def test_of_several_all_stop_where_one_was_told(make_trainer, monkeypatch, told, others, step, stops):
    trainer = make_trainer()
    trainer.world_size, trainer.global_step = 2, step
    trainer.strategy.reduce_boolean_decision = lambda decision, all: decision or others
    monkeypatch.setattr(preemption, "find_heard", lambda: signal.SIGTERM if told else None)
    assert Preemption(every=10)._is_told(trainer) == stops
