"""The examples of docs/extending.md are complete: they are checked, trained and drawn in the places that they name."""

import json
import os
import re
import shutil
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from tests.conftest import ROOT

from netgaze.batch import Batch
from netgaze.models.resnet import ResNet
from netgaze.schedules import Constant
from netgaze.subject import Subject

PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
# What each example says behind the comment that names its file, by that name.
EXAMPLES = dict(re.findall(r"```(?:python|yaml)\n# ((?:src|conf)/\S+)\n(.*?)```", PAGE, re.DOTALL))
CODE = [path for path in EXAMPLES if path.endswith(".py")]
SKIPPED = shutil.ignore_patterns("__pycache__", "golden", "images")
TOGETHER = ["task=upside_down", "model=plain", "data=ramps", "figure=[norms]", "optim.lr=0.05", "trainer.max_epochs=3"]


def shown(path: str, name: str) -> type:
    """The class of this name in an example, made."""
    names = {}
    exec(EXAMPLES[path], names)
    return names[name]


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """A copy of the project with the page's examples in their places, as a reader would put them."""
    folder = tmp_path_factory.mktemp("extended")
    for name in ("src", "conf", "docs", "tests"):  # with the link from the package to conf/
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=SKIPPED)
    for name in ("pyproject.toml", "README.md", "CONTRIBUTING.md", "train.py", "analyze.py"):
        shutil.copy(ROOT / name, folder)
    for path, text in EXAMPLES.items():
        assert not (folder / path).exists(), f"the example is no new file: {path}"
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def run(folder, *words: str) -> str:
    """What a Python command prints, in a folder with a project of its own; it must succeed."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_there_is_an_example_of_each_kind():
    assert [path.split("/")[2] for path in CODE] == ["tasks", "figures", "data", "models"]
    assert len(EXAMPLES) == 2 * len(CODE)


def test_the_examples_are_in_order(extended):
    run(extended, "-m", "ruff", "format", "--check", *CODE)
    run(extended, "-m", "ruff", "check", *CODE)


@pytest.mark.slow
def test_the_examples_have_types_that_fit(extended):
    run(extended, "-m", "mypy", *CODE)


def test_the_shown_task_learns_from_a_batch():
    model = ResNet(depths=[1], widths=[4], stem="cifar", in_channels=3, num_classes=2)
    optimizer = partial(torch.optim.SGD, lr=0.1)
    upside_down = shown("src/netgaze/tasks/upside_down.py", "UpsideDown")
    task = upside_down(model=model, num_classes=2, optimizer=optimizer, schedule=Constant())
    task.name_classes(["a", "b", "c"])
    images = torch.rand(3, 3, 8, 8)
    step = task.loss(Batch((images,), torch.zeros(3, dtype=torch.long), torch.arange(3)))
    assert step.outputs.shape == (6, 2)
    assert step.targets.tolist() == [0, 0, 0, 1, 1, 1]
    assert torch.isfinite(step.loss)
    assert len(task.class_names) == 2
    assert torch.equal(task.make_examples(images, step.targets[:3])[0][:3], images)


def test_the_shown_figure_draws():
    figure = shown("src/netgaze/figures/norms.py", "Norms")()
    subject = Subject("a", data=lambda: None, pixels=True)
    subject._features["test"] = torch.ones(4, 9)
    finding = figure.compute(subject)
    assert finding.numbers == {"mean": 3.0}
    assert np.array_equal(finding.arrays["norms"], np.full(4, 3.0, np.float32))
    assert isinstance(figure.draw({"a": finding}), Figure)


@pytest.mark.slow
def test_the_examples_train_and_draw_together(extended):
    assert f"python train.py {' '.join(TOGETHER[:4])}`" in PAGE
    run(extended, "train.py", *TOGETHER, "trainer.threads=1", "trainer.precision=32")
    (folder,) = (extended / "outputs" / "upside_down").iterdir()
    # Flipped, half of the images look like others of their class: no network can tell these.
    assert json.loads((folder / "metrics.json").read_text())["test/acc"] > 0.7
    norms = json.loads((folder / "figures" / "norms.json").read_text())["numbers"]
    assert all(numbers["mean"] > 0 for numbers in norms.values())
    assert len(norms) == 3  # the network, the same untrained, and raw pixels
    assert (folder / "figures" / "norms.png").is_file()


@pytest.mark.slow
def test_the_examples_are_found_by_the_tests_and_by_the_tables(extended):
    run(extended, "docs/tables.py")
    readme, choices, tree = (
        (extended / page).read_text(encoding="utf-8") for page in ("README.md", "docs/choices.md", "CONTRIBUTING.md")
    )
    for choice in ("upside_down", "norms", "ramps", "plain"):
        assert f"| `{choice}` |" in choices
        assert f"`{choice}`" in readme.split("<!-- names -->")[1]
    assert "| `data.num_test` | `200` | test images | `ramps` |" in choices  # said by the constructor's docstring
    for path in CODE:
        assert f" {path.rpartition('/')[2]} " in tree.split("<!-- tree -->")[1]
    files = ["tests/test_house.py", "tests/test_contracts.py", "tests/models/test_models.py"]
    chosen = "upside_down or norms or ramps or plain or names_its_package or set_their_name or one_yaml"
    printed = run(extended, "-m", "pytest", "-vv", "-p", "no:cacheprovider", *files, "-k", chosen)
    for test in (
        "_its_constructor[figure/norms.yaml]",
        "test_its_facts_are_true[ramps]",
        "test_named_layers_exist[plain]",
    ):
        assert test in printed
    for test in ("test_a_network_trains_a_step[plain]", "test_a_task_trains_a_step[upside_down]"):
        assert test in printed
