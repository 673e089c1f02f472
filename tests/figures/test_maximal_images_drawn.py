"""Maximal images on the page: by channel and network, the strongest first, each over its score."""

import numpy as np
import pytest
from tests.figures.reader import assert_shows, make_pictures, read

from netgaze.figure import Finding
from netgaze.figures.maximal_images import MaximalImages
from netgaze.text import format_value


def made_finding(pictures, channels, place):
    """Four images of each channel and one made for it; pictures are five of their own for each channel."""
    arrays = {
        "channels": np.array(channels),
        "scores": np.array([[9, 8, 7, 6.0]]) + 10 * np.arange(len(channels))[:, None] + place / 10,
        "images": pictures[: len(channels), :4],
        "optimized": pictures[: len(channels), 4],
    }
    numbers = {}
    for row, channel in enumerate(channels):
        own = {"optimized": 100.0 + channel, "best_image": 50.5 + row + place, "median_image": 0.125 + row}
        numbers |= {f"channel {channel}/{name}": value for name, value in own.items()}
    return Finding(numbers, arrays)


@pytest.fixture(scope="module")
def two_made():
    pictures = make_pictures(2, 3, 5)
    findings = {"net A": made_finding(pictures[0], [4, 7], 0), "net B": made_finding(pictures[1], [2, 5, 9], 1)}
    return findings, read(MaximalImages().draw(findings))


def test_each_channel_has_its_optimized_image_and_right_of_it_the_strongest_first(two_made):
    findings, drawn = two_made
    first, second = (finding.arrays for finding in findings.values())
    expected = []
    for row in range(2):
        made = [[arrays["optimized"][row], *arrays["images"][row, :2]] for arrays in (first, second)]
        expected += [made[0] + made[1], [*first["images"][row, 2:], *second["images"][row, 2:]]]
    expected += [[second["optimized"][2], *second["images"][2, :2]], [*second["images"][2, 2:]]]
    for line, images in zip(drawn.grid(), expected, strict=True):
        assert_shows(line, images)
    large = [drawn.find(image) for arrays in (first, second) for image in arrays["optimized"]]
    assert min(tile.width for tile in large) > max(tile.width for tile in drawn.tiles if tile not in large)
    # a column per network: the third channel of the second one stands below its others, not at the left
    assert len({round(tile.x, 2) for tile in large}) == 2
    assert large[4].x == large[3].x == large[2].x > drawn.say("net A").x
    for label, tile in zip(findings, (large[0], large[2]), strict=True):
        assert tile.x < drawn.say(label).x < tile.x + 4.5


def test_each_image_has_its_score_and_each_channel_its_numbers(two_made):
    findings, drawn = two_made
    for finding in findings.values():
        for images, scores in zip(finding.arrays["images"], finding.arrays["scores"], strict=True):
            below = [drawn.words_below(drawn.find(image), 0.17)[0].text for image in images]
            assert below == [format_value(score) for score in scores]
    words = [
        drawn.words_above(drawn.find(image), 0.4) for each in findings.values() for image in each.arrays["optimized"]
    ]
    said = [" ".join(word.text for word in lines if "channel" in word.text) for lines in words]
    assert said == [
        "channel 4: optimized 104, best image 50.5, median 0.125",
        "channel 7: optimized 107, best image 51.5, median 1.12",
        "channel 2: optimized 102, best image 51.5, median 0.125",
        "channel 5: optimized 105, best image 52.5, median 1.12",
        "channel 9: optimized 109, best image 53.5, median 2.12",
    ]
