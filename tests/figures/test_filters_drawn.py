"""What filters look like on the page: each weight where it belongs, on its scale, with the numbers of its network."""

import numpy as np
import pytest
from matplotlib import colormaps
from tests.figures.reader import assert_shows, read

from netgaze.figure import Finding
from netgaze.figures.filters import Filters, measure_filters
from netgaze.figures.filters.grids import color_tiles, paste_grid, tile_rgb


def make_weights(*shape, seed=0):
    """Weights that all differ, of both signs, no channel like another."""
    num = int(np.prod(shape))
    return ((np.random.default_rng(seed).permutation(num) - 0.4 * num) / num).reshape(shape)


def made_finding(place, num_layers=2):
    images, deep = make_weights(10, 3, 2, 2, seed=place), (1 + place) * make_weights(3, 2, 2, 2, seed=5 + place)
    images[8 - place] /= 1000  # a dead one
    numbers = {"conv/smoothness": 0.25, "conv/color": 0.5, "conv/norm_std": 0.75, "conv/dead": 0.1 + place}
    numbers |= {"stage/norm_std": 0.15, "stage/dead": 0.35}
    arrays = {"layers": np.array(["conv", "stage"][:num_layers]), "weights0": images, "weights1": deep}
    return Finding(numbers, dict(list(arrays.items())[: 1 + num_layers]))


@pytest.fixture(scope="module")
def two_made():
    findings = {"net A": made_finding(0), "net B": made_finding(1)}
    return findings, read(Filters().draw(findings))


def gray_at_zero(filters):
    """[3,k,k] as a picture, by a loop: the largest magnitude is black or white, zero is middle gray."""
    full = max(abs(value) for value in filters.ravel())
    picture = np.zeros((*filters.shape[1:], 3))
    for channel, row, column in np.ndindex(filters.shape):
        picture[row, column, channel] = 127.5 + 127.5 * filters[channel, row, column] / full
    return picture


def test_filters_on_images_are_tiles_in_their_order_each_on_its_own_scale(two_made):
    findings, drawn = two_made
    assert [len(line) for line in drawn.grid()] == [16, 4]
    first, second = (finding.arrays["weights0"] for finding in findings.values())
    expected = [*first[:8], *second[:8], *first[8:], *second[8:]]
    for tile, filters in zip(drawn.tiles, expected, strict=True):
        assert np.abs(tile.image.astype(float) - gray_at_zero(filters)).max() <= 0.51
    beside = [[word.text for word in drawn.words_left_of(line[0]) if word.align == "right"] for line in drawn.grid()]
    assert beside == [["0"], ["8"]]
    crosses = [(cross.x, cross.y) for cross in drawn.crosses]
    dead = [drawn.grid()[1][0], drawn.grid()[0][15]]
    assert [[tile.holds(*place) for place in crosses].count(True) for tile in dead] == [1, 1]
    assert len(crosses) == 2


def test_gray_filters_and_silent_ones():
    shown = tile_rgb(np.array([[[[-2.0, 1.0], [0.0, 2.0]]], [[[0.0, 0.0], [0.0, 0.0]]]]))
    assert shown[0, :, :, 1].tolist() == [[0, 191], [128, 255]]
    assert np.array_equal(shown[0, ..., 0], shown[0, ..., 2])
    assert (shown[1] == 128).all()


