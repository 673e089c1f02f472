"""The task of dynamic filters, from the command to the table: what is frozen, what resumes, what a sweep says."""

import csv
import json
import re

import pytest
import torch
from tests.commands import command
from tests.conftest import NO_FIGURES
from tests.tiny_runs import read_rows, same, train, weights

from netgaze.errors import NetgazeError
from netgaze.experiment import open_run

pytestmark = pytest.mark.slow  # each test trains

SMALL = ["task=dynamic_conv", "data=digits", "data.limit=120", "data.batch_size=40", "model.depths=[1,1]"]
SMALL += ["model.widths=[8,12]", "model.stem=cifar", "optim.lr=0.05", "trainer.max_epochs=2", "trainer.precision=32"]
SMALL += ["trainer.threads=1"]


def untrained(folder, *words):
    """The weights with which a run begins."""
    train(folder, *SMALL, *NO_FIGURES, "trainer.max_epochs=0", *words)
    return weights(folder)


class TestFrozenBackbone:
    def test_only_the_head_learns_and_batch_norm_stands_still(self, tmp_path):
        frozen = ["task.freeze_backbone=true", "model.up_to=layer2"]
        before = untrained(tmp_path / "before", *frozen)
        train(tmp_path / "after", *SMALL, *NO_FIGURES, *frozen)
        after = weights(tmp_path / "after")
        for name, value in before.items():
            is_head = name.startswith(("model.filters", "model.predictor"))
            assert torch.equal(value, after[name]) != is_head, name

    def test_otherwise_all_learns(self, tmp_path):
        before = untrained(tmp_path / "before")
        train(tmp_path / "after", *SMALL, *NO_FIGURES)
        assert not any(torch.equal(value, weights(tmp_path / "after")[name]) for name, value in before.items())

    def test_it_stays_still_through_looking_and_validation(self, tmp_path):
        """Modes come back module by module after each look; training mode would wake the statistics."""
        words = [*SMALL, "figure=[]", "callback.online_eval.every=1", "task.freeze_backbone=true"]
        before = untrained(tmp_path / "before", "task.freeze_backbone=true")
        train(tmp_path / "after", *words)
        after = weights(tmp_path / "after")
        assert all(torch.equal(before[name], after[name]) for name in before if "running" in name)


@pytest.mark.parametrize("optim", ["sgd", "adamw"])
def test_resume_takes_up_model_optimizer_schedule_and_counters(optim, tmp_path):
    four = [*SMALL, *NO_FIGURES, f"optim={optim}", "optim.lr=0.01", "task.freeze_backbone=true", "trainer.max_epochs=4"]
    train(tmp_path / "whole", *four)
    train(tmp_path / "parts", *four, "trainer.max_time=0")
    assert len(read_rows(tmp_path / "parts")) == 1
    train(tmp_path / "parts", *four)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    assert read_rows(tmp_path / "whole") == read_rows(tmp_path / "parts")


def test_a_checkpoint_of_other_classes_is_not_resumed(tmp_path):
    """Digits has ten classes; the folder that is resumed has a network of three."""
    for name, num in (("a", 3), ("b", 4)):
        images = tmp_path / name
        for label in range(num):
            (images / f"class {label}").mkdir(parents=True)
            for number in range(12):
                _picture(images / f"class {label}" / f"{number}.png", label)
    words = [*SMALL, *NO_FIGURES, "data=folder", "data.image_size=16", "data.num_channels=1", "data.mean=[0.5]"]
    words = [word for word in words if word not in ("data=digits", "data.limit=120", "data.batch_size=40")]
    words += ["data.std=[0.5]", "data.batch_size=6"]
    train(tmp_path / "run", *words, f"data.dir={tmp_path / 'a'}")
    with pytest.raises(NetgazeError, match=r"weights of another network: .*\[3, 128\], expected \[4, 128\]"):
        train(tmp_path / "run", *words, f"data.dir={tmp_path / 'b'}")
    with pytest.raises(NetgazeError, match=r"another network: .*\[64, 256\], expected \[64, 576\]"):
        train(tmp_path / "run", *words, f"data.dir={tmp_path / 'a'}", "data.image_size=24")


def test_a_refused_resume_leaves_the_run_as_it_was(tmp_path):
    """What was typed wrongly is not kept: the run says what it said, and resumes when typed rightly."""
    train(tmp_path, *SMALL, *NO_FIGURES)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(NetgazeError, match="another network"):
        train(tmp_path, *SMALL, *NO_FIGURES, "model.up_to=layer2", typed=["model.up_to=layer2"])
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    train(tmp_path, *SMALL, *NO_FIGURES, "trainer.max_epochs=3")
    assert len(read_rows(tmp_path)) == 3


def test_frozen_random_weights_are_warned_of(tmp_path, caplog):
    train(tmp_path / "a", *SMALL, *NO_FIGURES, "trainer.max_epochs=0")
    assert "initial random weights" not in caplog.text
    train(tmp_path / "b", *SMALL, *NO_FIGURES, "trainer.max_epochs=0", "task.freeze_backbone=true")
    assert "initial random weights" in caplog.text


