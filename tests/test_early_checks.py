"""What is wrong with a command and can be seen without torch is said without it, and before a run is trained."""

import json
import subprocess
import sys

import pytest
from tests.conftest import ROOT, TINY, composed

from netgaze.early_checks import Known, check_analyze, check_named, check_train
from netgaze.errors import NetgazeError

LAYERS = ["conv1", "layer1", "layer1.0", "layer1.0.conv1", "layer2", "fc"]


def write_run(folder, *checkpoints, **facts):
    """A run's folder with the facts that are asked for, and checkpoints of no bytes: none is opened."""
    (folder / "checkpoints").mkdir(parents=True)
    for name in checkpoints:
        (folder / "checkpoints" / f"{name}.ckpt").touch()
    known = {"layers": LAYERS, "classes": ["cat", "dog"], "found": {"images": {"train": 9, "val": 8, "test": 5}}}
    (folder / "run.json").write_text(json.dumps({"status": "finished"} | known | facts))
    return folder


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder to type commands in, with two runs, two pictures and a file of weights."""
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "whole", "best", "last")
    write_run(tmp_path / "sweep" / "10", "last", layers=["conv1", "layer9"])
    write_run(tmp_path / "sweep" / "9", "best", layers=["conv1", "layer7"])
    write_run(tmp_path / "begun")
    write_run(tmp_path / "old", "best", layers=None, found=None)
    (tmp_path / "a.jpg").touch()
    (tmp_path / "weights.pt").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "old" / "pseudo_labels.npz").touch()
    return tmp_path


TRAIN = [
    (["figure=[inversion]", "figure.inversion.images=[missing.jpg]"], r"^figure\.inversion\.images: .* missing\.jpg"),
    (["figure=[predict]", "figure.predict.images=[a.jpg,missing.jpg]"], r"^figure\.predict\.images: .* missing\.jpg"),
    (["figure=[verify]", "figure.verify.images=[missing.jpg,a.jpg]"], r"^figure\.verify\.images: .* missing\.jpg"),
    (["init=missing.pth"], r"^init=missing\.pth: there is no such file"),
    (["init={file:missing.pth,key:ema}"], r"^init=missing\.pth: there is no such file"),
    (["init=begun"], r"^init=begun: there is no such file of weights, nor a run"),
    (["task=teacher_student", "+stages.teacher.init=missing.pth"], r"^init=missing\.pth: there is no such file"),
    (["data.pseudo_labels=missing.npz"], r"^There are no pseudo-labels at missing\.npz"),
    (["data.pseudo_labels=whole"], r"^There are no pseudo-labels at whole/pseudo_labels\.npz"),
    (["control=trained"], "^Unknown control=trained. Choose untrained, or null for none.$"),
    (["task=linear_probe", "task.monitor=0.1"], "^task.monitor=0.1: the best epoch is chosen by validation alone."),
    (["task=rotation", "task.monitor=test/acc"], "^task.monitor=test/acc: the best epoch"),
    (["task=teacher_student", "+stages.student.task.monitor=0"], "^task.monitor=0: the best epoch"),
    (["control=random"], "^control=random is now control=untrained.$"),
    (["figures.precision=bf16"], "^Unknown figures.precision=bf16. Choose auto or 32."),
    (["data=folder", "data.dir=missing"], "Cannot read the folder missing"),
    (["data=folder"], "^data.dir is missing"),
]


@pytest.mark.parametrize(("words", "said"), TRAIN, ids=str)
def test_what_cannot_become_a_run(words, said, place):
    with pytest.raises(NetgazeError, match=said):
        check_train(composed(*words), place / "new")


@pytest.mark.parametrize(
    "words",
    [
        ["figure=[inversion]", "figure.inversion.images=[a.jpg]"],
        ["init=weights.pt"],
        ["init=whole"],
        ["init=imagenet"],
        ["data.pseudo_labels=old"],
        ["task=teacher_student"],
        ["control=null"],
    ],
    ids=" ".join,
)
def test_what_can_become_a_run(words, place):
    check_train(composed(*words), place / "new")


def test_a_run_that_has_begun_needs_no_files_but_its_own(place):
    words = ["init=missing.pth", "figure=[inversion]", "figure.inversion.images=[missing.jpg]"]
    check_train(composed(*words), place / "whole")
    with pytest.raises(NetgazeError, match="missing"):
        check_train(composed(*words), place / "begun")


ANALYZE = [
    (["runs=[missing]"], "missing contains no run"),
    (["runs=[whole]", "checkpoint=worst"], "^Unknown checkpoint=worst. Choose best or last"),
    (
        ["runs=[sweep/10]"],
        r"^checkpoint=best: there is no sweep/10/checkpoints/best\.ckpt\. Type checkpoint=last, which",
    ),
    (["runs=[begun]"], r"^checkpoint=best: there is no begun/checkpoints/best\.ckpt\. It was not trained so far\."),
    (["runs=[begun,sweep/9]", "checkpoint=last"], r"no sweep/9/checkpoints/last\.ckpt\. Type checkpoint=best"),
    (["runs=[whole]", "control=trained"], "^Unknown control=trained. Choose untrained"),
    (["runs=[whole]", "figures.precision=16"], "^Unknown figures.precision=16. Choose auto or 32."),
    (["runs=[whole,sweep]", "labels=[a,b]"], "one title per network, 3 different"),
    (["runs=[whole]", "model=vgg19", "labels=[a]", "input=[3,32,32]"], "one title per network, 2 different"),
    (["runs=[whole,old]", "labels=[a,a]"], "different ones"),
    (["runs=[whole]", "figure=[predict]", "images=[a.jpg,missing.jpg]"], r"^images: there is no file missing\.jpg\.$"),
    (["runs=[whole]", "images=[missing.jpg]"], r"^images: there is no file missing\.jpg\.$"),
    (["runs=[whole]", "figure=[predict]", "images=['*.png']"], r"^images: no file matches \*\.png"),
    (["runs=[whole]", "figure=[predict]", "images=[empty]"], "^images: empty holds no pictures"),
    (["runs=[whole]", "figure=[cam]", "images=[a.jpg]"], "^images: no chosen figure shows your own pictures"),
    (
        ["runs=[whole]", "figure=[cam,predict]", "figure.predict.images=[no.jpg]"],
        r"^figure\.predict\.images: .* no\.jpg",
    ),
    (
        ["runs=[whole]", "figure=[filters]", "figure.filters.layers=[conv1,con1]"],
        r"^figure\.filters: the network has no layer con1\. Nearest names: conv1,",
    ),
    (["runs=[whole]", "figure=[maximal_images]", "figure.maximal_images.layer=layer9"], "no layer layer9. .* layer2"),
    (["runs=[sweep/9,whole]", "figure=[filters]", "figure.filters.layers=[x]"], "none of the networks has no layer x"),
    (["runs=[whole]", "figure=[deep_dream]", "figure.deep_dream.class_name=dug"], "no class dug. Nearest names: dog"),
    (
        ["runs=[whole]", "figure=[cam]", "figure.cam.indices=[4,5]"],
        r"indices: there is no image 5\. Choose from 0 to 4\.",
    ),
    (["runs=[whole]", "figure=[knn]", "figure.knn.indices=[-1]"], r"indices: there is no image -1\."),
]


@pytest.mark.parametrize(
    ("words", "said"), ANALYZE, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_what_cannot_be_looked_at(words, said, place):
    with pytest.raises(NetgazeError, match=said):
        check_analyze(composed(*words, name="analyze"))


@pytest.mark.parametrize(
    "words",
    [
        [
            "runs=[whole]",
            "figure=[filters,deep_dream]",
            "figure.filters.layers=[conv1]",
            "figure.deep_dream.class_name=dog",
        ],
        ["runs=[whole]", "figure=[cam]", "figure.cam.indices=[0,4]"],
        ["runs=[whole]", "figure=[predict]", "images=[a.jpg]"],
        ["runs=[sweep]", "checkpoint=best"],  # one of the two has it
        ["runs=[sweep/9,whole]", "figure=[filters]", "figure.filters.layers=[layer2]"],  # so has one
        ["runs=[whole,old]", "figure=[filters]", "figure.filters.layers=[anything]"],  # of one nothing is known
        ["runs=[old]", "figure=[cam]", "figure.cam.indices=[99]"],
        ["runs=[whole,old]", "figure=[cam]", "figure.cam.indices=[99]"],
        ["runs=[whole]", "data=digits", "figure=[cam]", "figure.cam.indices=[99]"],  # other data, other images
        ["runs=[whole]", "data.dir=elsewhere", "figure=[cam]", "figure.cam.indices=[99]"],
        ["runs=[begun]", "model=vgg19", "figure=[filters]", "figure.filters.layers=[x]"],
    ],
    ids=" ".join,
)
def test_what_can_be_looked_at(words, place):
    check_analyze(composed(*words, name="analyze"))


def test_what_one_network_has_the_others_may_lack():
    known = [Known(["a"], ["cat"], 3), Known(["b"], ["dog"], 9), Known(["a"], ["cat"], 5)]
    check_named({"x": {"layers": ["a", "b"], "class_name": "dog", "indices": [8]}}, known)
    with pytest.raises(NetgazeError, match=r"from 0 to 8\."):
        check_named({"x": {"indices": [9]}}, known)


def test_each_name_is_looked_for_where_it_belongs():
    known = [Known(["conv1"], ["cat"], 3)]
    check_named({"a": {"layers": ["conv1"], "class_name": "cat", "indices": [2]}, "b": {"layers": None}}, known)
    for wrong in ({"layers": ["cat"]}, {"layer": "cat"}, {"class_name": "conv1"}, {"indices": [3]}):
        with pytest.raises(NetgazeError, match=r"^figure\.a"):
            check_named({"a": wrong}, known)


# What a person types, a line each; torch cannot be imported where they are run.
CODE = """
import io, runpy, sys
from contextlib import redirect_stderr
from hydra.core.global_hydra import GlobalHydra
sys.modules["torch"] = None
for line in sys.stdin.read().splitlines():
    GlobalHydra.instance().clear()
    script, *sys.argv[1:] = line.split()
    said = io.StringIO()
    with redirect_stderr(said):
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as end:
            print(end.code, said.getvalue().strip())
