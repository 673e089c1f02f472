"""What version 0.1 computed and wrote: today's code computes the same, and opens, resumes and compares its runs.

On the machine that wrote the records they hold to the bit; here within rounding, as processors differ.
"""

import json
import shutil
from pathlib import Path

import pytest
import torch
from tests.golden.record import CASES, DIGITS, read_history, record

from netgaze import analyze, fit
from netgaze.experiment import open_run
from netgaze.run import Run

pytestmark = pytest.mark.slow  # each trains

HERE = Path(__file__).parent
OLD = HERE / "runs"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the cases run: a probe starts from the supervised one."""
    return tmp_path_factory.mktemp("golden")


@pytest.fixture(scope="module")
def resumed(tmp_path_factory):
    """Runs of version 0.1, resumed for a third epoch."""
    place = tmp_path_factory.mktemp("resumed")
    for name in ("supervised", "siamese"):
        shutil.copytree(OLD / name, place / name)
        fit([f"resume={place / name}", "trainer.max_epochs=3"])
    return place


def assert_equal_within_rounding(found, expected):
    assert [row.keys() for row in found["history"]] == [row.keys() for row in expected["history"]]
    for mine, theirs in zip(found["history"], expected["history"], strict=True):
        assert mine == pytest.approx(theirs, rel=1e-2, abs=0.02)
    assert found["metrics"] == pytest.approx(expected["metrics"], rel=1e-2, abs=0.02)


@pytest.mark.parametrize("name", CASES)
def test_the_same_losses_history_and_numbers(name, folder):
    expected, found = json.loads((HERE / f"{name}.json").read_text()), record(name, folder)
    assert found["losses"] == pytest.approx(expected["losses"], rel=1e-3)
    assert_equal_within_rounding(found, expected)


@pytest.mark.parametrize("name", ["supervised", "siamese"])
def test_an_old_run_goes_on_as_it_would_have(name, resumed):
    run = Run(resumed / name)
    found = {"history": read_history(run.folder), "metrics": run.metrics}
    assert_equal_within_rounding(found, json.loads((OLD / f"{name}_resumed.json").read_text()))
    assert run.facts["versions"]["netgaze"] != "0.1.0"


def test_an_old_run_opens_from_its_folder_alone():
    subject = open_run(OLD / "supervised")
    assert subject.data.training.labeled_fraction == 0.5
    assert subject.data.augment.crop_padding == 3
    assert subject.features("test").shape == (120, 16)
    whitened = open_run(OLD / "siamese", "last").task
    assert whitened.center.abs().sum() > 0
    assert not torch.equal(whitened.projection, torch.eye(8))


def test_an_old_run_lies_beside_a_new_one(tmp_path):
    new = fit([*DIGITS, "task=rotation", f"hydra.run.dir={tmp_path / 'new'}"])
    runs = f"runs=[{OLD / 'supervised'},{new.folder}]"
    seen = analyze([runs, "figure=[curves,knn]", f"hydra.run.dir={tmp_path / 'seen'}"])
    assert (seen.table["status"] == "finished").all()
    assert [path.name for path in seen.figures] == ["curves.png", "knn.png"]
    labels = list(json.loads((seen.folder / "figures" / "knn.json").read_text())["numbers"])
    assert labels[0].startswith("task=supervised") or labels[0].startswith("supervised")
    assert not (OLD / "supervised" / "figures" / "knn.npz").exists(), "looking at an old run leaves it as it was"
