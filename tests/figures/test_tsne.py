"""The t-SNE map: each image at its place, in the color of its class."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from tests.figures.reader import read

from netgaze.drawing.panels import choose_style
from netgaze.figure import Finding
from netgaze.figures.tsne import Tsne, _choose_images

NAMES = np.array(["cat", "dog", "emu", "fox"])
LABELS = np.array([2, 0, 3, 0, 2, 3])  # of no dog, in no order


@pytest.fixture
def findings():
    planes = np.random.default_rng(2).permutation(24).reshape(2, 6, 2) / 4
    return {
        label: Finding(
            {
                "trustworthiness": 0.875 - place / 4,
                "knn5_plane": 0.5 + place / 4,
                "knn5_features": 0.625 + place / 4,
                "num_images": 100,
            },
            {"plane": planes[place], "labels": LABELS, "names": NAMES},
        )
        for place, label in enumerate(("first run", "other run"))
    }


def test_images_lie_at_their_places_in_the_color_of_their_class(findings):
    drawn = read(Tsne().draw(findings))
    colors = {name: drawn.legend[name] for name in ("cat", "emu", "fox")}
    assert len(set(colors.values())) == 3
    for plot, finding in zip(drawn.plots, findings.values(), strict=True):
        assert len(plot.points) == 3
        for points in plot.points:
            (name,) = (name for name, color in colors.items() if color == points.color)
            own = finding.arrays["plane"][NAMES[LABELS] == name]
            np.testing.assert_array_equal(points.places, own)
        assert plot.xlim[0] < plot.xlim[1]
        assert plot.ylim[0] < plot.ylim[1]
        assert plot.width == pytest.approx(plot.height)


def test_a_class_has_its_color_whichever_others_are_shown(findings):
    legend = read(Tsne().draw(findings)).legend
    assert legend == {str(NAMES[k]): to_hex(choose_style(k)["color"]) for k in (0, 2, 3)}


def test_each_plane_stands_below_its_title_and_numbers(findings):
    drawn = read(Tsne().draw(findings))
    for plot, label, trust, plane, features in zip(
        drawn.plots,
        findings,
        ("trustworthiness 0.88", "trustworthiness 0.62"),
        ("plane: 50.0 ± 9.6%", "plane: 75.0 ± 9.3%"),
        ("features: 62.5 ± 9.8%", "features: 87.5 ± 7.9%"),
        strict=True,
    ):
        title, *lines = (drawn.say(words) for words in (label, trust, plane, features))
        assert title.bold
        assert all(word.x == pytest.approx(plot.middle[0]) for word in (title, *lines))
        assert title.y < lines[0].y < lines[1].y < lines[2].y < plot.y


def test_more_classes_than_images_show_ten_each_of_some():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(40), 12))
    index = _choose_images(labels, 30, 0)
    assert np.unique(labels[index], return_counts=True)[1].tolist() == [10, 10, 10]
    assert len(set(index.tolist())) == 30
    assert set(labels[index]) != set(labels[_choose_images(labels, 30, 1)])
    some = np.unique(labels[_choose_images(labels, 119, 0)], return_counts=True)[1]
    assert sorted(some.tolist()) == [9] + [10] * 11
    assert np.unique(labels[_choose_images(labels, 120, 0)], return_counts=True)[1].tolist() == [3] * 40


def test_five_networks_stand_in_two_bands_with_one_legend(findings):
    five = {f"run {place}": findings["first run" if place % 2 else "other run"] for place in range(5)}
    drawn = read(Tsne().draw(five))
    assert [len(plots) for plots in (drawn.plots[:3], drawn.plots[3:])] == [3, 2]
    assert len({plot.y for plot in drawn.plots[:3]}) == len({plot.y for plot in drawn.plots[3:]}) == 1
    assert [plot.width for plot in drawn.plots] == pytest.approx([drawn.plots[0].width] * 5)
    for place, plot in enumerate(drawn.plots):
        assert drawn.say(f"run {place}").x == pytest.approx(plot.middle[0])
        shown = sorted(np.concatenate([points.places for points in plot.points]).tolist())
        assert shown == sorted(five[f"run {place}"].arrays["plane"].tolist())


def test_why_there_is_no_legend_is_said(findings):
    names = np.array([f"class {number}" for number in range(70)])
    arrays = {"plane": np.random.default_rng(0).normal(size=(70, 2)), "labels": np.arange(70), "names": names}
    drawn = read(Tsne().draw({"run": Finding(findings["first run"].numbers, arrays)}))
    assert not drawn.legend
    assert drawn.say("70 classes: too many for a legend.").y > drawn.plots[0].y + drawn.plots[0].height
