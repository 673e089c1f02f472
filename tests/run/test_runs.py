"""A run from the command to its folder; opened again from the folder alone; resumed; failing in a sentence."""

import json
import re

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tests.commands import command
from tests.conftest import NO_FIGURES, ROOT, TINY, start
from tests.tiny_runs import read_metrics, read_rows, read_run, same, tabulate, train, weights

from netgaze.errors import NetgazeError
from netgaze.experiment import open_run
from netgaze.run import Run
from netgaze.winner import name_winner

pytestmark = pytest.mark.slow  # each test trains


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A tiny rotation run with every figure, through the command line."""
    folder = tmp_path_factory.mktemp("run")
    code, printed = command(*TINY, "task=rotation", "callback.online_eval.every=1", "hydra.run.dir=run", cwd=folder)
    assert code == 0, printed
    return folder / "run"


def test_what_lies_on_disk(run):
    files = ("run.json", "metrics.json", "history.csv", "predictions.npz", "train.log", ".hydra/config.yaml")
    for name in files:
        assert (run / name).stat().st_size > 0
    for figure in ("curves", "filters", "cam", "tsne", "knn", "extremes", "confusion", "data_card", "explore"):
        assert (run / "figures" / f"{figure}.png").stat().st_size > 5000
        said = json.loads((run / "figures" / f"{figure}.json").read_text())
        assert said["question"].endswith("?")
        assert said["numbers"]["rotation"]
    assert not list(run.rglob("*.part"))


def test_run_json_says_what_a_number_needs_beside_it(run):
    said = read_run(run)
    assert said["status"] == "finished"
    for key in (
        "command",
        "git",
        "versions",
        "device",
        "seed",
        "data",
        "seconds",
        "peak_memory_mb",
        "images_per_second",
        "test_images_per_second",
    ):
        assert key in said
    assert said["config"]["trainer"]["precision"] == "32"
    assert "task=rotation" in said["overrides"]


def test_numbers(run):
    numbers = read_metrics(run)
    names = (
        "train/loss",
        "train/acc",
        "val/acc",
        "test/acc",
        "test/acc_macro",
        "test/knn20",
        "val/knn20",
        "best/epoch",
    )
    assert set(names) <= set(numbers)
    history = read_rows(run)
    assert [row["epoch"] for row in history] == ["1", "2"]
    best = max(history, key=lambda row: float(row["val/acc"]))
    assert float(best["val/acc"]) == numbers["val/acc"]
    assert int(best["epoch"]) == numbers["best/epoch"]


def test_checkpoints_open_without_running_code(run):
    for name in ("best", "last"):
        stored = torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)
        assert stored["netgaze"]["class_names"] == ["0°", "90°", "180°", "270°"]
        assert stored["netgaze"]["config"]["task"]["num_classes"] == 4


def test_a_folder_alone_opens_its_network_again(run):
    """And it scores what the run said it scores."""
    subject = open_run(run)
    outputs = subject.outputs("test")
    said = read_metrics(run)["test/acc"]
    assert (outputs.logits.argmax(axis=1) == outputs.targets).mean() == pytest.approx(said)
    assert same(subject.task.state_dict(), weights(run, "best"))


def test_the_answers_to_the_test_are_kept(run):
    """Those of the network that was tested, a line per turn of each image."""
    outputs, kept = open_run(run).outputs("test"), Run(run).predictions
    order = np.lexsort((outputs.targets, outputs.index))
    assert len(kept.index) == 4 * len(np.unique(outputs.index))
    assert (kept.index == outputs.index[order]).all()
    assert (kept.targets == outputs.targets[order]).all()
    assert (kept.predicted == outputs.logits.argmax(axis=1)[order]).all()
    np.testing.assert_allclose(kept.confidence, outputs.probabilities.max(axis=1)[order], atol=2e-3)
    assert kept.right.mean() == pytest.approx(read_metrics(run)["test/acc"])


def test_two_networks_that_were_only_tested_are_compared(tmp_path):
    """As published ones are: by the test, and whether that is more than chance."""
    train(tmp_path / "source", *TINY, *NO_FIGURES, "trainer.max_epochs=8")
    for seed, init in ((1, tmp_path / "source"), (2, "null")):
        train(tmp_path / str(seed), *TINY, *NO_FIGURES, f"seed={seed}", f"init={init}", "trainer.max_epochs=0")
    rows = tabulate(tmp_path / "1", tmp_path / "2")
    said = name_winner([row | {"setting": row["label"]} for row in rows])
    assert re.match(r"(Winner|No clear winner, but ahead): seed=1, .*, with test accuracy ", said)
    assert (
        f"Of the same {read_metrics(tmp_path / '1')['test/images']:,} test examples only the first classifies" in said
    )
    assert "McNemar's test" in said


def test_tensorboard_finds_what_the_readme_promises(run):
    charts = {}
    for split in ("train", "val", "test"):
        reader = EventAccumulator(str(run / "tensorboard" / split)).Reload()
        charts[split] = {tag: [event.step for event in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}
    for tag in ("loss", "acc"):
        assert charts["train"][tag] == charts["val"][tag] == [1, 2]
    assert charts["train"]["lr"] == [1, 2]
    assert "knn20" in charts["val"]
    reader = EventAccumulator(str(run / "tensorboard")).Reload()
    assert {"cam", "curves", "knn"} <= set(reader.Tags()["images"])
    assert charts["test"]["acc"] == [read_metrics(run)["best/epoch"]]
    assert "best/epoch" in reader.Tags()["scalars"]
    drawn = EventAccumulator(str(run / "tensorboard" / "val")).Reload()
    assert [event.step for event in drawn.Images("knn")] == [1, 2], "while it trained, too"


def test_two_runs_in_the_same_second_are_two_and_equal(tmp_path):
    """Two folders, and with one seed and the same threads the same bits."""
    processes = [start(*TINY, *NO_FIGURES, cwd=tmp_path) for _ in range(2)]
    assert [process.wait(300) for process in processes] == [0, 0]
    first, second = sorted((tmp_path / "outputs" / "supervised").iterdir())
    assert same(weights(first), weights(second))
    assert read_rows(first) == read_rows(second)


def test_another_seed_is_another_network(tmp_path):
    for seed in (0, 1):
        train(tmp_path / str(seed), *TINY, *NO_FIGURES, f"seed={seed}")
    assert not same(weights(tmp_path / "0"), weights(tmp_path / "1"))


def test_resume_goes_on_as_if_never_stopped(tmp_path):
    """Stopped after two of four epochs of the same schedule, and resumed: the same bits as in one go."""
    four = [*TINY, *NO_FIGURES, "trainer.max_epochs=4"]
    train(tmp_path / "whole", *four)
    train(tmp_path / "parts", *four, "trainer.max_time=0")
    assert len(read_rows(tmp_path / "parts")) == 1
    train(tmp_path / "parts", *four)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    assert same(weights(tmp_path / "whole", "best"), weights(tmp_path / "parts", "best"))
    assert read_rows(tmp_path / "whole") == read_rows(tmp_path / "parts")


def test_looking_and_drawing_while_training_changes_no_bit(tmp_path):
    """Nor does it where the run is stopped in between, and resumed."""
    four = [*TINY, *NO_FIGURES, "trainer.max_epochs=4"]
    train(tmp_path / "blind", *four)
    looking = [*four, "callback.online_eval.every=1", "+figure@callback.online_eval.figures.tsne=tsne"]
    train(tmp_path / "seen", *looking, "trainer.max_time=0")
    train(tmp_path / "seen", *looking)
    assert same(weights(tmp_path / "blind"), weights(tmp_path / "seen"))
    reader = EventAccumulator(str(tmp_path / "seen" / "tensorboard" / "val")).Reload()
    for name in ("knn", "tsne"):
        assert [event.step for event in reader.Images(name)] == [1, 2, 3, 4]


def test_a_finished_run_returns_at_once(tmp_path):
    train(tmp_path, *TINY, *NO_FIGURES)
    before = (tmp_path / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    train(tmp_path, *TINY, *NO_FIGURES)
    assert (tmp_path / "checkpoints" / "last.ckpt").stat().st_mtime_ns == before


def test_a_resumed_run_keeps_its_threads_unless_typed(tmp_path):
    train(tmp_path, *TINY, *NO_FIGURES, "trainer.max_epochs=1")
    words = [*TINY, *NO_FIGURES, "trainer.threads=2"]
    train(tmp_path, *words, typed=[])
    assert read_run(tmp_path)["threads"] == 1
    train(tmp_path, *words, typed=["trainer.threads=2"])
    assert read_run(tmp_path)["threads"] == 2


def test_nothing_to_train_still_tests(tmp_path):
    train(tmp_path, *TINY, *NO_FIGURES, "trainer.max_epochs=0")
    assert 0 <= read_metrics(tmp_path)["test/acc"] <= 1
    assert (tmp_path / "checkpoints" / "best.ckpt").exists()


def test_early_stopping(tmp_path):
    train(tmp_path, *TINY, *NO_FIGURES, "optim.lr=0.0", "trainer.max_epochs=9", "trainer.patience=2")
    assert len(read_rows(tmp_path)) <= 4


def test_non_finite_training_names_the_step(tmp_path):
    code, printed = command(*TINY, *NO_FIGURES, "optim.lr=1e30", "hydra.run.dir=run", cwd=tmp_path)
    assert code == 1
    assert "non-finite at step" in printed
    assert "Traceback" not in printed
    assert read_run(tmp_path / "run")["status"] == "failed"


def test_init_from_a_run_is_reported(run, tmp_path):
    code, printed = command(*TINY, *NO_FIGURES, f"init={run}", "trainer.max_epochs=0", cwd=tmp_path)
    assert code == 0, printed
    assert "2 skipped, 2 new" in printed
    assert "fc.weight" in printed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["data=cifar10", "data.dir=empty", "data.download=false"], "data.download"),
        (["data=cifar10", "data.dir=empty", "data.url=http://127.0.0.1:9/x.tar.gz"], "data.url"),
        (["data=digits", "data.num_classes=7"], "data.num_classes=7"),
        (["data=digits", "data.limit=3"], "data.limit=3"),
        (["data=digits", "init=nowhere.pt"], "nowhere.pt"),
        (["data=digits", "model.stem=round"], "stem"),
        (["data=digits", "trainer.max_time=soon"], "max_time"),
        (["data=digits", "control=full"], "control=full"),
        (["data=folder", "data.dir=empty"], "empty"),
        (["data=folder"], "data.dir is missing"),
        (["data=digits", "optim=sgd", "optim.momentum=0"], "momentum"),
        (["data=digits", "seed=-1"], "seed=-1"),
        (["data=digits", "trainer.threads=0"], "trainer.threads=0"),
        (["data=digits", "data.batch_size=0"], "data.batch_size=0"),
        (["data=digits", "task=dynamic_conv", "model.up_to=layer9"], "up_to to be one of layer1, layer2"),
        (["data=digits", "task=dynamic_conv", "model.filter=none"], "filter to be one of dynamic, static"),
        (["data=digits", "task=dynamic_conv", "init=imagenet"], "publishes no ImageNet weights"),
        (["data=digits", "task.num_classes=12"], "task.num_classes=12, but there are 10 classes"),
    ],
)
def test_a_persons_mistake_gets_a_sentence(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NetgazeError) as error:
        train(tmp_path / "run", *words, "trainer.max_epochs=0", "trainer.precision=32")
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert read_run(tmp_path / "run")["status"] == "failed"


def test_outputs_that_cannot_be_written(tmp_path):
    (tmp_path / "outputs").write_text("a file where the folder should be")
    code, printed = command(*TINY, *NO_FIGURES, cwd=tmp_path)
    assert code == 1
    assert "Traceback" not in printed
    assert "outputs" in printed


def test_the_readme_is_at_the_root():
    assert (ROOT / "README.md").exists()
