"""analyze.py on a network without a run: from the line typed to table, files and page, and every mistake a sentence."""

import json
import subprocess
import sys

import pytest
from tests.conftest import ROOT, TINY, composed, typed
from tests.tiny_runs import analyze, train

from netgaze.early_checks import check_analyze
from netgaze.errors import NetgazeError

pytestmark = pytest.mark.slow  # each command starts a process


def asked(folder, *words):
    """What the figure anatomy says in an analysis."""
    return json.loads((analyze(folder, *words) / "figures" / "anatomy.json").read_text())


def test_the_whole_command(tmp_path):
    words = ("figure=[anatomy]", "model=vgg19", "input=[3,224,224]", "hydra.run.dir=seen")
    code, printed = typed(*words, cwd=tmp_path, script="analyze.py")
    assert code == 0, printed
    assert "143,667,240" in printed
    content = json.loads((tmp_path / "seen" / "figures" / "anatomy.json").read_text())
    assert content["totals"] == {
        "params": 143_667_240,
        "params_no_bias": 143_652_544,
        "activations": 16_542_184,
        "macs": 19_632_062_464,
    }
    page = (tmp_path / "seen" / "report.html").read_text()
    assert "features.34" in page
    assert "102,764,544" in page
    assert 'id="runs"' not in page
    assert 'id="results"' not in page
    assert not (tmp_path / "seen" / "results.csv").exists()


@pytest.mark.parametrize(
    ("form", "params", "no_bias"),
    [("two_group", 60_965_224, 60_954_656), ("one_group", 62_378_344, 62_367_776), ("torchvision", 61_100_840, None)],
)
def test_alexnets_forms(form, params, no_bias, tmp_path):
    content = asked(tmp_path, "model=alexnet", f"model.form={form}", "input=[3,224,224]")
    assert content["totals"]["params"] == params
    assert no_bias in (None, content["totals"]["params_no_bias"])
    assert list(content["numbers"]) == [f"alexnet, form={form}"]


@pytest.mark.parametrize("word", ["task.num_classes=10", "model.num_classes=10"])
def test_classes_as_typed(word, tmp_path):
    content = asked(tmp_path, "model=resnet_small", "input=[3,32,32]", word)
    assert content["totals"]["params"] == 1_228_970


def test_what_the_data_knows_need_not_be_typed(tmp_path):
    content = asked(tmp_path, "model=resnet_small", "data=digits", "labels=[mine]")
    assert content["tables"]["mine"][0]["output"] == "1x32x32"
    assert content["tables"]["mine"][-1]["output"] == "10"


def test_beside_a_run(tmp_path):
    run = tmp_path / "run"
    train(run, *TINY, "figure=[anatomy]", "callback=[history,keep]", "control=null", "name=x")
    first = json.loads((run / "figures" / "anatomy.json").read_text())
    words = (f"runs=[{run}]", "model=resnet20", "figure=[anatomy,filters]")
    content = asked(tmp_path / "seen", *words)
    assert list(content["totals"]) == ["supervised", "resnet20"]
    assert content["totals"]["supervised"] == first["totals"]
    assert content["tables"]["resnet20"][-1]["output"] == "10"
    filters = json.loads((tmp_path / "seen" / "figures" / "filters.json").read_text())
    assert filters["left_out"]["resnet20"] == "no task"
    assert 'id="runs"' in (tmp_path / "seen" / "report.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model=alexnet", "input=[3,40,40]"], "AlexNet needs images of at least 63x63 pixels, got 40x40"),
        (["model=vgg19", "input=[3,64,64]", "model.in_channels=1"], "VGG cannot read images of 3x64x64"),
        (["model=alexnet", "input=[3,64,64]", "figure=[cam]"], "cam cannot be drawn without a run"),
        (["model=alexnet", "input=[3,64,64]", "model.form=two"], "expected form to be one of two_group"),
        (["model=dynamic_conv", "input=[3,32,40]"], "needs square images. Type input=.3,32,32."),
        (["model=alexnet", "input=[3,64,64]", "labels=[a,b]"], "one title per network, 1 different"),
        (["model=alexnet", "input=[3,64,64]", "runs=[nowhere]"], "nowhere contains no run"),
    ],
)
def test_mistakes_are_sentences(words, said, tmp_path):
    with pytest.raises(NetgazeError, match=said):
        asked(tmp_path, *words)


MISTAKES = [
    ([], "runs is missing"),
    (["model=vgg19"], "input is missing"),
    (["model=vgg19", "input=[3,224]"], "expected channels, height and width"),
    (["model=vgg19", "input=[3,224,0]"], "expected channels, height and width"),
    (["model=vgg19", "input=[3,224,1.5]"], "expected channels, height and width"),
    (["model=vgg19", "input=large"], "expected channels, height and width"),
    (["model=vgg19", "input=3"], "expected channels, height and width"),
    (["input=[3,224,224]", "runs=[x]"], "Add model="),
]


@pytest.mark.parametrize(("words", "said"), MISTAKES)
def test_what_is_missing_is_said(words, said):
    with pytest.raises(NetgazeError, match=said):
        check_analyze(composed(*words, name="analyze"))


def test_mistakes_are_said_before_torch_is_imported(tmp_path):
    code = (
        "import sys, runpy\n"
        f"sys.argv = ['analyze.py', 'model=vgg19', 'input=[3,224]']\n"
        f"try: runpy.run_path({str(ROOT / 'analyze.py')!r}, run_name='__main__')\n"
        "finally: print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.strip() == "False"
    assert "expected channels, height and width" in done.stderr


def test_help_shows_the_command():
    printed = subprocess.run(
        [sys.executable, str(ROOT / "analyze.py"), "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert "model=vgg19 input=[3,224,224] figure=[anatomy]" in printed
