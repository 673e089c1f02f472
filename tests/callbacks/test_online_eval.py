"""Figures asked while a network trains: when, of which split, and what becomes of their numbers and pictures."""

import logging
from types import SimpleNamespace

import pytest
from matplotlib.figure import Figure as Picture

from netgaze.callbacks.online_eval import OnlineEval
from netgaze.errors import NetgazeError
from netgaze.figure import Figure, Finding

DATA = SimpleNamespace(name="the run's own")


class Asked(Figure):
    """Notes what it is asked of; its number and its picture's width tell how often that was."""

    title, question, needs, metrics = "Asked", "How often?", ("task", "data"), ("count",)

    def __init__(self):
        self._asked = []

    def compute(self, subject):
        assert subject.data is DATA
        assert subject.training, "of a network in training nothing may be kept on disk"
        self._asked.append((subject.split, subject.task))
        return Finding({"count": len(self._asked), "other": 5})

    def draw(self, findings):
        (finding,) = findings.values()
        return Picture(figsize=(finding.numbers["count"], 1))


class OfTheRun(Asked):
    """Needs what a network in training does not have."""

    needs = ("metrics",)


def run(make_trainer, task, online, epochs, **numbers):
    """Per epoch the numbers and the widths of pictures that are there in the end."""
    trainer, seen = make_trainer(), []
    trainer.datamodule = DATA
    for _ in range(epochs):
        task.numbers, task.pictures = dict(numbers), {}
        online.on_train_epoch_end(trainer, task)
        seen.append((task.numbers, {name: picture.shape[1] / 120 for name, picture in task.pictures.items()}))
        trainer.current_epoch += 1
    return seen


def test_it_asks_every_so_many_epochs_and_after_the_last_of_the_validation_split(make_trainer, task, tmp_path):
    figure = Asked()
    seen = run(make_trainer, task, OnlineEval(figures={"asked": figure}, every=3), epochs=4)
    assert seen == [({}, {}), ({}, {}), ({"val/count": 1}, {"asked": 1}), ({"val/count": 2}, {"asked": 2})]
    assert figure._asked == [("val", task)] * 2
    assert task.logged == {"val/count": 2}
    assert not list(tmp_path.iterdir()), "what is in the run's folder comes at its end"


@pytest.mark.parametrize(("precision", "passed"), [("32-true", "32"), ("bf16-mixed", "bf16"), ("16-mixed", "32")])
def test_passes_are_made_in_the_precision_of_training(precision, passed, make_trainer, task, monkeypatch):
    trainer, seen = make_trainer(), []
    trainer.datamodule, trainer.precision = DATA, precision
    monkeypatch.setattr(Asked, "compute", lambda self, subject: seen.append(subject.precision) or Finding({"count": 1}))
    OnlineEval(figures={"asked": Asked()}, every=1).on_train_epoch_end(trainer, task)
    assert seen == [passed]


def test_every_zero_never_asks(make_trainer, task):
    assert run(make_trainer, task, OnlineEval(figures={"asked": Asked()}), epochs=4) == [({}, {})] * 4


def test_numbers_alone_where_no_picture_is_wanted(make_trainer, task):
    online = OnlineEval(figures={"asked": Asked()}, every=4, draw=False)
    assert run(make_trainer, task, online, epochs=4)[-1] == ({"val/count": 1}, {})


def test_one_process_looks_and_all_have_its_numbers(make_trainer, task):
    figure = Asked()
    trainer = make_trainer()
    trainer.datamodule, trainer.is_global_zero = DATA, False
    trainer.strategy.broadcast = lambda content: {"val/count": 7}
    OnlineEval(figures={"asked": figure}, every=1).on_train_epoch_end(trainer, task)
    assert (task.numbers, task.pictures, figure._asked) == ({"val/count": 7}, {}, [])


def test_what_validation_found_itself_stays(make_trainer, task):
    online = OnlineEval(figures={"asked": Asked()}, every=1)
    assert run(make_trainer, task, online, 1, **{"val/count": 9})[0][0] == {"val/count": 9}
    assert task.logged == {}


@pytest.mark.parametrize("hook", ["compute", "draw"])
def test_what_fails_is_said_once_and_costs_itself_alone(hook, make_trainer, task, monkeypatch, caplog):
    class Broken(Asked):
        pass

    def fail(*arguments):
        raise NetgazeError("no such layer")

    monkeypatch.setattr(Broken, hook, fail)
    caplog.set_level(logging.WARNING)
    online = OnlineEval(figures={"broken": Broken(), "asked": Asked(), "lacking": OfTheRun()}, every=1)
    seen = run(make_trainer, task, online, epochs=3)
    assert [pictures for _, pictures in seen] == [{"asked": 1}, {"asked": 2}, {"asked": 3}]
    how = {"compute": "fails while training, and has no numbers", "draw": "cannot be drawn while training"}[hook]
    assert caplog.messages == [f"broken {how}: no such layer"]
