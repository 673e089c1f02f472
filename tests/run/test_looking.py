"""Looking at runs: what is computed in which precision, once for all reports, and what it changes on real images."""

import json

import pytest
import torch
from tests.conftest import NO_FIGURES, TINY, composed
from tests.tiny_runs import analyze, read_metrics, train

from netgaze import trainer
from netgaze.analysis import compare
from netgaze.build import build, build_task, resolve_config
from netgaze.features import digest_body
from netgaze.figures.knn import Knn
from netgaze.models.resnet import ResNet
from netgaze.run import Run
from netgaze.subject import Subject
from netgaze.subjects import CONTROL_SEED, controls, plan_untrained

FIGURES = ["figure=[filters,cam,tsne,knn,extremes,confusion,data_card]"]


@pytest.fixture
def shown(monkeypatch):
    """How many images residual trunks are shown."""
    counts, forward = [], ResNet.forward_features
    monkeypatch.setattr(
        ResNet, "forward_features", lambda self, images: counts.append(len(images)) or forward(self, images)
    )
    return counts


def read_figure(folder, name):
    return json.loads((folder / "figures" / f"{name}.json").read_text())


def test_a_second_report_of_unchanged_runs_asks_no_network(tmp_path, shown, monkeypatch):
    """Neither of a run, nor of a control: nor one of another run whose control is the same."""
    monkeypatch.setenv("NETGAZE_CACHE", str(tmp_path / "cache"))
    runs = [train(tmp_path / task, *TINY, *NO_FIGURES, f"task={task}") for task in ("supervised", "rotation")]
    words = [f"runs=[{','.join(map(str, runs))}]", *FIGURES]
    first = analyze(tmp_path / "first", *words)
    shown.clear()
    second = analyze(tmp_path / "second", *words)
    assert shown == []
    assert (first / "report.html").read_text() == (second / "report.html").read_text()
    other = train(tmp_path / "other", *TINY, *NO_FIGURES, "task=supervised", "optim.lr=0.1")
    shown.clear()
    analyze(tmp_path / "third", f"runs=[{other}]", "figure=[filters,tsne,knn,extremes,confusion,data_card]")
    data = Run(other).subject.data
    once = sum(len(data.labels(split)) for split in ("train", "val", "test"))  # a temperature is chosen on val
    assert once <= sum(shown) <= once + 50, "the trained network alone, and the few that prepare a pass"


def test_untrained_networks_of_two_tasks_have_one_body(tmp_path):
    settings = [resolve_config(composed(*TINY, *NO_FIGURES, f"task={task}")) for task in ("supervised", "rotation")]
    data = build(settings[0]["data"])
    data.setup()

    def make_subject(config):
        return Subject(
            config["task"]["_target_"],
            task=lambda: build_task(config, data.class_names),
            data=lambda: data,
            config=config,
            untrained=lambda: plan_untrained(config),
        )

    supervised, rotation, pixels = controls([make_subject(config) for config in settings], "untrained")
    assert digest_body(supervised.model) == digest_body(rotation.model)
    assert (supervised.model.fc.out_features, rotation.model.fc.out_features) == (10, 4)
    torch.manual_seed(CONTROL_SEED)
    drawn = build(settings[0]["model"])
    assert all(torch.equal(value, supervised.model.state_dict()[name]) for name, value in drawn.state_dict().items())
    assert pixels.pixels


@pytest.mark.parametrize(("fast", "auto"), [(True, "bf16"), (False, "32")])
def test_what_is_fast_here_is_what_auto_means(fast, auto, tmp_path, monkeypatch):
    """The run's own key says it to its pictures and to a sweep's, that of an analysis to its own; figures say it."""
    monkeypatch.setattr(trainer, "has_fast_bf16", lambda: fast)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    words = [*TINY, "figure=[knn,confusion,filters]"]
    expected = {"": auto, "figures.precision=32": "32"}
    for number, (typed, precision) in enumerate(expected.items()):
        folder = train(tmp_path / "sweep" / str(number), *words, *filter(None, [typed]))
        assert set(read_figure(folder, "knn")["precisions"].values()) == {precision}
        assert set(read_figure(folder, "confusion")["precisions"].values()) == {precision}
        assert "precisions" not in read_figure(folder, "filters")
        for asked, said in ((None, precision), ("auto", auto), ("32", "32")):
            assert Run(folder).open(precision=asked).precision == said
        seen = analyze(tmp_path / f"seen{number}", f"runs=[{folder}]", "figure=[knn]", "figures.precision=32")
        assert set(read_figure(seen, "knn")["precisions"].values()) == {"32"}
        page = (folder.parent / "report.html").read_text() if compare(folder.parent) else ""
        assert ("Computed in bf16" in page) == fast


@pytest.mark.slow
def test_bf16_and_fp32_agree_on_real_images(real_cifar, tmp_path):
    """kNN, by a bank of 9,000, and accuracy of a published ResNet-20 within 0.2 points, on CIFAR-10's test."""
    weights = real_cifar / "weights" / "resnet20-12fca82f.th"
    if not weights.exists():
        pytest.skip("the published weights are not here (NETGAZE_DATA)")
    words = ["data=cifar10", "data.verify=false", f"data.dir='{real_cifar}'", "model=resnet20", f"init='{weights}'"]
    words += ["data.mean=[0.485,0.456,0.406]", "data.std=[0.229,0.224,0.225]", *NO_FIGURES]
    words += ["trainer.max_epochs=0", "trainer.precision=32", "trainer.threads=1", "data.per_class=900"]
    run = Run(train(tmp_path, *words))
    found = {}
    for precision in ("32", "bf16"):
        subject = run.open(precision="32")
        subject.precision = precision
        outputs = subject.outputs("test")
        accuracy = float((outputs.logits.argmax(axis=1) == outputs.targets).mean())
        found[precision] = {"acc": accuracy} | Knn().compute(subject).numbers
    for name in ("acc", "knn20", "knn200"):
        assert found["bf16"][name] == pytest.approx(found["32"][name], abs=0.002)
    assert found["32"]["acc"] == pytest.approx(read_metrics(tmp_path)["test/acc"], abs=1e-6)
