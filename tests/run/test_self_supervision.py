"""Runs that learn from two views: what they leave, which epoch is best, and what others take from them."""

import pytest
import torch
from tests.commands import command
from tests.conftest import NO_FIGURES, TINY, composed
from tests.tiny_runs import read_metrics, read_rows, read_run, same, train, weights

from netgaze.build import build, build_task, choose_mode, resolve_config
from netgaze.checks import check_monitor
from netgaze.errors import NetgazeError
from netgaze.experiment import open_run
from netgaze.subjects import controls

TASKS = ("simclr", "supcon", "vicreg", "byol", "lejepa")
SMALL = [*TINY, *NO_FIGURES, "control=null", "task.projector=[16,8]", "optim=adamw", "optim.lr=0.002"]
WATCHED = {"knn20", "probe", "rank", "rankme", "feature_std"}
LOOK = ["callback.online_eval.every=1", "callback.online_eval.draw=false"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of each task, looked at after each epoch."""
    folder = tmp_path_factory.mktemp("runs")
    return {name: train(folder / name, f"task={name}", *SMALL, *LOOK) for name in TASKS}


@pytest.mark.parametrize("name", TASKS)
def test_what_is_watched_stands_in_each_row_and_among_the_numbers(name, runs):
    rows, numbers = read_rows(runs[name]), read_metrics(runs[name])
    for row in rows:
        assert {f"val/{number}" for number in WATCHED | {"alignment", "uniformity", "loss"}} <= set(row)
        assert all(row[f"val/{number}"] for number in WATCHED)
    assert {"test/loss", "test/embedding_std", "val/knn20"} <= set(numbers)
    assert read_run(runs[name])["monitor"] == "val/knn20"
    best = max(rows, key=lambda row: float(row["val/knn20"]))
    assert float(best["val/knn20"]) == pytest.approx(numbers["val/knn20"])


def test_a_run_opens_as_its_network(runs):
    for name, folder in runs.items():
        opened = open_run(folder)
        assert not hasattr(opened.task.model, "projector"), name
        own, saved = opened.task.model.state_dict(), weights(folder, "best")
        assert all(torch.equal(value, saved[f"model.{key}"]) for key, value in own.items())


@pytest.mark.parametrize("name", ["simclr", "byol"])
@pytest.mark.parametrize("task", ["finetune", "linear_probe"])
def test_others_start_from_its_network(name, task, runs, tmp_path):
    words = [f"task={task}", f"init={runs[name]}", *TINY, *NO_FIGURES, "control=null", "trainer.max_epochs=1"]
    run = train(tmp_path / "run", *words, "optim.lr=0.0001")
    source, taken = weights(runs[name], "best"), weights(run, "best")
    close = {"rtol": 0.05, "atol": 0.01}
    assert all(torch.allclose(taken[key], source[key], **close) for key in source if key == "model.conv1.weight")
    assert read_run(run)["init"]["loaded"]


@pytest.mark.parametrize("name", ["byol", "lejepa"])
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(name, tmp_path):
    words = [f"task={name}", *SMALL, "data.augment.blur_prob=0.5"]
    whole = train(tmp_path / "whole", *words, "trainer.max_epochs=3")
    cut = train(tmp_path / "cut", *words, "trainer.max_epochs=3", "trainer.max_time=0")
    assert len(read_rows(cut)) == 1
    train(cut, *words, "trainer.max_epochs=3", "trainer.max_time=null")
    assert same(weights(whole, "last"), weights(cut, "last"))


def test_a_network_that_collapses_on_purpose_is_seen_to(tmp_path):
    words = ["task=vicreg", *SMALL, "trainer.max_epochs=6", "data.augment.crop_scale=[0.9,1]", "optim.lr=0.01"]
    healthy = read_rows(train(tmp_path / "healthy", *words))[-1]
    collapsed = [*words, "task.variance_weight=0", "task.covariance_weight=0"]
    row = read_rows(train(tmp_path / "collapsed", *collapsed))[-1]
    assert float(row["train/variance"]) > 0.85 > float(healthy["train/variance"])
    assert float(row["train/invariance"]) < 0.5 * float(healthy["train/invariance"])
    assert float(row["train/embedding_std"]) < float(healthy["train/embedding_std"])


def test_an_untrained_network_is_tested_as_it_is(tmp_path):
    run = train(tmp_path / "run", "task=untrained", *TINY, *NO_FIGURES, "control=null")
    settings = resolve_config(composed("task=untrained", *TINY))
    data = build(settings["data"])
    data.setup()
    fresh = build_task(settings, data.class_names).state_dict()
    assert all(torch.equal(value, fresh[key]) for key, value in weights(run, "best").items())
    assert "test/acc" in read_metrics(run)
    assert not (run / "history.csv").exists()


# --- the number that chooses the best epoch ---


def test_any_number_of_validation_may_choose_the_best_epoch(tmp_path):
    words = [*TINY, *NO_FIGURES, "control=null", *LOOK, "trainer.max_epochs=3"]
    run = train(tmp_path / "run", *words, "task.monitor=val/loss")
    rows = read_rows(run)
    assert (read_run(run)["monitor"], read_run(run)["monitor_mode"]) == ("val/loss", "min")
    best = min(rows, key=lambda row: float(row["val/loss"]))
    assert read_metrics(run)["best/epoch"] == int(best["epoch"])
    run = train(tmp_path / "other", *words, "task.monitor=val/rank")
    assert read_metrics(run)["val/rank"] == pytest.approx(max(float(row["val/rank"]) for row in read_rows(run)))


@pytest.mark.parametrize(
    ("monitor", "mode"),
    [
        ("val/acc", "max"),
        ("val/loss", "min"),
        ("val/knn20", "max"),
        ("val/probe", "max"),
        ("val/alignment", "min"),
        ("val/invariance", "min"),
        ("val/eer", "min"),
        ("val/what_a_person_measures", "max"),
    ],
)
def test_whether_more_is_better_follows_from_the_number(monitor, mode):
    assert choose_mode(monitor) == mode


@pytest.mark.parametrize("monitor", ["test/acc", "test/knn20", "train/loss", "acc"])
def test_test_and_training_choose_nothing(monitor, tmp_path):
    with pytest.raises(NetgazeError, match="chosen by validation alone"):
        choose_mode(monitor)
    code, printed = command(*TINY, f"task.monitor={monitor}", cwd=tmp_path)
    assert code == 1
    assert f"task.monitor={monitor}: the best epoch is chosen by validation alone" in printed


def test_a_number_that_nobody_measures_is_said_before_training():
    config = composed("callback.online_eval.every=0")
    online = build(resolve_config(config)["callback"]["online_eval"])
    check_monitor("val/acc", [online])
    check_monitor(None, [online])
    with pytest.raises(NetgazeError, match=r"val/probe is to choose the best epoch.*online_eval\.every=1"):
        check_monitor("val/probe", [online])
    online.every = 2
    check_monitor("val/probe", [online])


# --- the experiment ---


@pytest.mark.parametrize("name", [*TASKS, "supervised", "rotation", "untrained"])
def test_an_epoch_shows_as_many_views_as_the_config_says(name):
    settings = resolve_config(composed(f"task={name}", *TINY))
    data = build(settings["data"])
    data.setup()
    task = build_task(settings, data.class_names)
    images, labels = torch.zeros(4, data.num_channels, data.image_size, data.image_size), torch.zeros(4).long()
    shown = task.num_views * len(task.make_examples(images, labels)[1]) // 4
    assert settings["views_per_epoch"] == shown


@pytest.mark.parametrize(
    ("task", "epochs", "every"), [("supervised", 20, 4), ("rotation", 5, 1), ("simclr", 10, 2), ("byol", 10, 2)]
)
def test_all_tasks_of_the_experiment_see_equally_many_views(task, epochs, every):
    config = composed("experiment=self_supervision", f"task={task}")
    assert (config.trainer.max_epochs, config.callback.online_eval.every) == (epochs, every)


def test_each_network_is_shown_by_its_own_augmentation_of_shared_images(runs, tmp_path):
    other = train(tmp_path / "other", "task=simclr", *SMALL, "data.augment.crop_scale=[0.9,1]", "trainer.max_epochs=1")
    one, two = open_run(runs["simclr"]), open_run(other)
    assert (list(one.data.augment.crop_scale), list(two.data.augment.crop_scale)) == ([0.2, 1.0], [0.9, 1.0])
    assert one.data.splits["test"] is two.data.splits["test"]


@pytest.mark.parametrize(("label", "control"), [("untrained", "untrained (control)"), ("mine", "untrained")])
def test_no_control_has_the_label_of_a_run(label, control, runs):
    subject = open_run(runs["simclr"])
    subject.label = label
    assert [each.label for each in controls([subject], "untrained")] == [control, "raw pixels"]
