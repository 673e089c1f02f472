"""Pseudo-labels as they are drawn: each class's images in its row, framed by the truth; shares over ranks."""

import numpy as np
import pytest
from tests.figures.reader import assert_shows, make_pictures, read

from netgaze.drawing.panels import GRAY
from netgaze.figure import Finding
from netgaze.figures.pseudo_labels import PseudoLabels

CLASSES = 3
ROWS = np.array([0, 2])  # of which images are shown
PICTURES = make_pictures(2, 2, 3, 2)  # networks, rows, parts, images
TRUE = np.array([[[0, 1], [0, 0], [2, 0]], [[2, 2], [1, 2], [0, 1]]])  # of rows, parts, images
SCORES = np.arange(1, 25)[::-1].reshape(2, 2, 3, 2) / 25


def make_findings():
    findings = {}
    for network, label in enumerate(("one", "two")):
        tenths = np.tile(np.linspace(1, 0.1, 10), (CLASSES, 1)) * np.array([[1.0], [0.5], [0.25]]) / (network + 1)
        tenths[:, 3] = np.nan
        true = TRUE if network == 0 else TRUE[::-1] * 0 + ROWS[:, None, None]  # the second is always right
        arrays = {
            "names": np.array(["cat", "dog", "emu"]),
            "counts": np.array([6 + network, 0, 8]),
            "right": np.array([0.5, np.nan, 0.25]) + network / 4,
            "tenths": tenths,
            "rows": ROWS,
            "tile_class": np.repeat(ROWS, 6),
            "tile_part": np.tile([0, 0, 1, 1, 2, 2], 2),
            "tile_score": SCORES[network].ravel(),
            "tile_true": true.ravel(),
            "images": PICTURES[network].reshape(-1, *PICTURES.shape[4:]),
        }
        numbers = {"images": 1014 + network, "distinct": 1012, "share_right": 0.4 + network / 4}
        numbers |= {"share_right_first_tenth": 0.9, "share_right_last_tenth": 0.1 + network / 4}
        findings[label] = Finding(numbers | {"chance": 0.3 + network / 100}, arrays)
    return findings


def draw(findings=None):
    return read(PseudoLabels(num_each=2).draw(findings or make_findings()))


def test_each_image_stands_in_the_row_of_its_class_and_under_its_part():
    drawn = draw()
    lines = drawn.grid()
    assert len(lines) == 4
    for line, pictures in zip(lines, PICTURES.reshape(4, 6, 4, 4, 3), strict=True):
        assert_shows(line, pictures)
    heads = [each for each in drawn.words if each.text in ("highest scores", "middle", "lowest scores")]
    assert [each.text for each in heads] == ["highest scores", "middle", "lowest scores"] * 2
    for network in (0, 1):
        for part, head in enumerate(heads[3 * network : 3 * network + 3]):
            first = lines[2 * network][2 * part]
            assert head.x == pytest.approx(first.x)
            assert 0 < first.y - head.y < 0.3


def test_frames_say_whether_an_image_is_of_the_class_of_its_row():
    drawn = draw()
    frames = [[drawn.frame_of(tile) for tile in line] for line in drawn.grid()]
    for row, label in enumerate(ROWS):
        assert frames[row] == ["right" if true == label else "wrong" for true in TRUE[row].ravel()]
    assert frames[2:] == [["right"] * 6] * 2


def test_below_an_image_its_score_and_what_it_is_where_that_is_another_class():
    drawn = draw()
    for row, line in enumerate(drawn.grid()[:2]):
        for place, tile in enumerate(line):
            true, score = TRUE[row].ravel()[place], SCORES[0, row].ravel()[place]
            other = [] if true == ROWS[row] else [f"is {('cat', 'dog', 'emu')[true]}"]
            assert [word.text for word in drawn.words_below(tile, 0.3)] == [f"{score:.2f}", *other]


def test_left_of_a_row_its_class_count_and_share():
    drawn = draw()
    beside = [[word.text for word in drawn.words_left_of(line[0])] for line in drawn.grid()]
    assert beside == [
        ["cat", "6 images", "50% correct"],
        ["emu", "8 images", "25% correct"],
        ["cat", "7 images", "75% correct"],
        ["emu", "8 images", "50% correct"],
    ]


def test_a_network_s_head_stands_above_its_block():
    drawn = draw()
    one, two = (next(each for each in drawn.words if each.text == label and each.bold) for label in ("one", "two"))
    lines = drawn.grid()
    assert one.y < lines[0][0].y < lines[1][0].y < two.y < lines[2][0].y
    said = [each for each in drawn.words if "pseudo-labels for" in each.text]
    assert [each.text for each in said] == [
        "1,014 pseudo-labels for 1,012 images, 40% correct",
        "1,015 pseudo-labels for 1,012 images, 65% correct",
    ]
    assert [abs(each.y - head.y) < 0.1 for each, head in zip(said, (one, two), strict=True)] == [True, True]


def test_shares_are_means_over_classes_by_tenths():
    drawn = draw()
    (plot,) = drawn.plots
    assert plot.xticks == {"first": 0.5, **{str(place): place - 0.5 for place in range(2, 10)}, "last": 9.5}
    curves = [line for line in plot.lines if len(line.x) == 9]
    known = [place for place in range(10) if place != 3]
    for network, line in enumerate(curves):
        tenths = make_findings()[("one", "two")[network]].arrays["tenths"]
        assert line.x == [place + 0.5 for place in known]
        assert line.y == [pytest.approx(np.mean(tenths[:, place])) for place in known]
        low, high = (np.quantile(tenths[:, known], share, axis=0) for share in (0.25, 0.75))
        band = plot.bands[network]
        assert {tuple(point) for point in np.round(band, 6)} == {
            tuple(np.round((place + 0.5, end[number]), 6)) for number, place in enumerate(known) for end in (low, high)
        }
    chances = [line for line in plot.lines if line.color == GRAY]
    assert [set(line.y) for line in chances] == [{0.3}, {0.31}]
    assert "highest first" in plot.xlabel
    assert plot.ylabel.startswith("share correct")


def test_the_key_names_each_line_in_its_color():
    drawn = draw()
    (plot,) = drawn.plots
    samples = {round(line.y[0], 2): line for line in drawn.lines}
    curves = [line for line in plot.lines if len(line.x) == 9]
    assert len({line.color for line in curves}) == len({line.style for line in curves}) == 2
    words = ("one: 40% correct; first tenth", "two: 65% correct; first tenth")
    for curve, said in zip(curves, words, strict=True):
        at = drawn.say(said)
        sample = next(samples[y] for y in sorted(samples) if abs(y - at.y) < 0.1)
        assert (sample.color, sample.style, sample.marker) == (curve.color, curve.style, curve.marker)
    text = " ".join(drawn.text.split())
    assert "chance, 30.0% to 31.0%" in text


def test_a_class_of_no_images_says_so():
    findings = make_findings()
    for finding in findings.values():
        finding.arrays["rows"] = np.array([1])
    drawn = draw(findings)
    assert not drawn.tiles
    assert drawn.text.count("no images") == 2
    assert drawn.text.count("0 images") == 2
