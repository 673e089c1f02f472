"""Every figure, for one and four columns, drawn from what was saved; and the network left as it was."""

import functools
import importlib
import re
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from omegaconf import OmegaConf
from tests.figures.conftest import make_all

from netgaze.drawing.words import wrap_words
from netgaze.figure import Figure, Finding
from netgaze.files import to_plain
from netgaze.subject import NEEDS

CONF = Path(__file__).parents[2] / "conf" / "figure"
# Asked in tests of their own: what shows nothing but own pictures, and what asks a task that labels images, or a
# transformer.
OWN = {"verify": "test_verification", "predict": "test_predict", "pseudo_labels": "test_pseudo_labels"}
OWN |= {"attention": "test_attention"}
OWN_ARGUMENTS = {"verify": {"images": ["a.png", "b.png"]}, "predict": {"images": ["a.png"]}}
NAMES = [path.stem for path in sorted(CONF.glob("*.yaml")) if path.stem not in OWN]
# What searches for images by gradient, or tries many, does so briefly: how well it does is tested beside the figure.
BRIEF = {
    "attribution": {"num_dropped": 6, "num_randomized": 3, "num_steps": 4, "path_steps": 4},
    "cam": {"num_dropped": 10, "num_randomized": 5},
    "deep_dream": {"size": 48, "steps": 2},
    "feature_maps": {"channels": 6},
    "inversion": {"steps": 3},
    "maximal_images": {"steps": 2},
    "robustness": {"num_images": 8},
    "similarity": {"num_permutations": 5},
}


def make_figure(name, **arguments):
    config = OmegaConf.create({"figure": {name: OmegaConf.load(CONF / f"{name}.yaml")}})
    return instantiate(config.figure[name], _convert_="all", **BRIEF.get(name, {}) | arguments)


def asked(figure, subjects):
    return {subject.label: figure.compute(subject) for subject in subjects if not subject.lacks(figure.needs)}


@functools.cache
def find_once(name):
    """What a figure finds of the four subjects, in their order: asked once for all tests that only look at it."""
    figure = make_figure(name)
    return [None if subject.lacks(figure.needs) else (subject.label, figure.compute(subject)) for subject in make_all()]


def find_of_all(name, num_columns=4):
    """Of the first so many subjects those that the figure may ask, each with a finding to which arrays may be added."""
    found = [each for each in find_once(name)[:num_columns] if each is not None]
    return {label: replace(finding, arrays=dict(finding.arrays)) for label, finding in found}


def draw(figure, findings, subjects):
    """What `gallery.look` does with findings."""
    asked = dict(zip(findings, subjects, strict=False))
    for label, arrays in figure.relate(findings, asked).items():
        findings[label].arrays |= arrays
    return figure.draw(findings)


def out_of_view(axis):
    low, high = sorted(axis.get_view_interval())
    return [label for tick in axis.get_major_ticks() if not low <= tick.get_loc() <= high for label in (tick.label1,)]


def texts_of(picture):
    """Every visible word of a picture with its box in pixels, where drawing would put it."""
    picture.set_dpi(120)
    renderer = FigureCanvasAgg(picture).get_renderer()
    picture.draw_without_rendering()
    hidden = {label for axes in picture.axes for axis in (axes.xaxis, axes.yaxis) for label in out_of_view(axis)}
    found = [text for text in picture.findobj(Text) if text.get_visible() and text.get_text().strip()]
    found = [text for text in found if text not in hidden]
    return [(text.get_text(), text.get_window_extent(renderer)) for text in found]


def assert_readable(picture):
    """Nothing leaves the page; no words lie on other words."""
    texts = texts_of(picture)
    assert texts
    words, boxes = zip(*texts, strict=True)
    extents = np.array([box.extents for box in boxes])
    low, high = extents[:, :2], extents[:, 2:]
    outside = (low < -1).any(axis=1) | (high > np.array(picture.bbox.size) + 1).any(axis=1)
    assert not outside.any(), [words[number] for number in np.flatnonzero(outside)]
    common = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
    first, second = np.nonzero(np.triu((common[..., 0] > 1) & (common[..., 1] > 2), k=1))
    assert not len(first), f"{words[first[0]]!r} lies on {words[second[0]]!r}"


