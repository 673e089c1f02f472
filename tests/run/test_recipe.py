"""A run by the parts of the speed record: each is an option of any run, and together they train, stop and resume."""

import math
import shutil

import pytest
import torch
from tests.conftest import NO_FIGURES, TINY
from tests.tiny_runs import compose_request, read_history, read_metrics, same, train, weights

from netgaze.experiment import open_run
from netgaze.subjects import controls

pytestmark = pytest.mark.slow  # each test trains

RECIPE = [
    *("experiment=speedrun", "data=digits", "data.limit=200", "data.batch_size=40", "model.widths=[8,16]"),
    *("data.augment.crop_padding=2", "data.augment.padding_mode=reflect", "data.augment.alternate_flip=true"),
    *("trainer.precision=32", "trainer.threads=1", "callback.freeze.after=1"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two epochs and three fifths: 5 + 5 + 3 steps."""
    return train(tmp_path_factory.mktemp("recipe") / "run", *RECIPE, "trainer.max_epochs=2.6", "figure=[filters,cam]")


def test_all_images_are_trained_on_and_the_last_epoch_counts(run):
    assert [row["epoch"] for row in read_history(run)] == [1, 2, 3]
    assert not any(name.startswith("val/") for name in read_history(run)[0])
    assert read_metrics(run)["best/epoch"] == 3
    assert same(weights(run, "best"), weights(run, "last"))


def test_a_part_of_an_epoch_ends_within_it_and_the_schedule_with_it(run):
    rates = [row["lr"] for row in read_history(run)]
    assert rates == pytest.approx([0.24, 0.24 * (1 - 1 / 2.6), 0.24 * (1 - 2 / 2.6)])
    stored = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert stored["global_step"] == math.ceil(2.6 * 5) == 13
    assert stored["lr_schedulers"][0]["_last_lr"][0] == pytest.approx(0, abs=1e-9)


def test_the_first_layer_whitens_the_training_images_and_stands_still(run):
    opened = open_run(run)
    images = opened.data.normalize(opened.data.images("train"))
    opened.task.model.init_from_images(images[torch.linspace(0, 199, 200).long()])
    assert torch.equal(opened.task.model.whiten.weight, weights(run)["model.whiten.weight"])


def test_the_bias_of_the_first_layer_learns_for_as_long_as_it_is_said(tmp_path):
    for epochs in (1, 2):
        train(tmp_path / str(epochs), *RECIPE, *NO_FIGURES, f"trainer.max_epochs={epochs}", "schedule=constant")
    biases = [weights(tmp_path / str(epochs))["model.whiten.bias"] for epochs in (1, 2)]
    assert biases[0].abs().sum() > 0
    assert torch.equal(*biases)


def test_six_views_are_told_beside_the_image_alone(run):
    numbers = read_metrics(run)
    assert 0 <= numbers["test/acc_views"] <= 1
    opened = open_run(run)
    with torch.no_grad():
        shown = opened.data.normalize(opened.data.images("test"))
        padded = torch.nn.functional.pad(shown, (1, 1, 1, 1), "reflect")
        views = [shown, shown, padded[..., 2:, 2:], padded[..., :-2, :-2]]
        logits = sum(opened.task(view) + opened.task(view.flip(-1)) for view in views)
    right = (logits.argmax(dim=1) == opened.data.labels("test")).double().mean()
    assert numbers["test/acc_views"] == pytest.approx(float(right))


def test_the_untrained_network_beside_it_whitens_too(run):
    opened = open_run(run)
    untrained = controls([opened], "untrained")[0]
    assert torch.equal(untrained.task.model.whiten.weight, weights(run)["model.whiten.weight"])
    assert not torch.equal(untrained.task.model.head.weight, weights(run)["model.head.weight"])


def test_stopped_and_resumed_it_is_the_same_run(tmp_path):
    words = [*RECIPE, *NO_FIGURES, "trainer.max_epochs=2.6"]
    train(tmp_path / "whole", *words)
    train(tmp_path / "parts", *words, "trainer.max_time=0")
    assert len(read_history(tmp_path / "parts")) == 1
    train(tmp_path / "parts", *words)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))


@pytest.mark.parametrize("name", ["speedrun", "speedrun_sgd", "speedrun96"])
def test_each_speedrun_composes(name):
    config, _ = compose_request(f"experiment={name}")
    assert config.model._target_.endswith("AirbenchNet")
    assert config.data.num_val == 0


@pytest.mark.skipif(shutil.which("g++") is None, reason="compiling takes a C++ compiler")
def test_a_compiled_step_is_the_step(tmp_path):
    """The same losses within rounding, and weights under the same names, that open where nothing is compiled."""
    words = [*TINY, *NO_FIGURES, "control=null", "model.depths=[1]", "model.widths=[8]"]
    train(tmp_path / "plain", *words)
    train(tmp_path / "compiled", *words, "trainer.compile=true")
    for plain, compiled in zip(*(read_history(tmp_path / name) for name in ("plain", "compiled")), strict=True):
        assert compiled["train/loss"] == pytest.approx(plain["train/loss"], rel=1e-3)
    assert weights(tmp_path / "plain").keys() == weights(tmp_path / "compiled").keys()
    assert open_run(tmp_path / "compiled").outputs("test").logits.shape[1] == 10
