"""Snapshots in whole runs: of the images that are explored, through kills to the bit, drawn on a run's own page."""

import base64
import json
import re

import numpy as np
import pytest
import torch
from tests.conftest import NO_FIGURES, TINY
from tests.run.test_preemption import stop_at
from tests.tiny_runs import read_rows, same, train, weights

from netgaze.run import Run

pytestmark = pytest.mark.slow  # each test trains

ON = "callback.snapshots.every=1"
WORDS = [*TINY, *NO_FIGURES, "data.batch_size=20", "control=null"]


def read_block(page):
    return json.loads(re.search(r'id="explore-data">(.*?)</script>', page.read_text("utf-8"), re.S)[1])


def decode(array):
    return np.frombuffer(base64.b64decode(array["base64"]), array["dtype"]).reshape(array["shape"])


@pytest.fixture(scope="module")
def explored(tmp_path_factory):
    words = [*TINY, "figure=[curves,explore]", "control=null", "trainer.max_epochs=3", "callback.snapshots.every=2"]
    return Run(train(tmp_path_factory.mktemp("explored") / "run", *words))


def test_what_is_kept_is_what_the_network_says_at_that_epoch(explored):
    kept, subject = explored.snapshots, explored.open("last")
    assert kept.epochs.tolist() == [2, 3]
    outputs = subject.outputs("test")
    np.testing.assert_array_equal(kept.answers[-1], outputs.logits[kept.index].argmax(axis=1))
    np.testing.assert_allclose(kept.shares[-1], outputs.probabilities[kept.index].max(axis=1), atol=1e-3)
    features = subject.features("test")[kept.index].double()
    kept_distances = torch.cdist(*[torch.from_numpy(kept.features[-1].astype(np.float64))] * 2)
    np.testing.assert_allclose(kept_distances, torch.cdist(features, features), rtol=0.02, atol=0.02)


def test_a_runs_page_begins_with_its_images_and_its_slider(explored):
    block = read_block(explored.folder / "report.html")
    (shown,) = block["sets"]
    (network,) = shown["networks"]
    np.testing.assert_array_equal(decode(shown["index"]), explored.snapshots.index)
    assert network["snapshots"]["epochs"] == [2, 3]
    np.testing.assert_array_equal(decode(network["snapshots"]["classes"]), explored.snapshots.answers)
    np.testing.assert_allclose(decode(network["snapshots"]["shares"]) / 65535, explored.snapshots.shares, atol=1e-4)
    series = block["runs"][0]["series"]["val/loss"]
    assert series["x"] == [1, 2, 3]
    np.testing.assert_allclose(series["y"], [row["val/loss"] for row in explored.epochs])


@pytest.mark.parametrize("task", ["supervised", "rotation"])
def test_what_is_cut_off_has_the_same_snapshots_and_training_does_not_feel_them(task, tmp_path):
    words = [*WORDS, f"task={task}"]
    train(tmp_path / "whole", *words, ON)
    steps = Run(tmp_path / "whole").read_checkpoint("last")["callbacks"]["Preemption"]["steps"]
    with stop_at(steps + 2):
        train(tmp_path / "parts", *words, ON)
    train(tmp_path / "parts", *words, ON)
    train(tmp_path / "without", *words)
    one, other = (Run(tmp_path / name).snapshots for name in ("whole", "parts"))
    for name, values in vars(one).items():
        np.testing.assert_array_equal(values, getattr(other, name))
    assert read_rows(tmp_path / "whole") == read_rows(tmp_path / "without")
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "without"))
    assert not Run(tmp_path / "without").has_snapshots
