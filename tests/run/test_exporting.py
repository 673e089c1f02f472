"""A run exported by analyze, and taken back by init: files, numbers, what is said, and nothing half done."""

import json
import shutil

import numpy as np
import onnxruntime
import pytest
import torch
import yaml
from safetensors import safe_open
from tests.commands import command
from tests.conftest import NO_FIGURES, TINY
from tests.tiny_runs import analyze, read_history, read_metrics, read_run, train, weights

from netgaze.errors import NetgazeError
from netgaze.exports.safetensors import Safetensors
from netgaze.run import open_run

pytestmark = pytest.mark.slow  # they train

QUICK = [*TINY, *NO_FIGURES]
BOTH = "export=[onnx,safetensors]"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train(tmp_path_factory.mktemp("runs") / "a", *QUICK)


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


def test_the_command_leaves_three_files_and_draws_nothing(run, tmp_path):
    code, said = command(f"runs={run}", BOTH, cwd=tmp_path, script="analyze.py")
    assert code == 0, said
    assert sorted(path.name for path in (run / "export").iterdir()) == ["README.md", "model.onnx", "model.safetensors"]
    lines = said.strip().splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        str(run / "export" / name) for name in ("model.onnx", "model.safetensors", "README.md")
    ]
    assert "onnxruntime gives the same logits on 8 test images" in lines[0]
    (folder,) = (tmp_path / "outputs" / "analysis").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == [".hydra", "analyze.log"]


def test_onnxruntime_has_the_accuracy_of_the_run(run, tmp_path):
    analyze(tmp_path / "out", f"runs=[{run}]", BOTH, "export.onnx.license=mit", "export.safetensors.license=mit")
    session = onnxruntime.InferenceSession(str(run / "export" / "model.onnx"))
    data = open_run(run).data
    pixels = data.images("test").float().numpy() / 255
    answers = session.run(None, {"images": pixels})[0].argmax(axis=1)
    accuracy = float(np.mean(answers == data.labels("test").numpy()))
    assert accuracy == pytest.approx(read_metrics(run)["test/acc"], abs=1e-6)
    known = session.get_modelmeta().custom_metadata_map
    assert json.loads(known["numbers"])["test/acc"] == read_metrics(run)["test/acc"]
    assert known["command"] == read_run(run)["command"]
    assert known["data"] == data.fingerprint
    card = (run / "export" / "README.md").read_text()
    assert yaml.safe_load(card.split("---\n")[1])["license"] == "mit"


@pytest.mark.parametrize("source", ["export", "export/model.onnx", "export/model.safetensors"])
def test_init_takes_it_back(source, run, tmp_path):
    analyze(tmp_path / "out", f"runs=[{run}]", BOTH)
    again = train(tmp_path / "again", *QUICK, "trainer.max_epochs=0", f"init={run / source}")
    assert read_run(again)["init"]["new"] == []
    own, back = weights(run, "best"), weights(again, "best")
    counted = [name for name in own if name.endswith("num_batches_tracked")]  # which no graph has
    assert all(torch.equal(own[name], back[name]) for name in own if name not in counted)
    assert read_metrics(again)["test/acc"] == read_metrics(run)["test/acc"]


def test_a_license_may_be_any_text(run, tmp_path):
    for typed, meant in (("3", "3"), ("'a: b|c'", "a: b|c")):
        code, said = command(f"runs={run}", BOTH, f"export.onnx.license={typed}", cwd=tmp_path, script="analyze.py")
        assert code == 0, said
        known = onnxruntime.InferenceSession(str(run / "export" / "model.onnx")).get_modelmeta().custom_metadata_map
        assert known["license"] == meant
        assert yaml.safe_load((run / "export" / "README.md").read_text().split("---\n")[1])["license"] == meant


def test_the_last_epoch_is_another_network_with_other_numbers(run, tmp_path):
    words = (f"runs=[{run}]", "export=[safetensors]")
    analyze(tmp_path / "out", *words, "checkpoint=last")
    with safe_open(run / "export" / "model.safetensors", framework="pt") as file:
        assert file.metadata()["checkpoint"] == "last"
        assert file.metadata()["epoch"] == "2"
        assert torch.equal(file.get_tensor("conv1.weight"), weights(run, "last")["model.conv1.weight"])
        numbers = json.loads(file.metadata()["numbers"])
    assert numbers["last/val_acc"] == read_history(run)[-1]["val/acc"]
    assert not any(name.startswith("test/") or name == "val/acc" for name in numbers)


def test_several_runs_and_figures_too(run, tmp_path):
    other = train(tmp_path / "other", *QUICK, "task=simclr", "data.batch_size=20")
    out = analyze(tmp_path / "out", f"runs=[{run},{other}]", "export=[onnx]", "figure=[curves]")
    assert all((folder / "export" / "model.onnx").is_file() for folder in (run, other))
    assert (out / "report.html").is_file()
    assert "It names no classes" in (other / "export" / "README.md").read_text()


@pytest.mark.parametrize("earlier", [True, False])
def test_where_one_form_fails_nothing_changes(earlier, run, tmp_path, monkeypatch):
    folder = run / "export"
    if earlier:
        analyze(tmp_path / "out", f"runs=[{run}]", BOTH)
    before = {path.name: path.read_bytes() for path in folder.glob("*")}

    def fail(self, exported, path):
        path.write_bytes(b"half")
        raise NetgazeError("no more")

    monkeypatch.setattr(Safetensors, "write", fail)
    with pytest.raises(NetgazeError, match="no more"):
        analyze(tmp_path / "out", f"runs=[{run}]", BOTH, "export.onnx.opset=19")
    assert {path.name: path.read_bytes() for path in folder.glob("*")} == before


def test_what_cannot_be_is_said_in_a_sentence(run, tmp_path):
    for words, said in (
        ([f"runs={run}", "export=onnx", "export.onnx.opset=9"], "export.onnx.opset=9: torch writes 18 or newer"),
        ([f"runs={run}", "export=onx"], "There is no export=onx. Did you mean onnx?"),
        (["model=vgg19", "input=[3,32,32]", "export=onnx"], "export writes the networks of runs. Also type runs="),
        (
            [f"runs={run}", BOTH, "export.onnx.license=mit", "export.safetensors.license=cc0-1.0"],
            "export.onnx.license=mit and export.safetensors.license=cc0-1.0: both share one card.",
        ),
    ):
        code, printed = command(*words, cwd=tmp_path, script="analyze.py")
        assert code == 1
        assert said in printed, printed
        assert "Traceback" not in printed
    assert not (run / "export").exists()
