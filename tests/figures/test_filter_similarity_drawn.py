"""Similarity of filters on the page: two matrices per network in one order of classes."""

import numpy as np
import pytest
from tests.figures.reader import read

from netgaze.figure import Finding
from netgaze.figures.filter_similarity import FilterSimilarity


def made_finding(names, seed):
    """Cosines and shares that differ in every cell."""
    num = len(names)
    cosines = (np.random.default_rng(seed).permutation(num * num).reshape(num, num) - 7) / 20
    shares = np.random.default_rng(seed + 9).permutation(num * num).reshape(num, num) / (num * num)
    numbers = {"similarity_mean": 0.25 + seed, "similarity_max": 0.5, "most_similar": "cat and emu"}
    numbers |= {"spearman": -0.75, "p_permutation": 0.034} if seed else {"spearman": None, "p_permutation": None}
    return Finding(numbers, {"similarity": cosines, "confusion": shares, "names": np.array(names)})


@pytest.fixture(scope="module")
def two_made():
    findings = {
        "net A": made_finding(["emu", "cat", "dog"], 0),
        "net B": made_finding(["90°", "0°", "270°", "180°"], 1),
    }
    return findings, read(FilterSimilarity().draw(findings))


def test_similarity_left_and_confusion_right_in_the_classes_order(two_made):
    findings, drawn = two_made
    assert len(drawn.plots) == 4
    for finding, left, right in zip(findings.values(), drawn.plots[::2], drawn.plots[1::2], strict=True):
        assert left.y == right.y
        assert left.x < right.x
        names = {str(name): number for number, name in enumerate(finding.arrays["names"])}
        for plot, key, colors in ((left, "similarity", ("RdBu_r", -1, 1)), (right, "confusion", ("viridis", 0, 1))):
            values = finding.arrays[key]
            assert np.array_equal(plot.matrix, values)
            assert plot.colors == colors
            assert plot.xticks == plot.yticks == names
            assert plot.ylim[0] > plot.ylim[1]
            for (row, column), value in np.ndenumerate(values):
                assert plot.cell(row, column) == f"{value:z.2f}"


def test_values_can_be_read_on_their_colors(two_made):
    findings, drawn = two_made
    for finding, left, right in zip(findings.values(), drawn.plots[::2], drawn.plots[1::2], strict=True):
        for plot, is_light in (
            (left, np.abs(finding.arrays["similarity"]) < 0.6),
            (right, finding.arrays["confusion"] > 0.6),
        ):
            for word in plot.words:
                assert word.color == ("#000000" if is_light[round(word.y), round(word.x)] else "#ffffff")


def test_bars_and_words_belong_to_their_matrices(two_made):
    drawn = two_made[1]
    bars = sorted(drawn.color_bars, key=lambda bar: (round(bar.y, 2), bar.x))
    for plot, bar, (low, high, colors, words) in zip(
        drawn.plots, bars, [(-1, 1, "RdBu_r", "cosine"), (0, 1, "viridis", "confusion")] * 2, strict=True
    ):
        assert (bar.low, bar.high, bar.colors) == (low, high, colors)
        assert words in bar.words
        assert bar.middle[0] == pytest.approx(plot.middle[0])
        assert bar.y > plot.y + plot.height
    assert drawn.say("net A").y < drawn.plots[0].y < drawn.say("net B").y < drawn.plots[2].y
    first, second = (drawn.say(f"mean similarity {mean}") for mean in ("0.25", "1.25"))
    assert first.y < drawn.plots[0].y < second.y < drawn.plots[2].y
    assert first.text == "mean similarity 0.25, largest 0.50 (cat and emu)"
    assert drawn.say("undefined: one of the two is the same for all pairs").y < drawn.plots[0].y
    assert drawn.say("rank correlation of similarity and confusion -0.75, p = 0.034 (permutation test)").y > second.y


def test_many_classes_have_places_for_names_and_no_values():
    names = [f"class {number}" for number in range(30)]
    plot = read(FilterSimilarity().draw({"net A": made_finding(names, 1)})).plots[0]
    assert plot.yticks == {"0": 0, "10": 10, "20": 20}
    assert plot.words == []
    assert read(FilterSimilarity().draw({"a": made_finding(names[:12], 1)})).plots[0].cell(11, 3)


def test_the_table_names_each_place_and_its_nearest_class():
    cosines = np.array([[1, 0.25, -0.5], [0.25, 1, 0.75], [-0.5, 0.75, 1]])
    finding = Finding({}, {"similarity": cosines, "names": np.array(["emu", "cat", "dog"])})
    assert [tuple(row.values()) for row in FilterSimilarity().table(finding)] == [
        (0, "emu", "cat", 0.25),
        (1, "cat", "dog", 0.75),
        (2, "dog", "cat", 0.75),
    ]
    assert finding.arrays["similarity"][0, 0] == 1
