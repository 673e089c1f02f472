"""results.json: every image of the official test once, by the network that was tested; refused before training."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.conftest import NO_FIGURES, REAL, TINY
from tests.data.test_decathlon import IDS, read_json, strip, write_split
from tests.tiny_runs import read_metrics, train

from netgaze import ending, experiment
from netgaze.errors import NetgazeError
from netgaze.experiment import open_run

pytestmark = pytest.mark.slow  # each test trains

SHORT = [word for word in TINY if not word.startswith("data")]
SIGNS = ["data=decathlon/gtsrb", "data.set=signs", "data.image_size=16", "data.batch_size=8"]
EXPORT = "export_predictions=true"


@pytest.fixture(scope="module")
def signs(tmp_path_factory):
    """Three classes with ids that have gaps, and a test without labels in another order than the labeled one."""
    root = tmp_path_factory.mktemp("signs")
    for split, num_each, first in (("train", 8, 1000), ("val", 4, 2000), ("test", 9, 3000)):
        write_split(root, split, num_each, first)
        tint(root, split)
    strip(root)
    return root


def tint(root, split):
    """Give each class more of a color, so that there is something to learn."""
    content = read_json(root, split)
    of_image = {one["image_id"]: sorted(IDS).index(one["category_id"]) for one in content["annotations"]}
    for one in content["images"]:
        path = root / "decathlon-1.0" / one["file_name"]
        pixels = np.asarray(Image.open(path)) // 2
        pixels[..., of_image[one["id"]]] += np.uint8(one["id"] * 7 % 60)
        Image.fromarray(pixels).save(path)


def words(root, *more):
    return [*SHORT, *NO_FIGURES, *SIGNS, f"data.dir='{root}'", *more]


def judged(root, folder, name="signs"):
    """The accuracy of results.json, after a look at its form: ids in the order of the stripped file."""
    annotations = root / "decathlon-1.0" / "annotations"
    stripped, test = (json.loads((annotations / f"{name}_{end}.json").read_text()) for end in ("test_stripped", "test"))
    named = json.loads((folder / "results.json").read_text())
    assert [one["image_id"] for one in named] == [one["id"] for one in stripped["images"]]
    assert all(set(one) == {"image_id", "category_id"} for one in named)
    assert {one["category_id"] for one in named} <= {one["id"] for one in stripped["categories"]}
    truth = {one["image_id"]: one["category_id"] for one in test["annotations"]}
    return sum(truth[one["image_id"]] == one["category_id"] for one in named) / len(named)


def assert_told(root, folder, name="signs"):
    assert judged(root, folder, name) == pytest.approx(read_metrics(folder)["test/acc"], abs=1e-6)


def naive(root, folder):
    """Every answer by its image's id, from the labeled test in its own order."""
    logits = open_run(folder).outputs("test").logits
    ids = [one["id"] for one in read_json(root, "test")["images"]]
    return dict(zip(ids, [sorted(IDS)[place] for place in logits.argmax(axis=1)], strict=True))


def answers(folder):
    return {one["image_id"]: one["category_id"] for one in json.loads((folder / "results.json").read_text())}


def test_results_are_the_tested_networks_and_a_resumed_runs_the_same(signs, tmp_path):
    train(tmp_path / "whole", *words(signs, EXPORT, "trainer.max_epochs=4"))
    assert_told(signs, tmp_path / "whole")
    assert answers(tmp_path / "whole") == naive(signs, tmp_path / "whole")
    assert len(set(answers(tmp_path / "whole").values())) > 1, "a network that answers one thing proves no order"
    train(tmp_path / "parts", *words(signs, EXPORT, "trainer.max_epochs=4", "trainer.max_time=0"))
    train(tmp_path / "parts", *words(signs, EXPORT, "trainer.max_epochs=4"))
    assert answers(tmp_path / "parts") == answers(tmp_path / "whole")


@pytest.mark.parametrize("stop", ["trainer.max_time=0", "trainer.max_epochs=2"])
def test_a_finished_run_exports_later_and_does_not_train_on(signs, tmp_path, stop):
    train(tmp_path, *words(signs, stop))
    assert not (tmp_path / "results.json").exists()
    before = (tmp_path / "history.csv").read_text(), read_metrics(tmp_path)
    train(tmp_path, *words(signs, stop, EXPORT))
    assert before == ((tmp_path / "history.csv").read_text(), read_metrics(tmp_path))
    assert_told(signs, tmp_path)
    assert answers(tmp_path) == naive(signs, tmp_path)


def test_a_limit_shortens_no_export(signs, tmp_path):
    train(tmp_path, *words(signs, EXPORT, "data.limit=6"))
    assert read_metrics(tmp_path)["test/images"] == 6
    assert len(answers(tmp_path)) == 27


@pytest.mark.parametrize("cached", [True, False])
def test_a_probe_answers_with_its_best_head(signs, tmp_path, cached):
    probe = ["task=linear_probe", "task.lrs=[0.5,1e-6]", f"task.cache_features={cached}", "trainer.max_epochs=6"]
    train(tmp_path, *words(signs, EXPORT, *probe))
    assert_told(signs, tmp_path)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["data=digits"], "Digits has no official test"),
        (["task=rotation"], "Rotation does not predict the classes of Decathlon signs"),
    ],
)
def test_what_cannot_be_exported_is_said_before_training(signs, tmp_path, monkeypatch, typed, said):
    monkeypatch.setattr(experiment, "_fit", lambda *_: pytest.fail("it trains"))
    given = [*TINY, EXPORT, *typed] if typed[0].startswith("data") else words(signs, EXPORT, *typed)
    with pytest.raises(NetgazeError, match=f"export_predictions=true: {said}"):
        train(tmp_path, *given)


def test_no_stripped_file_is_said_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(experiment, "_fit", lambda *_: pytest.fail("it trains"))
    for split, first in (("train", 1000), ("val", 2000)):
        write_split(tmp_path, split, 4, first)
    with pytest.raises(NetgazeError, match=r"no .*signs_test_stripped\.json"):
        train(tmp_path / "run", *words(tmp_path, EXPORT))


def test_nothing_is_written_where_writing_fails(signs, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    def write(path, content):
        with monkeypatch.context() as patch:
            if Path(path).name == "results.json":
                patch.setattr(os, "replace", fail)
            real(path, content)

    real = ending.write_json
    monkeypatch.setattr(ending, "write_json", write)
    with pytest.raises(NetgazeError, match=r"results\.json"):
        train(tmp_path, *words(signs, EXPORT))
    assert not list(tmp_path.glob("*results.json*"))
    monkeypatch.undo()
    train(tmp_path, *words(signs, EXPORT))
    assert_told(signs, tmp_path)


def test_the_real_traffic_signs(tmp_path):
    if not (REAL / "decathlon-1.0" / "annotations" / "gtsrb_test.json").exists():
        pytest.skip(f"no labeled test of decathlon/gtsrb at {REAL}: set NETGAZE_DATA")
    tiny = ["data=decathlon/gtsrb", f"data.dir='{REAL}'", "data.image_size=32", "model.widths=[8,16]"]
    train(tmp_path, *SHORT, *NO_FIGURES, *tiny, "trainer.max_epochs=1", EXPORT)
    assert_told(REAL, tmp_path, "gtsrb")
