"""Averages of weights against torch's, against a loop, and in runs: what is kept is what was validated."""

import copy

import pytest
import torch
from tests.conftest import NO_FIGURES, TINY
from tests.tiny_runs import read_history, read_metrics, read_rows, same, train, weights
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from netgaze.callbacks.average import Average
from netgaze.errors import NetgazeError
from netgaze.experiment import open_run

STEPS = 12


def walk(task, seed: int = 0):
    """Move every number of a task at random, as training might."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in task.state_dict().values():
            if value.is_floating_point():
                value.add_(torch.randn(value.shape, generator=generator))


@pytest.fixture
def net(task):
    task.model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    return task


@pytest.fixture
def trainer(make_trainer):
    made = make_trainer()
    made.estimated_stepping_batches = STEPS
    return made


def go(average, trainer, task, steps: int = STEPS):
    average.on_train_epoch_start(trainer, task)
    for _ in range(steps):
        walk(task, trainer.global_step)
        trainer.global_step += 1
        average.on_train_batch_end(trainer, task, None, None, 0)


def test_ema_is_torchs_of_weights_and_statistics(net, trainer):
    """With a decay so small that it is never held back at the start."""
    reference = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.15), use_buffers=True)
    reference.n_averaged.fill_(1)  # else torch takes the first weights as they come
    average = Average(kind="ema", decay=0.15)
    average.on_train_epoch_start(trainer, net)
    for step in range(STEPS):
        walk(net, step)
        trainer.global_step = step + 1
        average.on_train_batch_end(trainer, net, None, None, 0)
        reference.update_parameters(net)
    average.on_validation_start(trainer, net)
    expected = {name: value for name, value in reference.module.state_dict().items() if value.is_floating_point()}
    assert len(expected) == 1 + 2 + 4
    assert all(torch.allclose(net.state_dict()[name], value, atol=1e-6) for name, value in expected.items())


def test_ema_forgets_its_beginning_sooner(net, trainer):
    average = Average(kind="ema", decay=0.9)
    trainer.global_step = 2
    assert average._find_decay(trainer, net) == pytest.approx(3 / 12)
    trainer.global_step = 1000
    assert average._find_decay(trainer, net) == 0.9


def test_lookahead_is_a_loop(net, trainer):
    """Every three steps: slow <- decay (t/T)^2 slow + the rest of fast, and fast <- slow."""
    slow, fast = 0.0, 0.0
    net.weight.data.zero_()
    average = Average(kind="lookahead", decay=0.8, every=3, ramp=2)
    average.on_train_epoch_start(trainer, net)
    for step in range(1, STEPS + 1):
        net.weight.data += step
        fast += step
        trainer.global_step = step
        average.on_train_batch_end(trainer, net, None, None, 0)
        if step % 3 == 0:
            decay = 0.8 * (step / STEPS) ** 2
            slow = fast = decay * slow + (1 - decay) * fast
        assert float(net.weight.detach()) == pytest.approx(fast)
    net.weight.data += 5
    average.on_validation_start(trainer, net)
    assert float(net.weight.detach()) == pytest.approx(slow), "what lies between two updates is not shown"


def test_a_part_of_an_epoch_is_the_end_of_the_ramp(net, trainer):
    net.max_epochs = 3.0  # of the trainer's 4, and so 9 of 12 steps
    average = Average(kind="lookahead", decay=0.5, ramp=1)
    trainer.global_step = 9
    assert average._find_decay(trainer, net) == pytest.approx(0.5)
    trainer.global_step = 3
    assert average._find_decay(trainer, net) == pytest.approx(0.5 / 3)


def test_the_weights_that_learn_come_back_and_the_average_goes_on(net, trainer):
    average = Average(kind="ema", decay=0.5)
    go(average, trainer, net)
    learning = {name: value.clone() for name, value in net.state_dict().items()}
    average.on_validation_start(trainer, net)
    average.on_train_epoch_end(trainer, net)  # once is enough
    shown = {name: value.clone() for name, value in net.state_dict().items()}
    assert not torch.equal(shown["weight"], learning["weight"])
    resumed, stored = Average(kind="ema", decay=0.5), copy.deepcopy(average.state_dict())
    resumed.load_state_dict(stored)
    for callback in (average, resumed):
        net.load_state_dict(shown)
        callback.on_train_epoch_start(trainer, net)
        assert all(torch.equal(value, learning[name]) for name, value in net.state_dict().items())
        callback.on_validation_start(trainer, net)
        assert all(torch.equal(value, shown[name]) for name, value in net.state_dict().items())


def test_what_steps_do_not_change_outlasts_a_validation(net, trainer):
    """A threshold, a momentum copy, the best heads so far: set in a validation, they stay."""
    net.copy = copy.deepcopy(net.model).requires_grad_(False)
    net.register_buffer("threshold", torch.zeros(()))
    average = Average(kind="ema", decay=0.5)
    go(average, trainer, net)
    average.on_validation_start(trainer, net)
    net.threshold.fill_(7)
    net.copy[1].running_mean.fill_(8)
    net.copy[0].weight.fill_(9)
    average.on_train_epoch_start(trainer, net)
    for _ in range(2):
        assert float(net.threshold) == 7
        assert bool((net.copy[1].running_mean == 8).all())
        assert bool((net.copy[0].weight == 9).all())
        average.on_train_batch_end(trainer, net, None, None, 0)
        average.on_validation_start(trainer, net)


def test_resumed_without_an_average_the_weights_that_learn_go_on(net, trainer):
    average, resumed = Average(kind="ema", decay=0.5), Average()
    go(average, trainer, net)
    learning = {name: value.clone() for name, value in net.state_dict().items()}
    average.on_train_epoch_end(trainer, net)
    resumed.load_state_dict(copy.deepcopy(average.state_dict()))
    resumed.on_train_epoch_start(trainer, net)
    assert all(torch.equal(value, learning[name]) for name, value in net.state_dict().items())
    resumed.on_train_epoch_end(trainer, net)
    resumed.on_train_epoch_start(trainer, net)
    assert all(torch.equal(value, learning[name]) for name, value in net.state_dict().items())
    assert resumed.state_dict() == {"waiting": {}, "average": {}}, "they are not kept for a later resume"


def test_off_it_touches_nothing(net, trainer):
    average = Average()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    average.on_train_epoch_start(trainer, net)
    average.on_train_batch_end(trainer, net, None, None, 0)
    average.on_validation_start(trainer, net)
    assert average.state_dict() == {"waiting": {}, "average": {}}
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_each_kind_has_its_usual_numbers():
    ema, lookahead = Average(kind="ema"), Average(kind="lookahead")
    assert (ema.decay, ema.every) == (0.999, 1)
    assert (lookahead.decay, lookahead.every, lookahead.ramp) == (0.5, 5, 0), "Zhang et al. 2019"


@pytest.mark.parametrize("wrong", [{"decay": 1.5}, {"every": 0}, {"ramp": -1.0}])
def test_numbers_that_cannot_be_are_refused(wrong):
    with pytest.raises(NetgazeError, match=r"callback.average: decay="):
        Average(kind="ema", **wrong)


AVERAGED = [
    *(*TINY, *NO_FIGURES, "trainer.max_epochs=3", "callback.average.kind=ema", "callback.average.decay=0.9"),
]


@pytest.mark.slow
class TestRuns:
    def test_what_is_kept_is_what_was_validated(self, tmp_path):
        run = train(tmp_path / "run", *AVERAGED)
        subject = open_run(run)
        outputs = subject.outputs("val")
        best = max(row["val/acc"] for row in read_history(run))
        assert (outputs.logits.argmax(axis=1) == outputs.targets).mean() == pytest.approx(best)
        assert read_metrics(run)["best/epoch"] >= 1

    def test_it_changes_what_is_seen_and_not_what_is_learned(self, tmp_path):
        plain = train(tmp_path / "plain", *TINY, *NO_FIGURES, "trainer.max_epochs=3")
        averaged = train(tmp_path / "averaged", *AVERAGED)
        pairs = zip(read_rows(plain), read_rows(averaged), strict=True)
        assert all(one["train/loss"] == other["train/loss"] for one, other in pairs)
        assert read_history(plain)[-1]["val/loss"] != read_history(averaged)[-1]["val/loss"]
        assert not same(weights(plain), weights(averaged))

    @pytest.mark.parametrize("kind", ["ema", "lookahead"])
    def test_stopped_and_resumed_it_is_the_same_run(self, tmp_path, kind):
        words = [*AVERAGED, f"callback.average.kind={kind}"]
        train(tmp_path / "whole", *words)
        train(tmp_path / "parts", *words, "trainer.max_time=0")
        assert len(read_rows(tmp_path / "parts")) == 1
        train(tmp_path / "parts", *words)
        assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
        assert read_rows(tmp_path / "whole") == read_rows(tmp_path / "parts")

    def test_a_probe_keeps_its_best_heads(self, tmp_path):
        source = train(tmp_path / "source", *TINY, *NO_FIGURES, "data.limit=400", "trainer.max_epochs=4")
        words = [*AVERAGED, "data.limit=400", "task=linear_probe", f"init={source}", "optim.lr=8", "schedule=constant"]
        rows = read_history(train(tmp_path / "probe", *words, "trainer.max_epochs=8"))
        found = [row["val/acc"] for row in rows]
        assert found != sorted(found), "some epoch is worse than one before it"
        assert [row["val/best_acc"] for row in rows] == [max(found[: place + 1]) for place in range(len(found))]


def test_within_an_epoch_the_average_travels_beside_the_weights_that_learn(net, trainer):
    average, resumed, off = Average(kind="ema", decay=0.5), Average(kind="ema", decay=0.5), Average()
    go(average, trainer, net)
    state = copy.deepcopy(average.state_dict())
    assert not state["waiting"]
    learning = {name: value.clone() for name, value in net.state_dict().items()}
    for other in (resumed, off):
        other.load_state_dict(copy.deepcopy(state))
        other.on_train_epoch_start(trainer, net)
    off.on_validation_start(trainer, net)
    assert all(torch.equal(value, learning[name]) for name, value in net.state_dict().items())
    average.on_validation_start(trainer, net)
    shown = {name: value.clone() for name, value in net.state_dict().items()}
    net.load_state_dict(learning)
    resumed.on_validation_start(trainer, net)
    assert all(torch.equal(value, shown[name]) for name, value in net.state_dict().items())
    assert not all(torch.equal(value, learning[name]) for name, value in shown.items())
