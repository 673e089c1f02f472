"""One run on two processes: it learns as one does from twice the batch, and only the main one leaves anything."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.commands import command
from tests.conftest import NO_FIGURES, ROOT, TINY, freeze_imports, typed
from tests.tiny_runs import read_metrics, read_rows, read_run, train, weights

from netgaze.predictions import Predictions
from netgaze.run import Run

pytestmark = pytest.mark.slow  # each test trains

DDP = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu"]
# Each process draws an augmentation of its own: what is compared has none. 121 images do not divide by two.
DIGITS = [*TINY, "optim=sgd", *NO_FIGURES, "data.augment=null", "data.limit=121", "control=null"]
SIAMESE = ["data=doodle_faces", "data.num_classes=24", "data.num_val_people=6", "data.num_test_people=8"]
SIAMESE += ["data.images_each=6", "data.image_size=32", "data.augment=null", "task=siamese", "task.embedding_dim=8"]
SIAMESE += [*TINY[3:], *NO_FIGURES, "control=null"]
STAGES = [
    "task=teacher_student",
    "optim.lr=0.01",
    "data.per_class=8",
    "data.epoch_size=80",
    "stages.pseudo_labels.task.k=10",
]
TWO_VIEWS = ("simclr", "supcon", "vicreg", "byol", "lejepa")
ALIKE = ["optim.lr=0.001", "~callback.online_eval.figures.views"]  # without augmentation there are no views to look at
RUNS = {
    "supervised": DIGITS,
    "averaged": [*DIGITS, "callback.average.kind=ema", "task.label_smoothing=0.1"],
    "recorded": [*DIGITS, "callback.examples.record=true"],
    "resampled": [*DIGITS, "data.sampler=uniform", "data.epoch_size=100"],
    "rotation": [*DIGITS, "task=rotation"],
    "dynamic_conv": [*DIGITS, "task=dynamic_conv"],
    **{name: [*DIGITS, f"task={name}", "task.projector=[16,8]", *ALIKE] for name in TWO_VIEWS},
    "finetune": [*DIGITS, "task=finetune", "init=source"],
    "linear_probe": [*DIGITS, "task=linear_probe", "init=source"],
    "stages": [*TINY, *NO_FIGURES, "data.limit=null", "data.augment=null", "control=null", *STAGES],
    "contrastive": [*SIAMESE, "task.loss=contrastive"],
    "mining_contrastive": [*SIAMESE, "task.loss=mining_contrastive"],
    "triplet": [*SIAMESE, "task.loss=triplet"],
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with each run twice: by one process with twice the batch, and by two, which do one after another."""
    folder = tmp_path_factory.mktemp("runs")
    train(folder / "source", *TINY, *NO_FIGURES)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", __file__, str(folder)]
    paths = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def choose_words(name, folder):
    """What one of the runs is typed with."""
    return [word.replace("init=source", f"init={folder / 'source'}") for word in RUNS[name]]


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_learn_as_one_with_twice_the_batch(name, runs, tmp_path):
    train(tmp_path / "one", *choose_words(name, runs), "data.batch_size=40")
    (tmp_path / "two").symlink_to(runs / name)
    one, two = (read_rows(tmp_path / folder) for folder in ("one", "two"))
    assert len(one) == len(two) == 2
    for row, other in zip(one, two, strict=True):
        assert list(row) == list(other)
        losses = [key for key in row if key.endswith("loss") or key == "lr"]
        assert [float(other[key]) for key in losses] == pytest.approx([float(row[key]) for key in losses], rel=2e-3)
    after, others = weights(tmp_path / "one", "last"), weights(tmp_path / "two", "last")
    assert after.keys() == others.keys()
    for key in after if name != "stages" else ():  # of four networks in a row, rounding adds up
        torch.testing.assert_close(after[key].float(), others[key].float(), rtol=1e-2, atol=1e-2, equal_nan=True)
    numbers, found = read_metrics(tmp_path / "one"), read_metrics(tmp_path / "two")
    assert numbers.keys() == found.keys()
    # An image at the border between two classes may fall on either side.
    assert found == pytest.approx(numbers, rel=5e-3, abs=0.03, nan_ok=True)
    assert found["test/images"] == numbers["test/images"]


def test_two_processes_record_all_examples_as_one_does(runs, tmp_path):
    train(tmp_path / "one", *choose_words("recorded", runs), "data.batch_size=40")
    one, two = Run(tmp_path / "one").examples, Run(runs / "recorded").examples
    np.testing.assert_array_equal(np.isnan(one.margin), np.isnan(two.margin))
    assert np.isnan(one.margin).sum() == 2  # 120 of 121 images divide by the batch
    np.testing.assert_allclose(one.probability[0], two.probability[0], atol=0.01)
    np.testing.assert_allclose(one.margin[0], two.margin[0], atol=0.05)


def test_only_the_main_process_writes_and_speaks(tmp_path):
    words = [*TINY, "figure=[confusion,filters]", "callback.online_eval.every=1"]
    code, printed = typed(*words, *DDP, "hydra.run.dir=run", cwd=tmp_path)
    assert code == 0, printed
    run = tmp_path / "run"
    assert read_run(run)["status"] == "finished"
    for said in ("epoch 1/2", "epoch 2/2", "tested on", "2 processes"):
        assert printed.count(said) == 1, printed
    assert {path.name for path in run.glob("*.log")} == {"train.log"}
    assert len(list(run.glob("tensorboard/train/*"))) == 1
    assert {path.stem for path in run.glob("figures/*.png")} == {"confusion", "filters"}
    assert all("val/knn20" in row for row in read_rows(run))
    confusion = json.loads((run / "figures/confusion.json").read_text())
    assert confusion
    assert not list(run.rglob("*.part"))


def test_each_image_is_tested_once(runs):
    answers = Predictions.load(runs / "supervised" / "predictions.npz")
    assert len(answers.targets) == 121


def test_a_mistake_is_said_and_no_process_is_started(tmp_path):
    code, printed = command(*TINY, *DDP, "trainer.devices=-1", cwd=tmp_path)
    assert code == 1
    assert re.search(r"trainer.devices=-1 means all GPUs", printed)
    code, printed = command(*TINY, "trainer.strategy=fsdp", cwd=tmp_path)
    assert code == 1
    assert "trainer.strategy=fsdp is not possible" in printed


if __name__ == "__main__":  # one of two processes
    freeze_imports()
    for each in RUNS:
        place = Path(sys.argv[1])
        train(place / each, *choose_words(each, place), "data.batch_size=20", *DDP)