"""


def test_it_is_said_without_torch(place):
    train, analyze = ROOT / "train.py", ROOT / "analyze.py"
    lines = [f"{train} {' '.join(words)}" for words, _ in [TRAIN[0], TRAIN[3], TRAIN[10]]]
    lines += [f"{analyze} {' '.join(words)}" for words, _ in ANALYZE[1::4]]
    done = subprocess.run(
        [sys.executable, "-c", CODE], input="\n".join(lines), capture_output=True, text=True, check=True
    )
    said = done.stdout.splitlines()
    assert len(said) == len(lines), done.stdout + done.stderr
    assert all(line.startswith("1 Error: ") and "torch" not in line for line in said), said
    assert not (place / "run.json").exists()


@pytest.mark.slow
def test_a_run_keeps_the_names_of_its_layers_and_refuses_others_before_it_is_trained(tmp_path):
    from tests.tiny_runs import read_run, train

    run = train(tmp_path / "run", *TINY, "figure=[filters]", "trainer.max_epochs=0")
    layers = read_run(run)["layers"]
    assert {"conv1", "layer1", "layer1.0.conv1", "layer2.0.downsample.0", "fc"} <= set(layers)
    assert "" not in layers
    with pytest.raises(NetgazeError, match=r"figure.filters: the network has no layer con1\. Nearest names: conv1"):
        train(tmp_path / "other", *TINY, "figure=[filters]", "figure.filters.layers=[con1]")
    assert not (tmp_path / "other" / "checkpoints").exists()
    assert read_run(tmp_path / "other")["status"] == "failed"
