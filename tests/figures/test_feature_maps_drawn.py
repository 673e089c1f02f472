"""Feature maps on the page: each map in its place and colors, with its channel, its scale and its layer's numbers."""

from functools import cache

import numpy as np
import pytest
from matplotlib import colormaps
from tests.figures.reader import assert_shows, make_pictures, read

from netgaze.drawing.panels import PALE
from netgaze.figure import Finding
from netgaze.figures.feature_maps import FeatureMaps


def made_finding(pictures, place):
    """Two images and two layers: one signed, one not; every value differs from all others."""
    order = np.random.default_rng(place).permutation(24)
    plain, signed = 1.0 + order.reshape(2, 3, 2, 2), (order - 11.5).reshape(2, 3, 2, 2)
    arrays = {"images": pictures, "names": np.array([f"image {place}5", f"image {place}6"])}
    arrays |= {"layers": np.array(["conv", "stage"]), "maps0": signed * (1 + place), "maps1": plain * (1 + place)}
    arrays |= {"channels0": np.array([2, 0, 1]) + 10 * place, "channels1": np.array([7, 9, 8]) + 10 * place}
    arrays |= {"dead0": np.array([False, True, False]), "dead1": np.array([True, False, False])}
    numbers = {}
    for j, layer in enumerate(("conv", "stage")):
        own = {"channels": 3 + j, "height": 4 + j, "width": 6 + j, "dead": 0.25 + j / 2, "active": 0.1 + place / 10}
        numbers |= {f"{layer}/{name}": value for name, value in own.items()}
    return Finding(numbers, arrays)


FULL = {"signed": 11.5, "plain": 23.77}  # at the 99th percentile: of 23 steps of values the first 22.77


def color(values, top, colors):
    """As matplotlib has it: `values` [h,w] from zero (or minus the top) to the top."""
    shares = values / top if colors == "viridis" else values / top / 2 + 0.5
    return (colormaps[colors](np.clip(shares, 0, 1))[..., :3] * 255).round()


@cache
def draw_two(scale):
    pictures = make_pictures(2, 2)
    findings = {label: made_finding(pictures[place], place) for place, label in enumerate(("net A", "net B"))}
    return findings, read(FeatureMaps(scale=scale).draw(findings))


@pytest.mark.parametrize("scale", ["layer", "channel"])
def test_each_map_is_drawn_on_the_scale_of_its_layer_or_channel(scale):
    findings, drawn = draw_two(scale)
    lines = drawn.grid()
    assert [len(line) for line in lines] == [2, 6, 6] * 2
    for number in range(2):
        assert_shows(lines[3 * number], [finding.arrays["images"][number] for finding in findings.values()])
        for j, colors in enumerate(("RdBu_r", "viridis")):
            tiles = iter(lines[3 * number + 1 + j])
            for place, finding in enumerate(findings.values()):
                maps = finding.arrays[f"maps{j}"]
                for channel in range(3):
                    top = np.abs(maps[:, channel]).max()
                    if scale == "layer":
                        top = (1 + place) * (np.quantile(np.abs(maps[:]) / (1 + place), 0.99) if j == 0 else 23.77)
                    expected = color(maps[number, channel], top, colors)
                    assert np.abs(next(tiles).image.astype(int) - expected).max() <= 1


def test_words_bars_and_frames_belong_to_their_maps():
    findings, drawn = draw_two("layer")
    lines = drawn.grid()
    for number in range(2):
        names = [[word.text for word in drawn.words_below(tile, 0.2)] for tile in lines[3 * number]]
        assert names == [[f"image 0{5 + number}"], [f"image 1{5 + number}"]]
        below = [[drawn.words_below(tile, 0.17)[0].text for tile in lines[3 * number + 1 + j]] for j in range(2)]
        assert below == [["2", "0 ×", "1", "12", "10 ×", "11"], ["7 ×", "9", "8", "17 ×", "19", "18"]]
    assert [tuple(drawn.outline_of(tile)) for tile in lines[1]] == [(PALE.lower(), 0.4)] * 6
    bars = sorted(drawn.color_bars, key=lambda bar: (round(bar.y, 2), bar.x))
    signed, plain = [(-11.5, 11.5, "RdBu_r"), (-23, 23, "RdBu_r")], [(0, 23.77, "viridis"), (0, 47.54, "viridis")]
    found = [(bar.low, bar.high, bar.colors) for bar in bars]
    for (low, high, colors), expected in zip(found, (signed + plain) * 2, strict=True):
        assert (low, high) == pytest.approx(expected[:2], rel=0.03)
        assert colors == expected[2]
    assert {bar.words for bar in bars} == {"activation"}
    for bar, line in zip(bars[::2], (lines[1], lines[2], lines[4], lines[5]), strict=True):
        assert line[0].y < bar.y < line[0].y + 1.5
    titles = [drawn.say(label).x for label in findings]
    assert titles == pytest.approx([tile.middle[0] for tile in lines[0]])
    assert titles == pytest.approx([bar.middle[0] for bar in bars[:2]])
    assert titles == pytest.approx(
        [np.mean([tile.middle[0] for tile in lines[1][side]]) for side in (slice(3), slice(3, 6))]
    )


def test_each_layer_says_its_numbers_above_its_maps():
    drawn = draw_two("layer")[1]
    text = " ".join(word.text for word in drawn.words)
    first, second = "3 maps of 4x6; dead 25.0%, values above zero", "3 of 4 maps of 5x7; dead 75.0%, values above zero"
    for words in (f"conv: {first}", f"stage: {second}"):
        assert text.count(words[:16]) == 4
    (left, *_), above = [line[0] for line in drawn.grid()[1:3]], drawn.grid()[1][0].y
    assert above - 0.3 < min(word.y for word in drawn.words if word.text.startswith("conv:")) < above
    assert left.y + left.height < min(word.y for word in drawn.words if word.text.startswith("stage:"))
    heads = [word for word in drawn.words if word.text.startswith("conv:")][:2]
    assert heads[0].text == f"conv: {first} 10.0%"
    assert heads[1].text == f"conv: {first} 20.0%"


def test_of_its_own_scale_each_channel_says_its_largest():
    findings, drawn = draw_two("channel")
    for number in range(2):
        for j in range(2):
            tiles = iter(drawn.grid()[3 * number + 1 + j])
            for finding in findings.values():
                maps = finding.arrays[f"maps{j}"]
                for channel in range(3):
                    said = drawn.words_below(next(tiles), 0.3)[1].text
                    assert float(said) == pytest.approx(np.abs(maps[:, channel]).max(), rel=0.05)
    assert {(bar.high, bar.words) for bar in drawn.color_bars} == {(1.0, "share of the channel's maximum")}
    assert [bar.low for bar in drawn.color_bars].count(-1) == [bar.low for bar in drawn.color_bars].count(0) == 4


def test_many_maps_lie_in_lines_of_one_order():
    values = np.arange(1.0, 21.0).reshape(1, 20, 1, 1)
    finding = made_finding(make_pictures(2), 0)
    finding.arrays |= {name: finding.arrays[name][:1] for name in ("images", "names", "maps0")}
    finding.arrays |= {"maps1": values, "channels1": np.arange(20)[::-1], "dead1": np.zeros(20, dtype=bool)}
    drawn = read(FeatureMaps().draw({"net A": finding}))
    lines = drawn.grid()[2:5]
    assert [len(line) for line in lines] == [7, 7, 6]
    said = [drawn.words_below(tile, 0.17)[0].text for line in lines for tile in line]
    assert said == [str(number) for number in range(19, -1, -1)]
