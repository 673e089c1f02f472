"""Passes over splits: how many there are, what they give, when they are made anew, and what stays of them on disk."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.figures.conftest import make_task

from netgaze import files, gallery
from netgaze.features import extract
from netgaze.figures.cam import Cam
from netgaze.figures.confusion import Confusion
from netgaze.figures.data_card import DataCard
from netgaze.figures.extremes import Extremes
from netgaze.figures.filters import Filters
from netgaze.figures.knn import Knn
from netgaze.figures.tsne import Tsne
from netgaze.gallery import look
from netgaze.inside import fusing
from netgaze.models.resnet import ResNet
from netgaze.passes import collect_outputs
from netgaze.subject import Subject
from netgaze.tasks.rotation import Rotation
from netgaze.tasks.supervised import Supervised

REPORT = {"filters": Filters(), "tsne": Tsne(num_images=30), "knn": Knn(), "extremes": Extremes()}
REPORT |= {"confusion": Confusion(), "data_card": DataCard()}
KINDS = pytest.mark.parametrize(("kind", "turns"), [(Supervised, 1), (Rotation, 4)], ids=["supervised", "rotation"])


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of the test's own."""
    monkeypatch.setenv("NETGAZE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def seen(monkeypatch):
    """How many images the trunks of residual networks have been shown; those that prepare a pass are not counted."""
    counts, forward = [], ResNet.forward_features
    monkeypatch.setattr("netgaze.inside.fusing.fuse", lambda model, images: model)
    monkeypatch.setattr("netgaze.passes.Passes._does_read_maps", lambda self, examples: True)
    monkeypatch.setattr(
        ResNet, "forward_features", lambda self, images: counts.append(len(images)) or forward(self, images)
    )
    return counts


def make_subject(task, data, label="a", precision="32", control=False):
    return Subject(label, task=lambda: task, data=lambda: data, precision=precision, control=control)


def report(tmp_path, *subjects, figures=REPORT):
    """What a report found, with nothing left over in memory from an earlier one."""
    found = look(figures, subjects, tmp_path / "out")
    assert not found.failed
    return found


@KINDS
@pytest.mark.parametrize("order", [1, -1])
def test_a_report_shows_each_image_of_a_split_once(kind, turns, order, data, seen, tmp_path):
    figures = dict(list(REPORT.items())[::order])
    report(tmp_path, make_subject(make_task(kind, data), data), figures=figures)
    asked = turns * (len(data.labels("val")) + len(data.labels("test")))  # validation chooses the temperature
    assert sum(seen) == len(data.labels("train")) + asked


@KINDS
def test_a_report_of_unchanged_networks_asks_none(kind, turns, data, seen, tmp_path):
    """Also none of the controls, and not for class maps."""
    figures = REPORT | {"cam": Cam(num_scored=5, num_dropped=5)}

    def ask():
        task, control = make_task(kind, data), make_task(kind, data, seed=5)
        pixels = Subject("raw pixels", data=lambda: data, pixels=True, control=True)
        subjects = make_subject(task, data), make_subject(control, data, "untrained", control=True), pixels
        return report(tmp_path, *subjects, figures=figures)

    first = ask()
    assert seen
    seen.clear()
    again = ask()
    assert seen == []
    for name, findings in first.items():
        for label, finding in findings.items():
            assert again[name][label].numbers == finding.numbers
            assert again[name][label].precision == finding.precision
            for key, values in finding.arrays.items():
                np.testing.assert_array_equal(again[name][label].arrays[key], values)


def test_features_alone_turn_no_image(data, seen, tmp_path):
    report(tmp_path, make_subject(make_task(Rotation, data), data), figures={"knn": Knn()})
    assert sum(seen) == len(data.labels("train")) + len(data.labels("test"))


def change_weights(task, data, monkeypatch):
    task.model.conv1.weight.data *= 1.5


def change_head(task, data, monkeypatch):
    task.model.fc.bias.data += 1


def change_statistics(task, data, monkeypatch):
    task.model.bn1.running_mean += 1


def change_data(task, data, monkeypatch):
    del data.fingerprint
    data.splits["test"].images[0] += 1


def change_model_code(task, data, monkeypatch):
    read = gallery.read_source

    def read_other(thing):
        return read(thing) + ("# changed" if isinstance(thing, ResNet) else "")

    for place in ("netgaze.passes.read_source", "netgaze.subject.read_source"):
        monkeypatch.setattr(place, read_other)


@pytest.mark.parametrize(
    ("change", "splits"),
    [
        (change_weights, ["train", "val", "test"]),
        (change_statistics, ["train", "val", "test"]),
        (change_data, ["train", "val", "test"]),
        (change_model_code, ["train", "val", "test"]),
        (change_head, ["val", "test"]),  # features come before it
    ],
    ids=lambda it: getattr(it, "__name__", ""),
)
def test_what_has_changed_is_looked_at_anew(change, splits, data, seen, monkeypatch, tmp_path):
    task = make_task(Supervised, data)
    report(tmp_path, make_subject(task, data))
    seen.clear()
    change(task, data, monkeypatch)
    report(tmp_path, make_subject(task, data))
    assert sum(seen) == sum(len(data.labels(split)) for split in splits)


def test_another_precision_is_looked_at_anew_and_said(data, seen, tmp_path):
    task = make_task(Supervised, data)
    for precision in ("32", "bf16"):
        seen.clear()
        found = report(tmp_path, make_subject(task, data, precision=precision))
        assert sum(seen) == sum(len(data.labels(split)) for split in ("train", "val", "test"))
        assert {name: findings["a"].precision for name, findings in found.items()} == {
            **dict.fromkeys(("tsne", "knn", "extremes", "confusion"), precision),
            **dict.fromkeys(("filters", "data_card"), ""),
        }


def test_findings_are_asked_anew_where_any_code_has_changed(data, monkeypatch, tmp_path):
    asked, compute = [], DataCard.compute
    monkeypatch.setattr(DataCard, "compute", lambda self, subject: asked.append(1) or compute(self, subject))
    subject = make_subject(make_task(Supervised, data), data)
    for code in ("one", "one", "two"):
        monkeypatch.setattr(gallery, "_digest_code", lambda code=code: code)
        report(tmp_path, subject, figures={"data_card": DataCard()})
    assert len(asked) == 2


def test_what_reading_the_data_brought_up_is_no_stale_finding(data, tmp_path):
    subject = make_subject(make_task(Supervised, data), data)
    for warning in ([], ["a warning"]):
        data.remarks.warnings[:] = warning
        data.__dict__.pop("found", None)
        found = report(tmp_path, subject, figures={"data_card": DataCard()})
        assert found["data_card"]["a"].numbers["found"]["warnings"] == warning


@KINDS
@pytest.mark.parametrize("precision", ["32", "bf16"])
def test_features_and_outputs_are_those_of_passes_of_their_own(kind, turns, precision, data):
    """In fp32 within rounding; in bf16, of two digits, within a few hundredths."""
    task = make_task(kind, data).eval()
    subject = make_subject(task, data, precision=precision)
    outputs, features = subject.outputs("test"), subject.features("test")
    expected = collect_outputs(task, data.batches("test"), "cpu")
    plain = extract(task.model, (batch.images for batch in data.batches("test")))
    close = {"rtol": 1e-4, "atol": 1e-5} if precision == "32" else {"rtol": 0.03, "atol": 0.05}
    np.testing.assert_allclose(outputs.logits, expected.logits, **close)
    torch.testing.assert_close(features, plain, **close)
    np.testing.assert_array_equal(outputs.targets, expected.targets)
    np.testing.assert_array_equal(outputs.index, expected.index)
    assert len(outputs.targets) == turns * len(features)
    assert (features.dtype, outputs.logits.dtype) == (torch.float32, np.float32)
    is_rounded = not np.allclose(outputs.logits, expected.logits, rtol=1e-4, atol=1e-5)
    assert is_rounded == (precision == "bf16")
    assert set(outputs.logits.ravel()) != set(torch.from_numpy(outputs.logits).bfloat16().float().numpy().ravel())


@KINDS
@pytest.mark.parametrize("precision", ["32", "bf16"])
def test_pictures_are_passed_as_a_split_is(kind, turns, precision, data, monkeypatch):
    """In parts, whose rest is smaller; the network is prepared once, and asked for outputs only where these count."""
    prepared, fuse = [], fusing.fuse
    monkeypatch.setattr(fusing, "fuse", lambda *given: prepared.append(1) or fuse(*given))
    monkeypatch.setattr(type(data), "test_batch_size", 16)
    subject = make_subject(make_task(kind, data), data, precision=precision)
    images, labels = data.images("test"), data.labels("test")
    found, outputs = subject.outputs_of(images, labels), subject.outputs("test")
    np.testing.assert_allclose(found.logits, outputs.logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found.targets, outputs.targets)
    np.testing.assert_array_equal(found.index, outputs.index)
    monkeypatch.setattr(type(subject.task), "make_examples", lambda *_: pytest.fail("features need none"))
    torch.testing.assert_close(subject.features_of(images), subject.features("test"), rtol=1e-4, atol=1e-5)
    assert len(prepared) == 1


def test_a_task_that_answers_in_its_own_way_is_asked_itself(data):
    class Cooler(Supervised):
        def forward(self, images):
            return self.model(images) / 2

    task, plain = make_task(Cooler, data), make_task(Supervised, data).eval()
    task = Cooler(model=plain.model, num_classes=3, optimizer=None, schedule=None)
    task.name_classes(data.class_names)
    expected = collect_outputs(plain, data.batches("test"), "cpu").logits / 2
    np.testing.assert_allclose(make_subject(task, data).outputs("test").logits, expected, rtol=1e-4, atol=1e-5)


def test_the_network_that_is_looked_at_stays_as_it_was(data):
    task = make_task(Supervised, data).train()
    state = {name: value.clone() for name, value in task.state_dict().items()}
    subject = make_subject(task, data, precision="bf16")
    subject.outputs("test")
    subject.features("train")
    assert all(torch.equal(state[name], value) for name, value in task.state_dict().items())
    assert all(module.training for module in task.modules())
    assert isinstance(task.model.bn1, torch.nn.BatchNorm2d)


def test_the_cache_forgets_what_was_unused_for_longest(cache):
    ages = {"features/old": 1, "outputs/older": 0, "findings/new": 2, "shapes/oldest": -1}
    for name, age in ages.items():
        path = cache / f"{name}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(100))
        os.utime(path, (age, age))
    files.trim_cache(most_bytes=300)
    assert len(list(cache.rglob("*.npz"))) == 4
    files.trim_cache(most_bytes=150)
    assert sorted(path.stem for path in cache.rglob("*.npz")) == ["new", "oldest"]


def test_what_was_read_back_counts_as_used(cache):
    for name in ("first", "second"):
        files.write_cached("features", name, {"a": np.zeros(100)})
        os.utime(cache / "features" / f"{name}.npz", (1, 1))
    assert files.read_cached("features", "first") is not None
    files.trim_cache(most_bytes=1500)
    assert [path.stem for path in (cache / "features").iterdir()] == ["first"]


def test_outputs_too_large_to_keep_are_computed_again(data, cache, monkeypatch):
    monkeypatch.setattr(files, "MOST_KEPT_BYTES", 1000)
    task = make_task(Supervised, data)
    first, again = (make_subject(task, data).outputs("test") for _ in range(2))
    np.testing.assert_array_equal(first.logits, again.logits)
    assert not list(cache.rglob("outputs/*"))


def test_a_cache_that_cannot_be_written_to_costs_time_alone(data, tmp_path, monkeypatch):
    Path(tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("NETGAZE_CACHE", str(tmp_path / "file"))
    assert report(tmp_path, make_subject(make_task(Supervised, data), data))["knn"]