@pytest.mark.parametrize("name", [path.stem for path in sorted(CONF.glob("*.yaml"))])
def test_question_and_contract(name):
    figure = make_figure(name, **OWN_ARGUMENTS.get(name, {}))
    assert isinstance(figure, Figure)
    assert type(figure).__name__.lower() == name.replace("_", "")
    assert figure.title
    assert figure.title == figure.title.strip()
    assert figure.question.endswith("?")
    assert figure.needs
    assert set(figure.needs) <= set(NEEDS)
    assert all(isinstance(metric, str) and not re.search(r"\s", metric) for metric in figure.metrics)
    assert figure.controls in ("drawn", "numbers", "none")
    assert list(figure.images) == OWN_ARGUMENTS.get(name, {}).get("images", [])
    assert (CONF / f"{name}.yaml").read_text().startswith(f"# @package figure.{name}\n")


@pytest.mark.parametrize("num_columns", [1, pytest.param(4, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", NAMES)
def test_draws_from_what_was_saved(name, num_columns, subjects, tmp_path):
    figure = make_figure(name)
    findings = find_of_all(name, num_columns)
    kept = {}
    for number, (label, finding) in enumerate(findings.items()):
        finding.save(tmp_path / str(number), "key")
        kept[label] = Finding.load(tmp_path / str(number), "key")
        assert set(kept[label].arrays) == set(finding.arrays)
        assert to_plain(kept[label].numbers) == to_plain(finding.numbers)
    before = {name: matplotlib.rcParams[name] for name in matplotlib.rcParams}
    shown = [subject for subject in subjects if subject.label in kept]
    assert_readable(draw(figure, kept, shown))
    assert {name: matplotlib.rcParams[name] for name in matplotlib.rcParams} == before


@pytest.mark.parametrize("name", NAMES)
def test_same_question_same_finding(name, make_data, make_subjects):
    first, second = find_of_all(name, 1), asked(make_figure(name), make_subjects(make_data())[:1])
    assert first.keys() == second.keys()
    for label in first:
        assert first[label].numbers == second[label].numbers
        for array in first[label].arrays:
            np.testing.assert_array_equal(first[label].arrays[array], second[label].arrays[array])


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [{"num_channels": 1, "num_classes": 40}, {"num_classes": 23}], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_gray_images_and_many_classes(name, arguments, make_data, make_subjects):
    sizes = (("train", 90), ("val", 40), ("test", 45))
    figure = make_figure(name)
    subjects = make_subjects(make_data(sizes=sizes, **arguments))[:2]
    assert_readable(draw(figure, asked(figure, subjects), subjects))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_five_long_labels(name, subjects):
    figure = make_figure(name)
    finding = next(iter(find_of_all(name).values()))
    found = {f"ResNet-18, ImageNet weights, lr=0.0{number}": replace(finding) for number in range(5)}
    assert_readable(draw(figure, found, [subjects[0]] * 5))


@pytest.mark.parametrize("name", NAMES)
def test_thirty_images_of_three_classes(name, make_data, make_subjects):
    figure = make_figure(name)
    subjects = make_subjects(make_data(sizes=(("train", 15), ("val", 6), ("test", 9))))
    findings = asked(figure, subjects)
    assert_readable(draw(figure, findings, [subject for subject in subjects if subject.label in findings]))


@pytest.mark.parametrize("name", NAMES)
def test_leaves_the_network_as_it_was(name, supervised):
    task, figure = supervised.task, make_figure(name)
    task.train()
    task.model.bn1.eval()
    frozen = next(task.model.layer1.parameters())
    frozen.requires_grad = False
    loss = task(supervised.data.normalize(supervised.data.images("train"))).sum()
    loss.backward()

    def state():
        modes = {key: module.training for key, module in task.named_modules()}
        grads = {key: (p.requires_grad, p.grad) for key, p in task.named_parameters()}
        hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in task.modules())
        buffers = {key: buffer.clone() for key, buffer in task.state_dict().items()}
        return modes, grads, hooks, buffers, torch.get_rng_state(), np.random.get_state()[1]

    before = state()
    figure.draw({"run": figure.compute(supervised)})
    after = state()
    assert before[0] == after[0]
    assert all(before[1][key][0] == after[1][key][0] and before[1][key][1] is after[1][key][1] for key in before[1])
    assert before[2] == after[2] == 0
    assert all(torch.equal(before[3][key], after[3][key]) for key in before[3])
    assert torch.equal(before[4], after[4])
    assert (before[5] == after[5]).all()


def test_figures_know_no_pyplot():
    for name in NAMES:
        source = Path(importlib.import_module(f"netgaze.figures.{name}").__file__).read_text()
        assert "pyplot" not in source


def test_long_names_break_at_their_joints():
    assert wrap_words("random (static_per_class)", 12 * 10 * 0.6 / 72, 10) == "random\n(static_per_\nclass)"
    assert wrap_words("init=outputs/a,seed=1", 9 * 10 * 0.6 / 72, 10) == "init=\noutputs/\na,seed=1"
