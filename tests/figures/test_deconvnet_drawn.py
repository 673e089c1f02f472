"""Deconvnet on the page: what was carried back, by image, layer, kind and path; frames, patches and words."""

import numpy as np
import pytest
import torch
from tests.figures.reader import assert_shows, make_pictures, read
from tests.figures.test_figures import assert_readable

from netgaze.figure import Finding
from netgaze.figures.deconvnet import Deconvnet, correlate, find_edges
from netgaze.figures.deconvnet.blocks import KINDS
from netgaze.figures.deconvnet.patches import cut_patches, find_frames, find_tiles
from netgaze.inside.deconvolution import PATHS
from netgaze.inside.receptive_bounds import Field

LAYERS, PARTS = ["conv", "stage"], ("patches", "patches_back")


def made_finding(pictures, place):
    """Two images, two layers and three paths, different in every cell; pictures are 72 of their own."""
    back, rest = pictures[:36].reshape(2, 2, 3, 3, 4, 4, 3), pictures[36:]
    arrays = {
        "images": rest[:2],
        "names": np.array([f"image {place}5", f"image {place}6"]),
        "paths": np.array(PATHS),
        "layers": np.array(LAYERS),
        "channels": np.array([[1, 2], [3, 4]]) + 10 * place,
        "frames": np.array([[[1, 0, 2], [0, 2, 2]], [[-1, 1, 3], [2, 2, 5]]]),
        "back": back,
        "likeness": np.arange(1, 13).reshape(2, 2, 3) / 20 + place / 100,
    }
    for number in range(2):
        own = rest[2 + 8 * number : 10 + 8 * number]
        arrays |= {f"patches{number}": own[:4], f"patches_back{number}": own[4:]}
        arrays |= {f"index{number}": np.arange(4), f"scores{number}": np.arange(4.0)}
    return Finding({"conv/receptive_field": 7 + place}, arrays)


@pytest.fixture(scope="module")
def two_made():
    pictures = make_pictures(2, 54)
    findings = {label: made_finding(pictures[place], place) for place, label in enumerate(("net A", "net B"))}
    return findings, read(Deconvnet().draw(findings))


def layer_lines(drawn):
    """The lines of tiles of the first and the second network, without those of patches: networks, images, layers."""
    lines = [line for line in drawn.grid() if len(line) == 10]
    return [[lines[0:2], lines[2:4]], [lines[4:6], lines[6:8]]]


def test_each_layer_kind_and_path_is_drawn_in_its_place(two_made):
    findings, drawn = two_made
    for finding, images in zip(findings.values(), layer_lines(drawn), strict=True):
        for number, lines in enumerate(images):
            for place, line in enumerate(lines):
                back = finding.arrays["back"][number, place]
                assert_shows(line, [finding.arrays["images"][number], *back[0], *back[1], *back[2]])


def test_patches_stand_beside_what_is_carried_back_layer_by_layer(two_made):
    findings, drawn = two_made
    lines = [line for line in drawn.grid() if len(line) == 8]
    for number, finding in enumerate(findings.values()):
        for down in range(2):
            own = slice(2 * down, 2 * down + 2)
            expected = [finding.arrays[f"{part}{place}"][own] for place in range(2) for part in PARTS]
            assert_shows(lines[2 * number + down], np.concatenate(expected))
    first = [drawn.words_above(lines[2 * number][4 * place]) for number in range(2) for place in range(2)]
    assert [words[-1].text for words in first] == [
        "conv, channel 1",
        "stage, channel 2",
        "conv, channel 11",
        "stage, channel 12",
    ]
    assert drawn.text.count("activate the first image's channel most (left), and their reconstructions") == 2


