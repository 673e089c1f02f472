"""Data that was moved: what needs none does without, what needs it is told where it lies, and a run learns it."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from tests.commands import command
from tests.conftest import TINY
from tests.tiny_runs import read_run

from netgaze.errors import NetgazeError
from netgaze.run import Run, open_run
from netgaze.weights import read_checkpoint

WORDS = [word for word in TINY if not word.startswith(("data=", "data.limit"))]
OWN = ["data=folder", "data.image_size=16", "figure=[curves]", "control=null"]


def lay(root, seed=0, classes=("dark", "light")):
    """Two kinds of squares; another seed has other pixels."""
    rng = np.random.default_rng(seed)
    for kind, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for number in range(20):
            pixels = rng.integers(0, 100, (16, 16, 3)) + 150 * kind
            Image.fromarray(pixels.astype(np.uint8)).save(root / name / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run and its data."""
    folder = tmp_path_factory.mktemp("trained")
    lay(folder / "old")
    code, printed = command(*WORDS, *OWN, "data.dir=old", "hydra.run.dir=run", cwd=folder)
    assert code == 0, printed
    return folder


@pytest.fixture
def moved(trained, tmp_path):
    """The run, whose data now lies at `new`, beside other data and a picture of one's own."""
    shutil.copytree(trained / "run", tmp_path / "run")
    shutil.copytree(trained / "old", tmp_path / "new")
    lay(tmp_path / "other", seed=1)
    Image.new("RGB", (20, 30), "white").save(tmp_path / "own.png")
    return tmp_path


def analyze(folder, *words):
    return command("runs=[run]", "hydra.run.dir=look", *words, cwd=folder, script="analyze.py")


def test_own_pictures_are_predicted_without_the_data(moved):
    for control in ("null", "untrained"):
        code, printed = analyze(moved, "figure=[predict]", "images=[own.png]", f"control={control}")
        assert code == 0, printed
        assert "own.png: light" in printed
        assert (moved / "look" / "figures" / "predict.png").exists()


def test_what_needs_the_data_says_how_to_tell_where_it_is(moved):
    code, printed = analyze(moved, "figure=[confusion]", "control=null")
    assert code == 1
    assert "The data of run is no longer at old. Say where it lies now: data.dir=<folder>" in printed
    assert "Traceback" not in printed


def test_data_dir_finds_it_and_the_numbers_are_the_same(moved):
    code, printed = analyze(moved, "figure=[confusion]", "control=null", "data.dir=new")
    assert code == 0, printed
    assert "other data" not in printed
    assert "changed" not in printed
    (found,) = json.loads((moved / "look" / "figures" / "confusion.json").read_text())["numbers"].values()
    assert found["acc"] == pytest.approx(Run(moved / "run").metrics["test/acc"])
    assert open_run(moved / "run", data_dir=str(moved / "new")).data.fingerprint == read_run(moved / "run")["data"]


def test_other_data_there_is_looked_at_as_such(moved):
    code, printed = analyze(moved, "figure=[confusion]", "control=null", "data.dir=other")
    assert code == 0, printed
    assert "data.dir=other contains other data than it was trained on" in printed
    lay(moved / "birds", classes=("crow", "jay"))
    code, printed = analyze(moved, "figure=[confusion]", "control=null", "data.dir=birds")
    assert "treated as other data" in printed
    assert "confusion is left out" in printed  # it knows nothing of crows
    lay(moved / "three", classes=("a", "b", "c"))
    code, printed = analyze(moved, "figure=[confusion]", "control=null", "data.dir=three")
    assert code == 1
    assert "data.dir=three is not the data of run: " in printed


@pytest.mark.slow
def test_a_resume_stores_the_place(moved):
    before = [(moved / "run" / name).read_bytes() for name in ("metrics.json", "history.csv")]
    for _ in range(2):
        code, printed = command("resume=run", "data.dir=new", cwd=moved)
        assert code == 0, printed
        assert "run is already finished" in printed
    assert [(moved / "run" / name).read_bytes() for name in ("metrics.json", "history.csv")] == before
    assert Run(moved / "run").config["data"]["dir"] == "new"
    assert "dir: new" in (moved / "run" / ".hydra" / "config.yaml").read_text()
    assert read_run(moved / "run")["status"] == "finished"
    code, printed = analyze(moved, "figure=[confusion]", "control=null")
    assert code == 0, printed
    code, printed = command("resume=run", cwd=moved)
    assert code == 0
    assert "run is already finished" in printed


def test_other_data_cannot_take_its_place(moved):
    files = [path for path in (moved / "run").rglob("*") if path.is_file() and path.suffix != ".log"]
    before = {path: path.read_bytes() for path in files}
    code, printed = command("resume=run", "data.dir=other", cwd=moved)
    assert code == 1
    assert "data.dir=other holds other data than run was trained on" in printed
    assert all(path.read_bytes() == content for path, content in before.items())


@pytest.mark.slow
def test_an_unfinished_run_goes_on_from_the_new_place(moved):
    code, printed = command("resume=run", "data.dir=other", "trainer.max_epochs=3", cwd=moved)
    assert code == 1
    assert "holds other data" in printed
    code, printed = command("resume=run", "data.dir=new", "trainer.max_epochs=3", cwd=moved)
    assert code == 0, printed
    assert len(Run(moved / "run").epochs) == 3
    assert read_checkpoint(moved / "run" / "checkpoints" / "last.ckpt")["netgaze"]["config"]["data"]["dir"] == "new"


@pytest.mark.slow
def test_a_chain_of_stages_moves_as_a_whole(tmp_path):
    lay(tmp_path / "old")
    few = ["data.per_class=4", "data.epoch_size=16", "data.batch_size=8", "stages.pseudo_labels.task.k=4"]
    words = [*WORDS, *OWN, "task=teacher_student", *few, "stages.pseudo_labels.task.p=1", "trainer.max_epochs=1"]
    code, printed = command(*words, "data.dir=old", "hydra.run.dir=run", cwd=tmp_path)
    assert code == 0, printed
    (tmp_path / "old").rename(tmp_path / "new")
    code, printed = command("resume=run", "data.dir=new", cwd=tmp_path)
    assert code == 0, printed
    for stage in (tmp_path / "run", *(path.parent for path in (tmp_path / "run" / "stages").glob("*/run.json"))):
        assert Run(stage).config["data"]["dir"] == "new"
    code, printed = analyze(tmp_path, "figure=[confusion]", "control=null")
    assert code == 0, printed


def test_without_a_folder_there_is_nothing_to_move(tmp_path):
    code, printed = command(*TINY, "figure=[]", "control=null", "hydra.run.dir=run", cwd=tmp_path)
    assert code == 0, printed
    assert open_run(tmp_path / "run", data_dir="anywhere").data.fingerprint == read_run(tmp_path / "run")["data"]


def test_in_a_notebook_the_sentence_is_an_error(moved, monkeypatch):
    monkeypatch.chdir(moved)
    with pytest.raises(NetgazeError, match=r"no longer at old.*open_run\(\.\.\., data_dir=<folder>\)"):
        open_run("run").data.setup()
