"""Verification as it is drawn: each network's histograms, curves and hardest pairs in its column."""

import numpy as np
import pytest
from tests.figures.reader import assert_shows, make_pictures, read

from netgaze.drawing.panels import GRAY, RIGHT, WIDTH, WRONG
from netgaze.figure import Finding
from netgaze.figures.verification import Verification
from netgaze.figures.verification.columns import find_hardest
from netgaze.figures.verification.plots import bin_distances

COMPARED = ("all pairs", "mixed")
EDGES = np.array([[0.0, 1.0, 3.0], [0.5, 1.0, 2.0]])  # of the comparisons; bars of two widths
FAR = np.array([0.0, 0.005, 0.01, 0.1, 1.0])
PICTURES = make_pictures(2, 2, 2, 2, 2)  # networks, comparisons, kinds, pairs, the two of a pair
RIGHTS = {"same": [True, False], "different": [False, True]}


def make_numbers(start, people=9):
    values = {"eer": start, "acc": 1 - start}
    values |= {f"{name}_interval": [value - 0.01, value + 0.02] for name, value in values.items()}
    tar = {"0.1": {"value": 0.5 + start, "supported": True}, "0.01": {"value": 0.25 + start, "supported": False}}
    return values | {"num_people": people, "num_same": 40, "num_different": 1000, "tar": tar}


def make_arrays(network, place):
    """Of a comparison; the hardest pairs of the second one are nearer than those of the first."""
    start, arrays = network / 8 + place / 16, {"edges": EDGES[place], "far": FAR}
    arrays["same"], arrays["different"] = np.array([3, 1 + network]), np.array([1 + place, 4])
    arrays["tar"] = np.array([0, 0.1, 0.2, 0.4, 1 - start]) + start
    for kind, number in (("same", 0), ("different", 1)):
        first = 10 * place + 4 * number
        arrays[f"{kind}_pairs"] = np.array([[first, first + 1], [first + 2, first + 3]])
        arrays[f"{kind}_pictures"] = PICTURES[network, place, number]
        arrays[f"{kind}_distances"] = np.array([2.0, 1.5] if kind == "same" else [0.25, 0.5]) + network - place / 10
        arrays[f"{kind}_right"] = np.array(RIGHTS[kind])
    return {f"{COMPARED[place]}/{name}": values for name, values in arrays.items()}


def make_findings(**changes):
    findings = {}
    for network, label in enumerate(("one", "two")):
        compared = {name: make_numbers(0.125 + network / 4 + place / 16) for place, name in enumerate(COMPARED)}
        numbers = {"threshold": 0.75 + network, "comparisons": compared} | changes
        findings[label] = Finding(numbers, make_arrays(network, 0) | make_arrays(network, 1))
    return findings


def draw(findings=None):
    return read(Verification().draw(findings or make_findings()))


def test_each_network_has_its_column_and_each_comparison_its_words():
    drawn = draw()
    titles = [each for each in drawn.words if each.bold and each.align == "center"]
    assert [(each.text, each.x < WIDTH / 2) for each in titles] == [("one", True), ("two", False)]
    heads = [each for each in drawn.words if each.bold and each.text in COMPARED]
    assert [each.text for each in heads] == ["all pairs"] * 2 + ["mixed"] * 2
    said = {}
    for head in heads:
        lines = [each.text for each in drawn.words if each.x == head.x and 0 < each.y - head.y < 0.5]
        said["one" if head.x < WIDTH / 2 else "two", head.text] = lines
    assert said["one", "all pairs"] == [
        "EER 12.5% (11.5% to 14.5%)",
        "accuracy 87.5% (86.5% to 89.5%)",
        "9 people: 40 same, 1,000 different",
    ]
    assert [lines[0][:9] for lines in said.values()] == ["EER 12.5%", "EER 37.5%", "EER 18.8%", "EER 43.8%"]