def test_deeper_filters_are_a_grid_of_filters_by_input_channels_on_one_scale(two_made):
    findings, drawn = two_made
    assert [plot.x for plot in drawn.plots] == sorted(plot.x for plot in drawn.plots)
    for finding, plot, bar in zip(findings.values(), drawn.plots, drawn.color_bars, strict=True):
        weights = finding.arrays["weights1"]
        full = np.abs(weights).max()
        expected = np.full((8, 5, 3), 255.0)
        for number, channel, row, column in np.ndindex(weights.shape):
            value = 0.5 + 0.5 * weights[number, channel, row, column] / full
            expected[3 * number + row, 3 * channel + column] = 255 * np.array(colormaps["RdBu_r"](value)[:3])
        assert np.abs(plot.matrix - expected).max() <= 0.51
        assert (plot.xlabel, plot.ylabel) == ("input channel", "filter")
        assert (plot.xlim, plot.ylim) == ((-0.5, 1.5), (2.5, -0.5))
        assert plot.yticks == {str(number): number for number in range(3)}
        assert (bar.low, bar.high, bar.colors, bar.words) == (-full, full, "RdBu_r", "weight")
        assert bar.middle[0] == pytest.approx(plot.middle[0])
        assert bar.y > plot.y + plot.height


def test_each_column_says_its_networks_numbers(two_made):
    findings, drawn = two_made
    for place, label in enumerate(findings):
        title = drawn.say(label)
        tiles = [tile for tile in drawn.grid()[0][8 * place : 8 * place + 8]]
        assert tiles[0].x < title.x < tiles[-1].x
        own = [
            word.text.replace("\u00a0", " ")
            for word in drawn.words
            if abs(word.x - title.x) < 0.1 and word.align == "center"
        ]
        assert own == [
            label,
            "conv: 10 filters of 3 x 2 x 2",
            f"smoothness 0.25, color 50%, spread of norms 0.75, dead {0.1 + place:.0%}",
            "stage: 3 filters of 2 x 2 x 2",
            "spread of norms 0.15, dead 35%",
        ]


def test_a_network_with_fewer_layers_leaves_its_column_blank():
    drawn = read(Filters().draw({"net A": made_finding(0, num_layers=1), "net B": made_finding(1)}))
    assert len(drawn.plots) == 1
    assert drawn.plots[0].x > 4.5
    assert drawn.say("stage:").x > 4.5


def test_pasted_tiles_lie_line_by_line():
    tiles = np.arange(1, 6, dtype=np.uint8)[:, None, None, None] * np.ones((5, 2, 2, 3), dtype=np.uint8)
    assert paste_grid(tiles, gap=1, across=2)[..., 0].tolist() == [
        [1, 1, 255, 2, 2],
        [1, 1, 255, 2, 2],
        [255] * 5,
        [3, 3, 255, 4, 4],
        [3, 3, 255, 4, 4],
        [255] * 5,
        [5, 5, 255, 255, 255],
        [5, 5, 255, 255, 255],
    ]
    assert paste_grid(tiles, gap=0).shape == (4, 6, 3)


def test_each_filter_is_an_image_of_its_own_name():
    finding = made_finding(0)
    assert Filters().files(finding) == {}
    files = Filters(save_each=True).files(finding)
    assert list(files) == [f"conv_{number:03d}" for number in range(10)] + [
        f"stage_{number:03d}" for number in range(3)
    ]
    assert_shows([], [])
    for number in range(10):
        assert np.array_equal(files[f"conv_{number:03d}"], tile_rgb(finding.arrays["weights0"])[number])
    grid = color_tiles(finding.arrays["weights1"])
    assert np.array_equal(files["stage_002"], np.concatenate(grid[2], axis=1))


def test_numbers_of_filters_by_hand():
    weights = np.zeros((4, 3, 2, 2))
    weights[0], weights[1], weights[2, 0], weights[3] = 1.0, [[[2, -2], [2, -2]]], 4.0, 0.001
    found = measure_filters(weights)
    norms = np.array([np.sqrt(12), np.sqrt(48), np.sqrt(64), np.sqrt(12) / 1000])
    assert found["dead"] == 0.25
    assert found["norm_std"] == pytest.approx(norms.std() / norms.mean())
    energy = (norms**2).sum() / 48
    steps = 6 * 16 / 48  # of the second, six steps to the right of 4, half of all steps being to the right
    assert found["smoothness"] == pytest.approx(1 - steps / (2 * energy))
    assert found["color"] == pytest.approx((4 * 16 * (2 / 3)) / 48 / energy)
