"""A network of a person's own from the command line: trained, resumed, looked at, in a sweep."""

import json
from pathlib import Path

import pytest
from tests.commands import command
from tests.models import own_nets

pytestmark = pytest.mark.slow

SMALL = [
    "data=shapes",
    "data.limit=100",
    "data.batch_size=50",
    "optim=adamw",
    "optim.lr=0.01",
    "schedule=constant",
    "trainer.threads=1",
]
FIGURES = "anatomy,cam,confused_pairs,deconvnet,explore,feature_maps,filters,knn,layers,maximal_images,response_maps"
OWN = ["model=module", "model.target=brought.py:CourseNet", "model.kwargs={width:4}", "trainer.precision=32"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a person's file in it, and a run of its network."""
    place = tmp_path_factory.mktemp("own")
    (place / "brought.py").write_text(Path(own_nets.__file__).read_text(encoding="utf-8"), encoding="utf-8")
    code, printed = command(*SMALL, *OWN, "figure=[]", "trainer.max_epochs=2", "hydra.run.dir=whole", cwd=place)
    assert code == 0, printed
    assert "CourseNet: logits of network.net.9, maps of network.net.5; class maps by gradients." in printed
    return place


def read_numbers(run):
    return json.loads((run / "metrics.json").read_text(encoding="utf-8"))


def test_resume_needs_trust_and_goes_on_bit_equal(place):
    code, printed = command(*SMALL, *OWN, "figure=[]", "trainer.max_epochs=1", "hydra.run.dir=cut", cwd=place)
    assert code == 0, printed
    code, printed = command("resume=cut", "trainer.max_epochs=2", cwd=place)
    assert code == 1
    assert f"type trust={place / 'brought.py'}" in printed
    code, printed = command("resume=cut", "trainer.max_epochs=2", "trust=brought.py", cwd=place)
    assert code == 0, printed
    own, whole = read_numbers(place / "cut"), read_numbers(place / "whole")
    assert {name: own[name] for name in own if "/" in name} == {name: whole[name] for name in whole if "/" in name}


def test_every_figure_draws_or_says_why_not(place):
    words = ["runs=whole", f"figure=[{FIGURES},dynamics]", "hydra.run.dir=look", "figures.strict=true"]
    code, printed = command(*words, cwd=place, script="analyze.py")
    assert code == 1
    assert "model.target: brought.py:CourseNet is refused" in printed
    assert not (place / "look" / "figures").exists()
    code, printed = command(*words, "trust=brought.py", cwd=place, script="analyze.py")
    assert code == 0, printed
    drawn = {path.stem for path in (place / "look" / "figures").glob("*.png")}
    assert set(FIGURES.split(",")) - {"explore"} <= drawn
    assert "Traceback" not in printed


def test_a_network_alone_has_its_anatomy(place):
    words = ["input=[3,32,32]", "hydra.run.dir=alone"]
    code, printed = command(*OWN[:2], *words, cwd=place, script="analyze.py")
    assert code == 0, printed
    assert "network.net.7" in printed


def test_a_sweep_over_networks(place):
    nets = "model.target=brought.py:Pooled,brought.py:TwoHeads,brought.py:Functional"
    words = [
        *SMALL,
        "model=module",
        nets,
        "trainer.precision=32",
        "figure=[]",
        "trainer.max_epochs=1",
        "hydra.sweep.dir=sweep",
    ]
    code, printed = command("-m", *words, cwd=place)
    assert code == 1, printed
    status = [json.loads((place / "sweep" / str(job) / "run.json").read_text("utf-8"))["status"] for job in range(3)]
    assert status == ["finished", "failed", "finished"]
    assert "The network gives several tensors (0 [2, 10], 1 [2, 4]), and a classifier has one" in printed