def test_histograms_are_densities_of_same_and_different_pairs():
    plots = draw().plots[:4]
    assert [plot.x < WIDTH / 2 for plot in plots] == [True, False] * 2
    for number, plot in enumerate(plots):
        place, network = divmod(number, 2)
        steps = {each.color: each for each in plot.steps}
        widths = np.diff(EDGES[place])
        same, different = np.array([3, 1 + network]), np.array([1 + place, 4])
        np.testing.assert_allclose(steps[RIGHT.lower()].values, same / same.sum() / widths)
        np.testing.assert_allclose(steps[WRONG.lower()].values, different / different.sum() / widths)
        assert all(each.edges == EDGES[place].tolist() for each in plot.steps)
        (threshold,) = plot.lines
        assert set(threshold.x) == {0.75 + network}
    assert [plot.xlabel for plot in plots] == ["", "", "distance", "distance"]
    low, high = plots[0].xlim
    assert (low, high) == (pytest.approx(-0.06), pytest.approx(3.06))  # of all comparisons
    assert plots[2].xlim == plots[0].xlim


def test_curves_are_tar_over_far():
    drawn = draw()
    curves = drawn.plots[4:]
    assert [plot.x < WIDTH / 2 for plot in curves] == [True, False]
    for network, plot in enumerate(curves):
        assert plot.xlabel == "FAR: different people accepted"
        assert (plot.xscale, plot.yscale) == ("log", "linear")
        assert plot.xlim == (pytest.approx(0.001), pytest.approx(1))
        assert plot.xticks == {"0.001": 0.001, "0.01": 0.01, "0.1": 0.1, "1": 1.0}
        chance = next(line for line in plot.lines if line.color == GRAY)
        assert chance.x == chance.y
        for place, name in enumerate(COMPARED):
            start, color = network / 8 + place / 16, drawn.legend[name]
            few, enough, dots = (
                next(line for line in plot.lines if line.color == color and line.style == style)
                for style in ("--", "-", "None")
            )
            assert dots.marker
            assert (few.x, few.y) == (
                [pytest.approx(each) for each in (0.001, 0.005, 0.01, 0.03)],
                [pytest.approx(start + each) for each in (0, 0.1, 0.2, 0.2)],
            )
            assert (enough.x, enough.y) == (
                [pytest.approx(each) for each in (0.03, 0.1, 1)],
                [pytest.approx(each) for each in (start + 0.2, start + 0.4, 1)],
            )
            assert (dots.x, dots.y) == ([0.1], [pytest.approx(0.625 + network / 4 + place / 16)])
    assert curves[0].ylabel == "TAR: same people accepted"


def test_legends_tell_same_from_different_and_the_comparisons_apart():
    drawn = draw()
    assert (drawn.legend["same person"], drawn.legend["different people"]) == (RIGHT.lower(), WRONG.lower())
    assert "threshold (same person up to it)" in drawn.legend
    assert len({drawn.legend[name] for name in (*COMPARED, "same person", "different people")}) == 4


def test_the_hardest_pairs_of_each_kind_below_their_headings():
    drawn = draw()
    lines = drawn.grid()
    for network in (0, 1):
        own = [[tile for tile in line if (tile.x < WIDTH / 2) == (network == 0)] for line in lines]
        # Same people: farthest first, of the first comparison; different ones: nearest first, of the second.
        assert_shows(own[0], PICTURES[network, 0, 0, 0].tolist() + PICTURES[network, 1, 0, 0].tolist())
        assert_shows(own[1], PICTURES[network, 1, 1, 0].tolist() + PICTURES[network, 0, 1, 0].tolist())
        assert [drawn.frame_of(tile) for tile in own[0]] == ["right"] * 4
        assert [drawn.frame_of(tile) for tile in own[1]] == ["wrong"] * 4
        for line, distances, heading in (
            (own[0], (2.0, 1.9), "Same person, far apart"),
            (own[1], (0.15, 0.25), "Different people, close"),
        ):
            words = [each for each in drawn.words if 0 < each.y - line[0].y - line[0].height < 0.2]
            words = [each for each in words if (each.x < WIDTH / 2) == (network == 0)]
            assert [float(each.text) for each in words] == [pytest.approx(network + each) for each in distances]
            pairs = [(line[0], line[1]), (line[2], line[3])]
            for each, (left, right) in zip(words, pairs, strict=True):
                assert left.x < each.x < right.x + right.width
            assert [each.text for each in drawn.words_above(line[0], 0.2) if each.bold and each.text != "×"] == [
                heading
            ]


