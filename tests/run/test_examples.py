"""The record of training examples in whole runs: it changes nothing, survives kills, is of all processes, is drawn."""

import csv

import numpy as np
import pytest
import torch
from PIL import Image
from tests.conftest import NO_FIGURES, TINY
from tests.data.conftest import save_noise
from tests.run.test_preemption import stop_at
from tests.tiny_runs import analyze, read_rows, same, train, weights

from netgaze.errors import NetgazeError
from netgaze.files import read_json
from netgaze.measures.dynamics import score_examples
from netgaze.records import Record
from netgaze.run import Run

pytestmark = pytest.mark.slow  # each test trains

ON = "callback.examples.record=true"
DIGITS = [*TINY, *NO_FIGURES, "data.batch_size=20", "control=null"]
RUNS = {
    "supervised": DIGITS,
    "averaged": [*DIGITS, "callback.average.kind=ema"],
    "resampled": [*DIGITS, "data.sampler=sqrt", "data.epoch_size=100"],
    "rotation": [*DIGITS, "task=rotation"],
    "features": [*DIGITS, "task=linear_probe", "task.lrs=[0.1,0.01]"],
    "dynamic_conv": [*DIGITS, "task=dynamic_conv"],
    "noise": [*DIGITS, "data.label_noise=0.3"],
}


def assert_same(one, other):
    for name in Record.__annotations__:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("name", RUNS)
def test_what_is_cut_off_within_an_epoch_has_the_same_record_to_the_bit(name, tmp_path):
    train(tmp_path / "whole", *RUNS[name], ON)
    steps = Run(tmp_path / "whole").read_checkpoint("last")["callbacks"]["Preemption"]["steps"]
    for step in (2, steps + 3):
        with stop_at(step):
            train(tmp_path / "parts", *RUNS[name], ON)
    train(tmp_path / "parts", *RUNS[name], ON)
    whole = Run(tmp_path / "whole").examples
    assert whole.num_epochs == 2
    assert_same(Run(tmp_path / "parts").examples, whole)


@pytest.mark.parametrize("name", ["supervised", "rotation", "features"])
def test_training_is_the_same_to_the_bit_with_it_and_without(name, tmp_path):
    train(tmp_path / "with", *RUNS[name], ON)
    train(tmp_path / "without", *RUNS[name])
    assert read_rows(tmp_path / "with") == read_rows(tmp_path / "without")
    assert same(weights(tmp_path / "with"), weights(tmp_path / "without"))
    assert not Run(tmp_path / "without").has_examples


def test_its_right_answers_are_the_accuracy_of_the_history(tmp_path):
    train(tmp_path, *DIGITS, ON)
    run = Run(tmp_path)
    for row, right in zip(run.epochs, run.examples.right, strict=True):
        assert float(right.astype(float).mean()) == pytest.approx(row["train/acc"])


def test_the_first_step_says_what_the_untrained_network_says_of_the_images_at_their_places(tmp_path):
    """By the place in the training split, with the label that was trained on: also where it was redrawn."""
    words = [*DIGITS, ON, "data.augment=null", "data.batch_size=120", "data.label_noise=0.5", "trainer.max_epochs=1"]
    train(tmp_path / "run", *words, "data.limit=150", "data.per_class=12")
    train(tmp_path / "start", *words, "data.limit=150", "data.per_class=12", "trainer.max_epochs=0")
    record, start = Run(tmp_path / "run").examples, Run(tmp_path / "start").open()
    images, labels = start.data.images("train"), start.data.labels("train")
    assert not torch.equal(labels, start.data.true_labels("train"))
    with torch.no_grad():  # all images are one batch, by whose own statistics the norms work in training
        logits = start.task.train()(start.data.normalize(images))
    probability, right, margin = score_examples(logits, labels).numpy()
    np.testing.assert_allclose(record.probability[0], probability, atol=2e-3)
    np.testing.assert_allclose(record.margin[0], margin, atol=1e-2)
    np.testing.assert_array_equal(record.right[0], right)
    np.testing.assert_array_equal(record.answers[0], logits.argmax(dim=1))


def test_a_run_draws_what_it_recorded_and_so_does_who_looks_at_it(tmp_path):
    figures = "figure=[dynamics,suspicious]"
    for seed in (0, 1):
        train(
            tmp_path / f"run{seed}", *DIGITS[:-3], figures, "control=null", ON, "data.label_noise=0.2", f"seed={seed}"
        )
    numbers = read_json(tmp_path / "run0/figures/dynamics.json")["numbers"]
    assert next(iter(numbers.values()))["wrong_labels"] > 0
    out = analyze(tmp_path / "out", f"runs=[{tmp_path}/run0,{tmp_path}/run1]", figures)
    compared = read_json(out / "figures/dynamics.json")["compared"]
    (common,) = (value for name, value in compared.items() if name.startswith("common"))
    data = [Run(tmp_path / f"run{seed}").open().data for seed in (0, 1)]
    assert common == int((data[0].labels("train") == data[1].labels("train")).sum())
    with open(out / "figures/suspicious.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 100
    assert (out / "report.html").exists()


def test_what_is_not_recorded_is_not_asked_for(tmp_path):
    """In a sentence: before a run trains, and of one that has trained."""
    with pytest.raises(NetgazeError, match=r"figure=\[suspicious\] shows .* callback.examples.record=true"):
        train(tmp_path / "run", *TINY, "figure=[suspicious,curves]", "control=null")
    assert not (tmp_path / "run" / "history.csv").exists()
    train(tmp_path / "run", *DIGITS)
    with pytest.raises(NetgazeError, match=r"no examples \(train with callback.examples.record=true"):
        analyze(tmp_path / "out", f"runs=[{tmp_path}/run]", "figure=[dynamics]", "control=null")


def test_of_a_folder_the_table_names_the_files(tmp_path):
    save_noise(tmp_path / "photos", 20)
    words = ["data=folder", f"data.dir={tmp_path}/photos", "data.image_size=8", "data.batch_size=9", *TINY[3:]]
    train(tmp_path / "run", *words, "figure=[suspicious]", "control=null", ON)
    with open(tmp_path / "run" / "figures" / "suspicious.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    data = Run(tmp_path / "run").open().data
    assert 1 < len(rows) == len(data.labels("train")) < 40
    for row in rows:
        with Image.open(tmp_path / "photos" / row["file"]) as picture:
            expected = np.asarray(picture.convert("RGB").resize((8, 8), Image.Resampling.BILINEAR)).astype(int)
        image = data.images("train", [int(row["index"])])[0].permute(1, 2, 0).numpy()
        assert row["file"].split("/")[0] == row["label"]
        assert np.abs(image - expected).mean() < 30
