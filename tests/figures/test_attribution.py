"""Attributions against direct computation, and where they lie on the page."""

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from tests.figures.reader import assert_shows, find_line, make_pictures, read
from tests.figures.test_faithfulness import make_trial
from tests.figures.test_response_maps import filters_a_class

from netgaze.drawing.evidence import overlay
from netgaze.drawing.heat import choose_masked, enlarge, load_examples, score_pointing
from netgaze.errors import NetgazeError
from netgaze.figure import Finding
from netgaze.figures.attribution import Attribution
from netgaze.figures.attribution.methods import METHODS, make_explain
from netgaze.subject import evaluating
from netgaze.text import format_value

QUICK = {"num_dropped": 12, "num_randomized": 3, "path_steps": 4, "num_steps": 2}


@pytest.fixture
def shown(supervised):
    """A task that looks, examples and classes that are no answers of its; its logits bend on the way to an image."""
    torch.manual_seed(0)
    with evaluating(supervised.task) as task:
        for module in task.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.bias.data.uniform_(-0.5, 0.5)
        examples = load_examples(supervised, np.arange(5))[0]
        yield task, examples, torch.tensor([2, 0, 1, 1, 2])


def test_integrated_gradients_sum_to_the_difference_of_the_logits(shown):
    task, examples, targets = shown
    maps = make_explain("integrated_gradients", "", 200)(*shown)
    assert maps.shape == (5, 16, 16)
    with torch.no_grad():
        logits, blank = task(examples), task(torch.zeros_like(examples))
    expected = (logits - blank)[torch.arange(5), targets]
    torch.testing.assert_close(maps.sum(dim=(1, 2)), expected, atol=0.02 * float(expected.abs().max()), rtol=0)


@pytest.mark.parametrize("steps", [1, 6])
def test_integrated_gradients_are_those_of_a_loop(steps, shown):
    """Gauss and Legendre's points on the way from the mean color."""
    task, examples, targets = shown
    points, weights = np.polynomial.legendre.leggauss(steps)
    total = torch.zeros_like(examples)
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        there = (point * examples).float().requires_grad_()
        task(there)[torch.arange(5), targets].sum().backward()
        total += weight * there.grad
    found = make_explain("integrated_gradients", "", steps)(*shown)
    torch.testing.assert_close(found, (total * examples).sum(dim=1), rtol=1e-3, atol=1e-5)


def test_occlusion_is_that_of_a_loop(shown):
    """Windows of 4x4 in steps of 2: a cell has the mean of those that it lies in."""
    task, examples, targets = shown
    found, rows = make_explain("occlusion", "", 1)(*shown), torch.arange(5)
    assert found.shape == (5, 8, 8)
    falls, times = torch.zeros(5, 16, 16), torch.zeros(16, 16)
    with torch.no_grad():
        before = task(examples)[rows, targets]
        for top in range(0, 13, 2):
            for left in range(0, 13, 2):
                hole = examples.clone()
                hole[:, :, top : top + 4, left : left + 4] = 0
                falls[:, top : top + 4, left : left + 4] += (before - task(hole)[rows, targets])[:, None, None]
                times[top : top + 4, left : left + 4] += 1
    torch.testing.assert_close(found, (falls / times)[:, ::2, ::2], rtol=1e-3, atol=1e-5)


def test_grad_cam_of_the_last_stage_is_the_class_activation_map_up_to_scale(shown):
    task, examples, targets = shown
    with torch.no_grad():
        expected = task.class_maps(examples)[torch.arange(5), targets]
    found = make_explain("grad_cam", "layer2", 1)(*shown)
    torch.testing.assert_close(found * expected[0].numel(), expected, rtol=1e-3, atol=1e-5)


def test_grad_cam_of_another_layer_is_its_own(shown):
    task, examples, targets = shown
    found = make_explain("grad_cam", "layer1", 1)(*shown)
    expected = LayerGradCam(task, task.model.layer1).attribute(examples, target=targets)[:, 0]
    torch.testing.assert_close(found, expected.detach())
    assert found.shape[-1] == 16


