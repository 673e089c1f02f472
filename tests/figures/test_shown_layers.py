"""Which layers and images figures of layers show, and how outputs of any shape become maps."""

import itertools

import pytest
import torch

from netgaze.drawing.shown_layers import choose_layers, describe_left_out, name_images, to_maps
from netgaze.errors import NetgazeError


def test_tokens_last_channels_and_features_as_maps():
    tokens = torch.arange(60.0).view(2, 10, 3)  # a class token, then nine in three lines
    maps = to_maps(tokens, "it")
    assert maps.shape == (2, 3, 3, 3)
    for image, channel, row, column in itertools.product(range(2), *[range(3)] * 3):
        assert maps[image, channel, row, column] == tokens[image, 1 + 3 * row + column, channel]
    last = torch.arange(32.0).view(1, 4, 4, 2)
    assert to_maps(last, "it")[0, 1, 2, 3] == last[0, 2, 3, 1]
    first = torch.arange(32.0).view(1, 2, 4, 4)
    assert torch.equal(to_maps(first, "it"), first)
    assert to_maps(torch.arange(6.0).view(2, 3), "it")[1, 2, 0, 0] == 5


def test_layers_of_a_persons_choice_else_the_networks_own(supervised):
    model = supervised.task.model
    model.filter_layers, model.feature_layers = ("conv1", "bn1"), ("layer2", "conv1", "layer1")
    assert choose_layers(model, None, True, "x.layers") == ["conv1", "layer2", "layer1"]
    assert choose_layers(model, None, False, "x.layers") == ["layer2", "conv1", "layer1"]
    assert choose_layers(model, ["fc", "conv1", "fc"], True, "x.layers") == ["fc", "conv1"]
    with pytest.raises(NetgazeError, match=r"x\.layers=\[conv1\]"):
        choose_layers(model, [], True, "x.layers")


def test_which_images_are_shown_and_how_many_are_left_out(supervised):
    names, images = name_images(supervised, range(3, 12), None, 0)
    assert names == [f"image {number}" for number in range(3, 9)]
    assert torch.equal(images, supervised.data.images("test")[3:9])
    assert len(name_images(supervised, None, None, 1)[0]) == 1
    assert describe_left_out(range(7)) == " Of 7 images the first 6 are shown."
    assert describe_left_out(range(6)) == describe_left_out(None) == ""
