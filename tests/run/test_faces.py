"""Faces from the command to the table: two losses side by side, resumed, looked at; mistakes in a sentence."""

import csv
import json
import math
import re

import numpy as np
import pytest
import torch
from PIL import Image
from tests.commands import command
from tests.conftest import NO_FIGURES, composed, typed
from tests.tiny_runs import analyze, read_metrics, read_rows, read_run, same, train, weights

from netgaze.data.doodles import draw_faces
from netgaze.errors import NetgazeError
from netgaze.experiment import open_run
from netgaze.measures.verification import verify

pytestmark = pytest.mark.slow  # each test trains

# 24 drawn people, 6 images each: a run takes a second or two.
FACES = ["data=doodle_faces", "data.num_classes=24", "data.num_val_people=6", "data.num_test_people=8"]
FACES += ["data.images_each=6", "data.image_size=32"]
SMALL = ["data.batch_size=16", "model.depths=[1,1]", "model.widths=[8,16]", "optim.lr=0.05", "trainer.max_epochs=2"]
SMALL += ["trainer.precision=32", "trainer.threads=1"]
SIAMESE = [*FACES, *SMALL, "task=siamese", "task.embedding_dim=8"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Two drawings of one person and one of another, as files of other sizes than the network's."""
    folder = tmp_path_factory.mktemp("pictures")
    drawn = draw_faces(np.array([0, 0, 1]), np.array([False, True, False]), 7, 40)
    for name, pixels in zip("abc", drawn, strict=True):
        Image.fromarray(pixels.transpose(1, 2, 0)).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run without figures, in this process."""
    folder = tmp_path_factory.mktemp("run") / "faces"
    train(folder, *SIAMESE, *NO_FIGURES)
    return folder


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Two losses, by one command."""
    folder = tmp_path_factory.mktemp("sweep")
    words = [*SIAMESE, "task.loss=contrastive,mining_contrastive", "figure=[verification]", "hydra.sweep.dir=sweep"]
    code, printed = command("-m", *words, cwd=folder)
    assert code == 0, printed
    return folder / "sweep", printed


class TestSweep:
    def test_it_ends_in_a_comparison(self, sweep):
        folder, printed = sweep
        assert (folder / "figures" / "verification.png").stat().st_size > 5000
        said = json.loads((folder / "figures" / "verification.json").read_text())
        assert list(said["numbers"]) == ["contrastive", "mining_contrastive", "untrained", "raw pixels"]
        assert said["controls"] == ["raw pixels", "untrained"]
        assert "EER, mixed minus without glasses: contrastive" in said["compared"]
        assert 'id="verification"' in (folder / "report.html").read_text(encoding="utf-8")
        assert "Traceback" not in printed

    def test_the_winner_has_the_larger_auc_on_validation(self, sweep):
        folder, printed = sweep
        with open(folder / "results.csv", newline="") as file:
            aucs = {row["label"]: float(row["val/auc"]) for row in csv.DictReader(file)}
        assert set(aucs) == {"contrastive", "mining_contrastive"}
        best = max(aucs, key=aucs.__getitem__)
        assert re.search(rf"Winner: {best}, with validation AUC {aucs[best]:#.3g}", printed), printed

    @pytest.mark.parametrize("number", ["0", "1"])
    def test_what_a_run_says_of_itself(self, sweep, number):
        folder = sweep[0] / number
        said = read_metrics(folder)
        for name in ("eer", "auc", "acc", "acc_macro", "rank1", "eer_mixed", "eer_with_glasses", "eer_without_glasses"):
            assert 0 <= said[f"test/{name}"] <= 1, name
        assert read_run(folder)["monitor"] == "val/auc"
        history = read_rows(folder)
        assert {"train/loss", "train/embedding_std", "val/eer", "val/auc", "val/acc"} <= set(history[0])
        best = max(history, key=lambda row: float(row["val/auc"]))
        assert int(best["epoch"]) == said["best/epoch"]


def test_a_folder_alone_says_again_what_the_run_said(run):
    subject = open_run(run)
    said = read_metrics(run)
    found = verify(subject.embeddings("test"), subject.data.labels("test"), cuts=[subject.threshold])
    assert found.eer == pytest.approx(said["test/eer"], abs=1e-6)
    assert found.auc == pytest.approx(said["test/auc"], abs=1e-6)
    assert found.at(subject.threshold)["acc"] == pytest.approx(said["test/acc"], abs=1e-6)
    assert subject.lacks(("classes", "task", "features")) == ["classes"]
    train, test = (set(subject.data.labels(split).tolist()) for split in ("train", "test"))
    assert not train & test


def test_the_network_was_trained_in_training_mode(run):
    counts = [value for name, value in weights(run, "last").items() if name.endswith("num_batches_tracked")]
    assert counts
    assert all(int(count) > 0 for count in counts)


def test_the_threshold_is_in_the_checkpoint(run):
    stored = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    said = stored["threshold"]
    assert said == {"value": float(stored["state_dict"]["threshold"]), "rule": "eer", "far": None, "people": "val"}
    assert open_run(run).threshold == said["value"]
    subject = open_run(run)
    chosen = verify(subject.embeddings("val"), subject.data.labels("val")).threshold("eer")
    assert said["value"] == pytest.approx(chosen, rel=1e-4)


@pytest.mark.parametrize(
    "more",
    [
        [],
        ["task.loss=mining_contrastive", "task.whiten=0.1", "task.mirror=true", "data.gradual_epochs=2"],
        ["task.loss=triplet", "model=grid_resnet", "task.embedding_dim=0", "task.threshold_from=train"],
    ],
    ids=["contrastive", "mining, whitened", "triplet on a grid"],
)
def test_resume_goes_on_as_if_never_stopped(more, tmp_path):
    words = [*SIAMESE, *NO_FIGURES, *more, "trainer.max_epochs=3"]
    train(tmp_path / "whole", *words)
    train(tmp_path / "parts", *words, "trainer.max_time=0")
    assert len(read_rows(tmp_path / "parts")) == 1
    train(tmp_path / "parts", *words)
    for name in ("last", "best"):
        whole, parts = (weights(tmp_path / folder, name) for folder in ("whole", "parts"))
        assert whole["threshold"].isfinite()
        assert same(whole, parts)
    assert read_rows(tmp_path / "whole") == read_rows(tmp_path / "parts")
    assert read_metrics(tmp_path / "whole") == read_metrics(tmp_path / "parts")


def test_two_processes_find_the_numbers_of_one_look_at_all_pairs(tmp_path):
    words = [*SIAMESE, "trainer.max_epochs=1", "trainer.devices=2", "trainer.accelerator=cpu", "figure=[verification]"]
    code, printed = typed(*words, "control=null", "hydra.run.dir=here", cwd=tmp_path)
    assert code == 0, printed
    found = json.loads((tmp_path / "here/figures/verification.json").read_text())["numbers"]["siamese"]
    assert read_metrics(tmp_path / "here")["test/eer"] == pytest.approx(found["eer"], abs=1e-6)
    assert read_metrics(tmp_path / "here")["test/acc"] == pytest.approx(found["acc"], abs=1e-6)


def test_looking_at_images_of_its_own_training_is_warned_of(run, caplog):
    own = open_run(run).config["data"]
    assert open_run(run, other=own | {"split_seed": 5}).data is not None  # other faces
    assert "flatter" not in caplog.text
    assert open_run(run, other=own | {"num_test_people": 12}).data is not None
    assert re.search(r"trained or chosen on 24 of the 72 test images", caplog.text)


def test_a_network_that_never_trained_has_a_threshold(tmp_path):
    train(tmp_path, *SIAMESE, *NO_FIGURES, "trainer.max_epochs=0", "task.whiten=0.1")
    assert weights(tmp_path, "best")["threshold"].isfinite()
    assert math.isfinite(open_run(tmp_path).threshold)
    assert 0 <= read_metrics(tmp_path)["test/acc"] <= 1


# --- looking at a run ---


def analyzed(run, cwd, *words):
    code, printed = command(f"runs=[{run}]", *words, "hydra.run.dir=seen", cwd=cwd, script="analyze.py")
    assert "Traceback" not in printed
    return code, printed


def test_two_pictures_and_an_answer(run, pictures, tmp_path):
    files = [str(pictures / "a.png"), str(pictures / "b.png")]
    code, printed = analyzed(run, tmp_path, "figure=[verify]", f"images=[{','.join(files)}]")
    assert code == 0, printed
    line = re.search(r"a\.png, b\.png: distance ([\d.]+), threshold ([\d.]+): ([01]) \((.*)\)  \[siamese\]", printed)
    assert line, printed
    distance, threshold, answer = float(line[1]), float(line[2]), int(line[3])
    subject = open_run(run)
    one, other = subject.embed(subject.data.read_images(files)).double()
    assert distance == pytest.approx(float((one - other).norm()), abs=1e-3)
    assert threshold == pytest.approx(subject.threshold, abs=1e-4)
    assert answer == int(distance > threshold)
    assert line[4] == ("same person", "different people")[answer]
    assert (tmp_path / "seen" / "figures" / "verify.png").stat().st_size > 5000


def test_what_asks_for_classes_is_left_out_and_named(run, tmp_path):
    code, printed = analyzed(run, tmp_path, "figure=[cam,filters]")
    assert code == 0, printed
    assert re.search(r"^cam is left out: .*has no classes$", printed, re.M), printed
    assert sorted(path.name for path in (tmp_path / "seen" / "figures").glob("*.png")) == ["filters.png"]


def test_other_people_of_another_size(run, tmp_path):
    """Their images take the run's size; the threshold stays the run's; the run's folder stays as it is."""
    before = sorted(run.rglob("*"))
    other = ["data=doodle_faces", "data.num_classes=20", "data.num_val_people=5", "data.num_test_people=7"]
    other += ["data.images_each=4", "data.split_seed=3", "figure=[verification,confusion,cam]"]
    code, printed = analyzed(run, tmp_path, *other, "control=null")
    assert code == 0, printed
    said = json.loads((tmp_path / "seen" / "figures" / "verification.json").read_text())
    (seen,) = said["numbers"].values()
    assert seen["threshold"] == open_run(run).threshold
    counted = seen["comparisons"]["all pairs"]
    assert (counted["num_people"], counted["num_same"]) == (7, 7 * 6)
    assert counted["num_different"] == 28 * 27 // 2 - 7 * 6
    for name in ("cam", "confusion"):
        assert f"{name} is left out" in printed
        assert not (tmp_path / "seen" / "figures" / f"{name}.png").exists()
    assert sorted(run.rglob("*")) == before


def test_other_data_comes_in_the_form_that_the_network_knows(run):
    settings = composed(*FACES[:1], "data.split_seed=3", "data.num_classes=30", "data.num_val_people=4")
    other = {**settings.data, "augment": None, "image_size": 64, "num_test_people": 4, "mean": [0.1, 0.2, 0.3]}
    subject = open_run(run, other=other)
    assert subject.data.images("test").shape == (4 * 12, 3, 32, 32)
    assert subject.data.mean == (0.5, 0.5, 0.5)
    assert subject.lacks(("classes",)) == ["classes"]
    assert subject.embeddings("test").shape == (48, 8)
    assert subject.train_data.fingerprint != subject.data.fingerprint


# --- mistakes ---


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["task=supervised"], r"learns to name classes, but 8 of those in the test of Doodle faces .*task=siamese"),
        (
            ["task=siamese", "task.loss=cosine"],
            r"task\.loss=cosine: expected contrastive, mining_contrastive or triplet",
        ),
        (["task=siamese", "task.whiten=-2"], r"task\.whiten=-2 must be 0 or more"),
        (["task=siamese", "task.embedding_dim=0"], r"task\.embedding_dim=0: ResNet cannot do without"),
        (["task=siamese", "optim.lr=1e30", "task.whiten=0.1", "trainer.max_epochs=1"], r"no longer finite|non-finite"),
    ],
)
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_a_persons_mistake_gets_a_sentence(words, said, tmp_path):
    given = [*FACES, *SMALL, *NO_FIGURES, "trainer.max_epochs=0", *words]
    with pytest.raises(NetgazeError, match=said) as error:
        train(tmp_path, *given)
    assert "\n" not in str(error.value)
    assert read_run(tmp_path)["status"] == "failed"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a.png"], "figure=\[verify\] needs two pictures"),
        (["a.png", "text.png"], r"text\.png cannot be read as a picture"),
        (["missing.png", "a.png"], r"there is no file .*missing\.png"),
    ],
)
def test_pictures_that_do_not_do(run, pictures, tmp_path, names, said):
    (pictures / "text.png").write_text("no picture")
    files = ",".join(f"'{pictures / name}'" for name in names)
    words = [f"runs=['{run}']", "figure=[verify]", f"images=[{files}]"]
    with pytest.raises(NetgazeError, match=said) as error:
        analyze(tmp_path, *words)
    assert "\n" not in str(error.value)


def test_a_mistyped_loss_on_the_command_line(tmp_path):
    code, printed = command(*SIAMESE, *NO_FIGURES, "task.loss=contrastiv", cwd=tmp_path)
    assert code == 1
    assert "expected contrastive, mining_contrastive or triplet." in printed
    assert "Traceback" not in printed


def test_a_missing_picture_on_the_command_line(run, pictures, tmp_path):
    code, printed = analyzed(run, tmp_path, "figure=[verify]", f"images=[{pictures / 'a.png'},nowhere.png]")
    assert code == 1
    assert "there is no file nowhere.png" in printed
