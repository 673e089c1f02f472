"""Finetuning and linear probes, from the command to the table: what stands still, what is shared, what is equal."""

import json

import pytest
import torch
from tests.conftest import NO_FIGURES, TINY
from tests.tiny_runs import read_metrics, read_rows, read_variants, same, tabulate, train, weights

from netgaze import features
from netgaze.errors import NetgazeError
from netgaze.experiment import open_run
from netgaze.plots import plot_sweep
from netgaze.plots.sweep_curves import read_sweep
from netgaze.results import rank
from netgaze.run import Run

pytestmark = pytest.mark.slow  # each test trains

PROBE = [*TINY, *NO_FIGURES, "task=linear_probe", "trainer.max_epochs=4"]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A network that has learned rotations."""
    folder = tmp_path_factory.mktemp("source")
    train(folder, *TINY, *NO_FIGURES, "task=rotation")
    return folder


def probe(source, folder, *words):
    train(folder, *PROBE, f"init={source}", *words)
    return weights(folder)


def body(state):
    """The weights and buffers of a probe's network without its last layer."""
    return {name: value for name, value in state.items() if name.startswith("model.") and ".fc." not in name}


@pytest.mark.parametrize("cached", [True, False])
def test_nothing_but_the_heads_changes(source, tmp_path, cached):
    after = probe(source, tmp_path, f"task.cache_features={cached}", "task.lrs=[1,0.01]")
    assert same(body(weights(source, "best")), body(after))
    assert not torch.equal(after["heads.0.weight"], after["heads.1.weight"])


def test_heads_trained_together_are_bit_equal_to_runs_of_their_own(source, tmp_path):
    together = probe(source, tmp_path / "both", "task.lrs=[0.5,0.05,0.005]", "schedule=multistep")
    told = read_variants(tmp_path / "both")
    for place, lr in enumerate((0.5, 0.05, 0.005)):
        alone = probe(source, tmp_path / str(lr), f"optim.lr={lr}", "schedule=multistep")
        for heads in ("heads", "best_heads"):
            for part in ("weight", "bias"):
                assert torch.equal(together[f"{heads}.{place}.{part}"], alone[f"{heads}.0.{part}"])
        assert told[place] == read_variants(tmp_path / str(lr))[0]


def test_the_cache_changes_nothing_but_the_time(source, tmp_path):
    """Without augmentation: the same batches of the same features, computed once or in each step."""
    plain = ["data.augment.crop_padding=0", "optim.lr=0.1"]
    cached = probe(source, tmp_path / "cached", *plain)
    anew = probe(source, tmp_path / "anew", *plain, "task.cache_features=false")
    torch.testing.assert_close(cached["heads.0.weight"], anew["heads.0.weight"], atol=1e-4, rtol=1e-4)


def test_features_are_computed_once_for_all_runs(source, tmp_path, monkeypatch):
    probe(source, tmp_path / "first", "optim.lr=0.1")
    monkeypatch.setattr(features, "extract", lambda *_: pytest.fail("computed again"))
    probe(source, tmp_path / "second", "optim.lr=0.01")


def test_the_best_head_stands_in_the_network(source, tmp_path):
    probe(source, tmp_path, "task.lrs=[1e-6,0.1,1e-5]", "trainer.max_epochs=30")
    told, numbers = read_variants(tmp_path), read_metrics(tmp_path)
    best = max(told, key=lambda one: one["val/acc"])
    assert best["lr"] == 0.1
    outputs = open_run(tmp_path).outputs("test")
    assert numbers["test/acc"] == pytest.approx(best["test/acc"])
    assert (outputs.logits.argmax(axis=1) == outputs.targets).mean() == pytest.approx(best["test/acc"])


def test_each_head_keeps_its_own_best_epoch(source, tmp_path):
    probe(source, tmp_path, "task.lrs=[0.3,0.03]", "schedule=constant", "trainer.max_epochs=6")
    history = read_rows(tmp_path)
    for told in read_variants(tmp_path):
        course = [float(row[f"val/acc lr={told['lr']:g}"]) for row in history]
        assert told["val/acc"] == pytest.approx(max(course))
        assert told["best/epoch"] == course.index(max(course)) + 1


def test_a_probe_resumes(source, tmp_path):
    words = [*PROBE, f"init={source}", "task.lrs=[0.3,0.03]"]
    train(tmp_path / "whole", *words)
    train(tmp_path / "parts", *words, "trainer.max_time=0")
    assert len(read_rows(tmp_path / "parts")) == 1
    train(tmp_path / "parts", *words)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    assert read_variants(tmp_path / "whole") == read_variants(tmp_path / "parts")