def test_words_name_networks_images_layers_kinds_and_paths(two_made):
    findings, drawn = two_made
    for number, (label, images) in enumerate(zip(findings, layer_lines(drawn), strict=True)):
        above = images[0][0][0].y
        assert drawn.say(label).y < above
        assert number == 0 or drawn.say(label).y > layer_lines(drawn)[0][1][1][0].y
        for image, lines in enumerate(images):
            assert f"image {number}{5 + image}" in [word.text for word in drawn.words_above(lines[0][0], 0.3)]
            for place, line in enumerate(lines):
                beside = [word.text for word in drawn.words_left_of(line[0])]
                seen = ["sees", f"{7 + number}", "pixels"] if place == 0 else []
                channel = findings[label].arrays["channels"][image, place]
                assert " ".join(beside).split() == [LAYERS[place], "channel", str(channel), *seen]
            paths = [[word.text for word in drawn.words_above(tile, 0.25)][-1] for tile in lines[0][1:]]
            assert paths == list(PATHS) * 3
            for kind, words in enumerate(KINDS):
                (title,) = (word for word in drawn.words if word.text == words and 0 < lines[0][0].y - word.y < 0.4)
                own = lines[0][1 + 3 * kind : 4 + 3 * kind]
                assert title.x == pytest.approx(own[1].middle[0], abs=0.02)


def test_a_long_name_of_an_image_lies_on_no_other_words():
    finding = made_finding(make_pictures(54), 0)
    finding.arrays["names"] = np.array(["my holidays in a far away country.jpg", "b"])
    assert_readable(Deconvnet().draw({"net A": finding}))


def test_the_likeness_stands_below_the_whole_layer_alone(two_made):
    findings, drawn = two_made
    for finding, images in zip(findings.values(), layer_lines(drawn), strict=True):
        for number, lines in enumerate(images):
            for place, line in enumerate(lines):
                below = [[word.text for word in drawn.words_below(tile, 0.2)] for tile in line[1:]]
                numbers = [[f"{value:.2f}"] for value in finding.arrays["likeness"][number, place]]
                assert below[:3] == numbers
                assert not any(text[:1].isdigit() for words in below[3:] for text in words)


def test_the_frame_is_what_the_place_sees_of_the_image(two_made):
    drawn = two_made[1]
    seen = [[(0.25, 0, 0.75, 0.5), (0, 0.5, 0.5, 1)], [(0, 0.25, 0.5, 1), (0.5, 0.5, 1, 1)]]
    for images in layer_lines(drawn):
        for lines, own in zip(images, seen, strict=True):
            for line, edges in zip(lines, own, strict=True):
                tile = line[0]
                (frame,) = (
                    each
                    for each in drawn.lines
                    if all(tile.holds(*point) for point in zip(each.x, each.y, strict=True))
                )
                found = (min(frame.x) - tile.x, min(frame.y) - tile.y, max(frame.x) - tile.x, max(frame.y) - tile.y)
                assert found == pytest.approx([edge * tile.width for edge in edges], abs=0.01)
    assert len(drawn.lines) == 8


def test_correlation_bounds():
    values = torch.randn(3, 3, 5, 5)
    assert torch.allclose(correlate(values, 2 * values + 7), torch.ones(3).double())
    assert torch.allclose(correlate(values, -values), -torch.ones(3).double())
    assert correlate(values, torch.ones_like(values)).tolist() == [0, 0, 0]
    assert find_edges(torch.ones(2, 3, 4, 4)).count_nonzero() == 0


def test_tiles_have_their_own_scales():
    values = torch.linspace(-1, 1, 100).view(1, 1, 10, 10)
    both = find_tiles(torch.cat([values, 1000 * values, 0 * values]))
    assert np.array_equal(both[0], both[1])
    assert (both[2] == 128).all()
    assert both[0, 0, 0].tolist() == [0] * 3
    assert both[0, -1, -1].tolist() == [255] * 3
    assert (np.diff(both[0, :, :, 0].ravel().astype(int)) >= 0).all()


def test_frames_and_cuts():
    field = Field(5, 2, -2)
    found = find_frames(field, np.array([0, 7]), 4, 8)
    assert found.tolist() == [[-2, -2, 5], [4, 0, 5]]
    images = np.arange(2 * 64).reshape(2, 8, 8, 1).repeat(3, axis=3).astype(np.uint8)
    patches = cut_patches(images, found)
    assert patches[0, :, :, 0].tolist() == [[128] * 5, [128] * 5] + [
        [128, 128, *range(8 * y, 8 * y + 3)] for y in range(3)
    ]
    assert patches[1, 0, :, 0].tolist() == [68, 69, 70, 71, 128]
    for large in (None, Field(9, 2, 0), Field(3, None, 0)):
        assert find_frames(large, np.array([3]), 4, 8).tolist() == [[0, 0, 8]]