def test_a_layer_without_maps_is_refused(supervised):
    with pytest.raises(NetgazeError, match="fc gives 3 for each image"):
        Attribution(**QUICK, methods=["grad_cam"], layer="fc").compute(supervised)
    with pytest.raises(NetgazeError, match="no layer layer9"):
        Attribution(**QUICK, methods=["grad_cam"], layer="layer9").compute(supervised)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"methods": []}, "methods is empty"),
        (
            {"methods": ["occlusion", "lime"]},
            "unknown method lime. Choose from integrated_gradients, occlusion, grad_cam",
        ),
        ({"path_steps": 0}, "path_steps=0"),
        ({"num_shared": 0}, "num_shared=0"),
        ({"indices": []}, "names no image"),
        ({"num_dropped": 0}, "num_dropped"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_said(arguments, words):
    with pytest.raises(NetgazeError, match=words):
        Attribution(**arguments)


def test_the_maps_are_of_the_true_class_and_the_trial_of_each_method(supervised):
    figure = Attribution(**QUICK, indices=[7, 2])
    finding = figure.compute(supervised)
    arrays, trials = finding.arrays, finding.numbers["trials"]
    assert list(trials) == arrays["methods"].tolist() == list(METHODS)
    np.testing.assert_array_equal(arrays["images"], supervised.data.images("test")[[7, 2]].permute(0, 2, 3, 1))
    tried, masks = choose_masked(supervised, 12, 12, 0)
    for place, method in enumerate(METHODS):
        explain = make_explain(method, "layer2", 4)
        with evaluating(supervised.task) as task:
            examples, targets = load_examples(supervised, np.array([7, 2]))
            expected = enlarge(explain(task, examples, targets), (16, 16))
            own = explain(task, *load_examples(supervised, tried))
        np.testing.assert_allclose(arrays["maps"][place], expected, rtol=1e-4, atol=1e-6)
        verdict = figure.trial.run(supervised, explain, tried)
        np.testing.assert_allclose(arrays["curves"][place], verdict.arrays["curves"], atol=1e-5)
        assert trials[method]["insertion_gain"] == pytest.approx(verdict.numbers["insertion_gain"], abs=1e-5)
        assert finding.numbers[f"{method}_deletion_gain"] == trials[method]["deletion_gain"]
        scores = score_pointing(enlarge(own, masks.shape[-2:]), masks)
        assert trials[method]["mass_on_object"] == pytest.approx(scores["mass_on_object"], rel=1e-3)
        assert trials[method]["num_scored"] == 12
    rows = figure.table(finding)
    assert [row["method"] for row in rows] == list(METHODS.values())
    assert [row["spearman_all"] for row in rows] == [trial["spearman_all"] for trial in trials.values()]
    assert "Grad-CAM is of the layer layer2." in finding.caption


def test_some_methods_and_a_layer_may_be_named(supervised):
    finding = Attribution(**QUICK, methods=["grad_cam"], layer="layer1").compute(supervised)
    assert finding.arrays["methods"].tolist() == ["grad_cam"]
    assert "the layer layer1" in finding.caption
    assert not [name for name in finding.numbers if name.startswith("occlusion")]


def test_a_head_of_filters_is_asked_too(data):
    finding = Attribution(**QUICK).compute(filters_a_class(data))
    assert np.isfinite(finding.arrays["maps"]).all()


PICTURES = make_pictures(2, 2)


def make_finding(place, methods=("integrated_gradients", "grad_cam")):
    numbers, trials = zip(*(make_trial(place + 2 * row) for row in range(len(methods))), strict=True)
    arrays = {name: np.stack([trial[name] for trial in trials]) for name in trials[0]}
    maps = np.random.default_rng(place).normal(size=(len(methods), 2, 4, 4)) * np.array([1, 50])[:, None, None, None]
    arrays |= {"images": PICTURES[place], "maps": maps, "methods": np.array(methods)}
    arrays |= {"true": np.array(["cat", "dog"]), "predicted": np.array(["cat", "emu"])}
    arrays |= {"probability_true": np.array([0.9, 0.2]), "probability_predicted": np.array([0.9, 0.7])}
    return Finding({"trials": dict(zip(methods, numbers, strict=True))}, arrays)


@pytest.fixture
def findings():
    return {"one": make_finding(0), "two": make_finding(1)}


@pytest.fixture
def drawn(findings):
    return read(Attribution().draw(findings))


def test_each_image_is_left_of_its_maps_on_the_scale_of_their_method(drawn, findings):
    lines = drawn.grid()
    assert len(lines) == 2
    for number, line in enumerate(lines):
        expected = []
        for finding in findings.values():
            arrays = finding.arrays
            expected.append(arrays["images"][number])
            for maps in arrays["maps"]:
                scale = float(np.quantile(np.abs(maps), 0.99))
                expected.append(overlay(arrays["images"][number], maps[number], scale))
        assert_shows(line, expected)


def test_each_column_has_its_method_scale_and_trial(drawn, findings):
    columns = [tile for place, tile in enumerate(drawn.grid()[0]) if place % 3]
    names = [word for word in drawn.words if word.text in METHODS.values()]
    scales = sorted((word for word in drawn.words if word.text.startswith("±")), key=lambda word: word.x)
    removals = [plot for plot in drawn.plots if plot.xlabel == "share of pixels"]
    others = [plot for plot in drawn.plots if plot.xlabel != "share of pixels"]
    places = [(finding, row) for finding in findings.values() for row in range(2)]
    for (finding, row), *parts in zip(places, columns, names, scales, removals, others, strict=True):
        tile, name, scale, removal, other = parts
        assert name.text == ["integrated gradients", "Grad-CAM"][row]
        full = format_value(float(np.quantile(np.abs(finding.arrays["maps"][row]), 0.99)), 2)
        assert scale.text == f"±{full}"
        assert ["logits per pixel", "logits per position"][row] in [
            word.text for word in drawn.words if word.x == scale.x
        ]
        assert name.y < scale.y < tile.y < removal.y < other.y
        assert all(abs(x - tile.middle[0]) < 0.3 for x in (name.x, scale.x, removal.middle[0], other.middle[0]))
        find_line(removal, finding.arrays["curves"][row, 3])
        find_line(other, finding.arrays["spearman"][row, 0])
        said = " ".join(each.text for each in drawn.words if each.y > other.y and abs(each.x - tile.x) < 0.05)
        gain = finding.numbers["trials"][finding.arrays["methods"][row]]["deletion_gain"]
        assert f"{100 * gain:+z.1f}" in said


def test_the_answers_stand_below_the_images(drawn):
    for number, words in enumerate((["✓ cat 0.90"], ["true: dog 0.20", "× emu 0.70"])):
        for tile in drawn.grid()[number][::3]:
            assert [each.text for each in drawn.words_below(tile, within=0.28)] == words