def _picture(path, label):
    from PIL import Image

    Image.new("L", (16, 16), 60 * label).save(path)


def test_the_networks_of_other_tasks_start_it_and_it_starts_them(tmp_path):
    """`init` goes by name: what is common to a ResNet and the trunk below the dynamic convolution."""
    shape = ["model.depths=[1,1]", "model.widths=[8,12]", "model.stem=cifar"]
    plain = [word for word in SMALL if word != "task=dynamic_conv"]
    train(tmp_path / "rotation", *plain, *NO_FIGURES, "task=rotation", *shape)
    started = untrained(tmp_path / "dynamic", f"init={tmp_path / 'rotation'}")
    learned = weights(tmp_path / "rotation", "best")
    common = [name for name in started if name in learned]
    assert len(common) == 18
    assert all(torch.equal(started[name], learned[name]) for name in common)
    words = [*plain, *NO_FIGURES, "trainer.max_epochs=0", f"init={tmp_path / 'dynamic'}"]
    train(tmp_path / "back", *words)
    back = weights(tmp_path / "back")
    assert all(torch.equal(started[name], back[name]) for name in common)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """The assignment's comparison, two seeds each, by one command."""
    folder = tmp_path_factory.mktemp("dynamic")
    words = ["-m", *SMALL, "figure=[response_maps]", "model.filter=dynamic,static,static_shared"]
    words += ["task.freeze_backbone=false,true", "seed=0,1", "control=null", "hydra.sweep.dir=sweep"]
    code, printed = command(*words, cwd=folder)
    assert code == 0, printed
    return folder / "sweep", printed


class TestSweep:
    def test_one_table_with_means_over_seeds(self, sweep):
        folder, printed = sweep
        with open(folder / "results.csv", newline="") as file:
            table = list(csv.DictReader(file))
        assert len(table) == 12
        for setting in ("filter=dynamic, freeze_backbone=false", "filter=static_shared, freeze_backbone=true"):
            runs = [float(row["test/acc"]) for row in table if row["setting"] == setting]
            mean, half = sum(runs) / 2, abs(runs[0] - runs[1])
            assert f"{100 * mean:.1f} ± {100 * half / 2**0.5:.1f}%" in printed
        assert re.search(
            r"Winner: filter=.*, with validation accuracy .* \(means ± standard deviations over runs\)", printed
        )

    def test_the_literal_control_is_at_chance(self, sweep):
        folder, _ = sweep
        with open(folder / "results.csv", newline="") as file:
            table = [row for row in csv.DictReader(file) if row["model.filter"] == "static"]
        assert [float(row["test/loss"]) for row in table] == pytest.approx([2.302585] * 4, abs=1e-4)

    def test_one_report(self, sweep):
        folder, _ = sweep
        page = (folder / "report.html").read_text(encoding="utf-8")
        assert "Over repeated runs: mean ± standard deviation" in page
        assert page.count("data:image/png;base64,") == 5, "what the runs drew, the explorer, and three that compare"
        maps = json.loads((folder / "figures" / "response_maps.json").read_text())
        assert len(maps["numbers"]) - len(maps["controls"]) == 4, "one run of each of the four best settings"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A run with all that is drawn of this task."""
    words = [*SMALL, "figure=[response_maps,filter_similarity,cam]", "control=null"]
    return train(tmp_path_factory.mktemp("drawn") / "run", *words)


def test_own_pictures(drawn, tmp_path):
    _picture(tmp_path / "my (1).png", 2)
    words = [f"runs=[{drawn}]", "figure=[response_maps]", f"images=[{tmp_path / 'my (1).png'}]"]
    code, printed = command(*words, "hydra.run.dir=seen", cwd=tmp_path, script="analyze.py")
    assert code == 0, printed
    assert (tmp_path / "seen" / "figures" / "response_maps.png").exists()
    for images, figure, said in (
        ("nowhere.png", "[response_maps]", "no file"),
        ("my (1).png", "[cam]", "no chosen figure"),
    ):
        words = [f"runs=[{drawn}]", f"figure={figure}", f"images=[{tmp_path / images}]"]
        code, printed = command(*words, cwd=tmp_path, script="analyze.py")
        assert (code, said in printed, "Traceback" in printed) == (1, True, False)


def test_analyze_shows_what_the_runs_themselves_drew(drawn, tmp_path):
    code, printed = command(f"runs=[{drawn}]", "hydra.run.dir=seen", cwd=tmp_path, script="analyze.py")
    assert code == 0, printed
    pictures = sorted(path.stem for path in (tmp_path / "seen" / "figures").glob("*.png"))
    assert pictures == ["cam", "explore", "filter_similarity", "response_maps"]


def test_the_features_are_the_means_of_the_backbones_maps(tmp_path):
    train(tmp_path, *SMALL, *NO_FIGURES, "figures.precision=32")
    subject = open_run(tmp_path)
    images = next(iter(subject.data.batches("test"))).images
    with torch.no_grad():
        maps = subject.task.model.forward_features(images)
    torch.testing.assert_close(subject.features("test")[: len(images)], maps.mean(dim=(2, 3)))