def test_wrong_ones_are_crossed_among_right_ones():
    findings = make_findings()
    for finding in findings.values():
        finding.arrays["mixed/same_distances"] = np.array([1.2, 1.1])  # so that the first comparison's second is shown
    drawn = draw(findings)
    assert [drawn.frame_of(tile) for tile in drawn.grid()[0][:4]] == ["right", "right", "wrong", "wrong"]


def test_the_hardest_pairs_are_each_once_in_order():
    finding = make_findings()["one"]
    finding.arrays["mixed/same_pairs"] = np.array([[1, 0], [7, 8]])  # the first pair of all, the other way round
    assert [distance for _, distance, _ in find_hardest(finding, "same")] == [2.0, 1.5]
    assert [distance for _, distance, _ in find_hardest(finding, "different")] == [pytest.approx(0.15), 0.25]


def test_without_a_threshold_no_frame_no_line_and_no_word_of_one():
    findings = make_findings(threshold=None)
    for finding in findings.values():
        finding.arrays = {key: values for key, values in finding.arrays.items() if not key.endswith("_right")}
        for numbers in finding.numbers["comparisons"].values():
            del numbers["acc"]
    drawn = draw(findings)
    assert {drawn.frame_of(tile) for tile in drawn.tiles} == {None}
    assert not any(plot.lines for plot in drawn.plots[:4])
    assert not any("threshold" in words for words in drawn.legend)
    assert drawn.text.count("no threshold") == drawn.text.count("threshold") == 4  # in place of each accuracy
    assert "accuracy" not in drawn.text


def test_of_few_people_no_interval_in_words():
    findings = make_findings()
    findings["one"].numbers["comparisons"]["mixed"]["num_people"] = 4
    drawn = draw(findings)
    assert drawn.say("EER 18.8%").text == "EER 18.8%"
    assert drawn.say("4 people")


def test_a_comparison_that_a_network_lacks_leaves_its_place_empty():
    findings = make_findings()
    del findings["two"].numbers["comparisons"]["all pairs"]
    drawn = draw(findings)
    assert [plot.x < WIDTH / 2 for plot in drawn.plots] == [True, True, False, True, False]
    assert drawn.say("no pairs").x > WIDTH / 2
    assert len(drawn.plots[-1].lines) == len(drawn.plots[-2].lines) - 3


def test_bars_hold_as_many_pairs_as_the_fine_ones_they_cover():
    class Counted:
        edges = np.linspace(0, 10, 101)
        same_histogram = np.where((np.arange(100) >= 7) & (np.arange(100) < 93), np.arange(100), 0)
        different_histogram = np.where((np.arange(100) >= 7) & (np.arange(100) < 93), 100 - np.arange(100), 0)

    bars = bin_distances(Counted)
    assert bars["edges"][0] == pytest.approx(0.7)
    assert len(bars["same"]) == 29  # of three fine ones, the last of two
    for place, (low, high) in enumerate(zip(bars["edges"], bars["edges"][1:], strict=False)):
        inside = (Counted.edges[:-1] >= low - 1e-9) & (Counted.edges[:-1] < high - 1e-9)
        assert bars["same"][place] == Counted.same_histogram[inside].sum()
        assert bars["different"][place] == Counted.different_histogram[inside].sum()