def test_views_are_augmented_and_kept(source, tmp_path):
    train(tmp_path, *PROBE, f"init={source}", "task.cached_views=2", "data.augment.crop_padding=4")
    subject = open_run(tmp_path)
    model, data = subject.task.model, subject.data
    as_it_is, first, second = (features.extract_cached(model, data, "train", "cpu", view) for view in range(3))
    assert not torch.equal(as_it_is, first)
    assert not torch.equal(first, second)
    assert torch.equal(first, features.extract_cached(model, data, "train", "cpu", 1))
    given = data.with_features({"train": torch.stack([first, second])}).train_dataloader()
    for batch in given:
        assert all(any(torch.equal(row, kept) for kept in torch.cat([first, second])) for row in batch.images[:3])


def test_a_head_is_a_row_of_the_table(source, tmp_path):
    train(tmp_path / "a", *PROBE, f"init={source}", "task.lrs=[0.1,0.01]", typed=["task=probe"])
    words = [*TINY, *NO_FIGURES, "task=finetune", f"init={source}"]
    for lr in ("0.1", "0.01"):
        train(tmp_path / lr, *words, f"optim.lr={lr}", typed=["task=finetune", f"optim.lr={lr}"])
    table = tabulate(tmp_path / "a", tmp_path / "0.1", tmp_path / "0.01")
    assert [row["label"] for row in table] == [
        *("task=probe, lr=0.1", "task=probe, lr=0.01"),
        *("task=finetune, lr=0.1", "task=finetune, lr=0.01"),
    ]
    assert rank(table)[0] == "val/acc"
    kept, best = Run(tmp_path / "a").predictions, max(table[:2], key=lambda row: row["val/acc"])
    assert kept.right.mean() == pytest.approx(best["test/acc"])  # those of the best head
    sweep = read_sweep(table)
    assert sweep.key == "optim.lr"
    assert [curve.name for curve in sweep.curves] == ["probe", "finetune"]
    assert [list(curve.points["val/acc"]) for curve in sweep.curves] == [[0.01, 0.1]] * 2
    assert plot_sweep(table, tmp_path / "sweep.png")
    for row in table[2:]:
        assert row["last/val_acc"] == pytest.approx(float(read_rows(tmp_path / row["optim.lr"])[-1]["val/acc"]))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model=dynamic_conv"], "ends in a linear layer, got DynamicConv"),
        (["task.lrs=[]"], "different learning rates"),
        (["task.lrs=[0.1,0.1]"], "different learning rates"),
    ],
)
def test_a_probe_that_cannot_be(words, said, tmp_path):
    plain = ["data=digits", "data.limit=120", "task=linear_probe", *words, *NO_FIGURES]
    with pytest.raises(NetgazeError, match=said):
        train(tmp_path, *plain)


class TestFinetune:
    def test_by_the_same_recipe_it_is_supervised_training(self, source, tmp_path):
        recipe = ["optim=sgd", "schedule=one_cycle", "task.label_smoothing=0"]
        for task in ("supervised", "finetune"):
            train(tmp_path / task, *TINY, *NO_FIGURES, f"task={task}", f"init={source}", *recipe)
        assert same(weights(tmp_path / "supervised"), weights(tmp_path / "finetune"))
        before = weights(source, "best")
        after = weights(tmp_path / "finetune")
        assert not any(torch.equal(before[name], after[name]) for name in body(after))

    def test_rates_fall_towards_the_first_layers(self, tmp_path):
        words = ["task=finetune", "task.layer_decay=0.5", "task.head_lr=3.0", "optim.lr=1.0", "trainer.max_epochs=0"]
        train(tmp_path, *TINY, *NO_FIGURES, *words)
        task = open_run(tmp_path).task
        rates = {id(p): part["lr"] for part in task.param_groups() for p in part["params"]}
        assert len(rates) == len(list(task.parameters()))
        for name, parameter in task.model.named_parameters():
            expected = {"layer1": 0.25, "layer2": 0.5, "fc": 3.0}.get(name.partition(".")[0], 0.125)
            assert rates[id(parameter)] == expected, name

    def test_a_rate_of_zero_for_the_body_is_a_probe_with_living_norms(self, tmp_path):
        words = [*TINY, *NO_FIGURES, "task=finetune", "optim.lr=0.0", "task.head_lr=0.1", "optim.weight_decay=0.0"]
        train(tmp_path / "before", *words, "trainer.max_epochs=0")
        train(tmp_path / "after", *words)
        before, after = weights(tmp_path / "before"), weights(tmp_path / "after")
        for name in before:
            changes = ".fc." in name or "running" in name or "num_batches" in name
            assert torch.equal(before[name], after[name]) != changes, name


def test_metrics_say_which_head_won(source, tmp_path):
    probe(source, tmp_path, "task.lrs=[0.1,1e-6]")
    assert json.loads((tmp_path / "variants.json").read_text())[0]["lr"] == 0.1
