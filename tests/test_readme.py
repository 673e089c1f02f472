"""What the README shows works, and its tree names every file."""

import re
from functools import partial

import numpy as np
import torch
from matplotlib.figure import Figure
from tests.conftest import CONF, ROOT

from netgaze.batch import Batch
from netgaze.figure import Finding
from netgaze.models.resnet import ResNet
from netgaze.schedules import Constant
from netgaze.subject import Subject
from netgaze.tasks.base import Task

README = (ROOT / "README.md").read_text(encoding="utf-8")


def shown(name: str) -> type:
    """The class of this name in the README's code, made."""
    (block,) = (block for block in re.findall(r"```python\n(.*?)```", README, re.S) if f"class {name}" in block)
    names = {"Task": Task, "torch": torch, "Figure": Figure, "Finding": Finding}
    exec(block, names)
    return names[name]


def test_the_shown_task_trains():
    model = ResNet(depths=[1], widths=[4], stem="cifar", in_channels=3, num_classes=2)
    optimizer = partial(torch.optim.SGD, lr=0.1)
    task = shown("UpsideDown")(model=model, num_classes=2, optimizer=optimizer, schedule=Constant())
    task.name_classes(["a", "b", "c"])
    images = torch.rand(3, 3, 8, 8)
    step = task.loss(Batch((images,), torch.zeros(3, dtype=torch.long), torch.arange(3)))
    assert step.outputs.shape == (6, 2)
    assert step.targets.tolist() == [0, 0, 0, 1, 1, 1]
    assert torch.isfinite(step.loss)
    assert len(task.class_names) == 2


def test_the_shown_figure_draws():
    figure = shown("Norms")()
    subject = Subject("a", data=lambda: None, pixels=True)
    subject._features["test"] = torch.ones(4, 9)
    finding = figure.compute(subject)
    assert finding.numbers == {"mean": 3.0}
    assert np.array_equal(finding.arrays["norms"], np.full(4, 3.0, np.float32))
    assert isinstance(figure.draw({"a": finding}), Figure)


def test_the_tree_names_every_file():
    for path in (ROOT / "src" / "netgaze").rglob("*.py"):
        if path.name != "__init__.py":
            assert path.name in README, path


def test_every_choice_is_named():
    for group in ("task", "data", "optim", "schedule", "figure"):
        for path in (CONF / group).glob("*.yaml"):
            assert f"`{path.stem}`" in README or path.stem.startswith("_"), path


def test_links_lead_somewhere():
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
