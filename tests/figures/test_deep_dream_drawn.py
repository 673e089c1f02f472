"""Deep Dream on the page: each dream below its image, in its network's column, over its numbers."""

import numpy as np
import pytest
from tests.figures.reader import assert_shows, make_pictures, read

from netgaze.figure import Finding
from netgaze.figures.deep_dream import DeepDream
from netgaze.figures.deep_dream.octaves import to_frames


def made_finding(pictures, place):
    """Two images, one of them twice as wide as high, and two goals; pictures are six of their own."""
    pictures = [pictures[0], *pictures[1:3], *pictures[3:, :2]]
    arrays = {"images": np.array(["a.png", "b.png"]), "goals": np.array(["conv", "stage"])}
    numbers = {}
    for i, name in enumerate(("a.png", "b.png")):
        arrays |= {f"base{i}": pictures[3 * i], f"dream{i}_0": pictures[3 * i + 1], f"dream{i}_1": pictures[3 * i + 2]}
        for j, goal in enumerate(("conv", "stage")):
            before = 1.25 + place + 2 * i + 4 * j
            own = {"before": before, "after": 10 * before, "ratio": 100 * before}
            numbers |= {f"{name}/{goal}/{what}": value for what, value in own.items()}
    return Finding(numbers, arrays)


@pytest.fixture(scope="module")
def two_made():
    pictures = make_pictures(2, 6)
    findings = {label: made_finding(pictures[place], place) for place, label in enumerate(("net A", "net B"))}
    return findings, read(DeepDream().draw(findings))


def test_each_dream_is_below_its_image_in_its_networks_column(two_made):
    findings, drawn = two_made
    names = ["base0", "dream0_0", "dream0_1", "base1", "dream1_0", "dream1_1"]
    for line, name in zip(drawn.grid(), names, strict=True):
        assert_shows(line, [finding.arrays[name] for finding in findings.values()])
        assert [drawn.say(label).x for label in findings] == pytest.approx([tile.middle[0] for tile in line])
        high = 1 if name.endswith("0_0") or name.endswith("0_1") or name == "base0" else 0.5
        assert [tile.height / tile.width for tile in line] == pytest.approx([high] * 2)
        assert line[0].width == line[1].width == drawn.tiles[0].width


def test_words_below_say_what_rose_from_what_to_what(two_made):
    drawn = two_made[1]
    assert (
        drawn.say("Numbers below: mean squared activation for the image, then for its dream").y < drawn.say("net A").y
    )
    said = [[" ".join(word.text for word in drawn.words_below(tile, 0.4)) for tile in line] for line in drawn.grid()]
    assert said == [
        ["a.png", "a.png"],
        ["conv: 1.25 to 12.5 (×125)", "conv: 2.25 to 22.5 (×225)"],
        ["stage: 5.25 to 52.5 (×525)", "stage: 6.25 to 62.5 (×625)"],
        ["b.png", "b.png"],
        ["conv: 3.25 to 32.5 (×325)", "conv: 4.25 to 42.5 (×425)"],
        ["stage: 7.25 to 72.5 (×725)", "stage: 8.25 to 82.5 (×825)"],
    ]


@pytest.mark.parametrize(("arguments", "unit"), [({"channel": 3}, "mean activation"), ({"class_name": "cat"}, "logit")])
def test_of_one_image_its_name_is_in_no_number_and_a_gain_is_no_ratio(arguments, unit):
    pictures = make_pictures(2)
    arrays = {"images": np.array(["a.png"]), "goals": np.array(["it"]), "base0": pictures[0], "dream0_0": pictures[1]}
    finding = Finding({"it/before": -0.125, "it/after": 0.625, "it/gain": 0.75}, arrays)
    drawn = read(DeepDream(**arguments).draw({"net A": finding}))
    below = " ".join(word.text for word in drawn.words_below(drawn.find(pictures[1])))
    assert below == "it: -0.125 to 0.625"
    assert drawn.say(f"Numbers below: {unit} for the image")


def test_a_network_with_fewer_goals_leaves_its_place_blank():
    findings = {label: made_finding(make_pictures(12)[6 * place :], place) for place, label in enumerate("AB")}
    first = findings["A"]
    first.arrays["images"], first.arrays["goals"] = np.array(["a.png"]), np.array(["stage"])
    first.arrays["dream0_0"] = first.arrays["dream0_1"]
    first.numbers = {"stage/before": 1.0, "stage/after": 2.0, "stage/ratio": 2.0}
    lines = read(DeepDream().draw(findings)).grid()
    assert [len(line) for line in lines] == [2, 2, 1, 1, 1, 1]
    assert_shows(lines[1], [first.arrays["dream0_1"], findings["B"].arrays["dream0_0"]])
    assert lines[2][0].x == lines[1][1].x


def test_frames_grow_to_the_images_size_in_order():
    base, octaves = make_pictures(1, side=6)[0], [make_pictures(2, side=3)[::-1], make_pictures(3, side=6)[1:]]
    found = to_frames(base, octaves)
    assert found.shape == (5, 6, 6, 3)
    assert [frame[0, 0].tolist() for frame in found] == [
        picture[0, 0].tolist() for picture in (base, *octaves[0], *octaves[1])
    ]
