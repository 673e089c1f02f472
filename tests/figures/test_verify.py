"""Own pictures in pairs: which two, how far apart on whose scale, and what each network answers."""

import numpy as np
import pytest
from tests.figures.reader import assert_shows, make_pictures, read

from netgaze.drawing.panels import GRAY, RIGHT, WRONG
from netgaze.figure import Finding
from netgaze.figures.verify import Verify

PAIRS = [[0, 1], [0, 2], [1, 2]]
NAMES = np.array(["a.jpg", "b.jpg", "c.jpg"])
DISTANCES = {"one": [0.5, 1.25, 1.0], "two": [4.0, 1.0, 3.0]}
THRESHOLDS = {"one": 1.0, "two": 5.0}


def make_findings(thresholds=THRESHOLDS):
    findings = {}
    for label, distances in DISTANCES.items():
        threshold, distances = thresholds[label], np.array(distances)
        answers = np.full(3, -1) if threshold is None else (distances > threshold).astype(int)
        arrays = {"pairs": np.array(PAIRS), "distances": distances, "answers": answers}
        findings[label] = Finding({"threshold": threshold}, arrays | {"pictures": make_pictures(3), "names": NAMES})
    return findings


def draw(findings):
    return read(Verify(images=["a.jpg", "b.jpg", "c.jpg"]).draw(findings))


def diamonds_of(drawn):
    """The points in reading order: of each pair, of each network."""
    return sorted((line for line in drawn.lines if line.marker == "D"), key=lambda line: line.y)


def bands_of(drawn, y):
    """The horizontal lines at a height, from left to right."""
    level = [line for line in drawn.lines if len(line.x) == 2 and line.y == [y, y]]
    return sorted((*line.x, line.color) for line in level)


def test_each_pair_shows_its_two_pictures_with_their_names():
    drawn, pictures = draw(make_findings()), make_pictures(3)
    lines = drawn.grid()
    for line, (first, second) in zip(lines, PAIRS, strict=True):
        assert_shows(line, [pictures[first], pictures[second]])
        names = [[word.text for word in drawn.words_below(tile, 0.3)] for tile in line]
        assert names == [[NAMES[first]], [NAMES[second]]]


def test_each_network_has_its_line_beside_the_pair():
    drawn = draw(make_findings())
    lines = [line[0] for line in drawn.grid()]
    for number, tile in enumerate(lines):
        end = lines[number + 1].y if number < 2 else drawn.height
        labels = [word.text for word in drawn.words if word.text in DISTANCES and tile.y - 0.01 <= word.y < end]
        assert labels == ["one", "two"]
        points = [point for point in diamonds_of(drawn) if tile.y < point.y[0] < end]
        assert len(points) == 2


def test_distances_lie_on_one_scale_for_all_pairs_of_a_network_from_zero():
    drawn = draw(make_findings())
    points = diamonds_of(drawn)
    (left, *_), right = bands_of(drawn, points[0].y[0])[0], bands_of(drawn, points[0].y[0])[-1][1]
    for place, (label, distances) in enumerate(DISTANCES.items()):
        longest = 1.05 * max(*distances, THRESHOLDS[label])
        own = [point.x[0] for point in points[place::2]]
        assert own == [pytest.approx(left + each / longest * (right - left)) for each in distances]
        for point in points[place::2]:
            middle = left + THRESHOLDS[label] / longest * (right - left)
            assert bands_of(drawn, point.y[0]) == [
                (pytest.approx(left), pytest.approx(middle), RIGHT.lower()),
                (pytest.approx(middle), pytest.approx(right), WRONG.lower()),
            ]
            ticks = [line for line in drawn.lines if len(set(line.x)) == 1 and len(line.x) == 2]
            assert any(line.x[0] == pytest.approx(middle) and min(line.y) < point.y[0] < max(line.y) for line in ticks)


def test_the_answer_stands_above_its_line_in_its_color():
    drawn = draw(make_findings())
    said = [each for each in drawn.words if each.text.startswith("distance ")]
    answers = ["0 (same person)", "1 (different people)", "0 (same person)"]
    words = [
        f"distance {far:.3f}, threshold 1.000: {said}" for far, said in zip(DISTANCES["one"], answers, strict=True)
    ]
    assert [each.text for each in said[::2]] == words
    assert [each.color for each in said[::2]] == [RIGHT.lower(), WRONG.lower(), RIGHT.lower()]
    assert [each.text for each in said[1::2]] == [
        f"distance {far:.3f}, threshold 5.000: 0 (same person)" for far in DISTANCES["two"]
    ]
    for words, point in zip(said, diamonds_of(drawn), strict=True):
        assert 0 < point.y[0] - words.y < 0.25


def test_without_a_threshold_a_gray_line_to_the_largest_distance():
    drawn = draw(make_findings({"one": None, "two": 5.0}))
    points = diamonds_of(drawn)
    ((left, right, color),) = bands_of(drawn, points[0].y[0])
    assert color == GRAY
    assert points[2].x[0] == pytest.approx(left + (right - left) / 1.05)
    assert next(each.text for each in drawn.words if "no threshold" in each.text) == "distance 0.500, no threshold"
