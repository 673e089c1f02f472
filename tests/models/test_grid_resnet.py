"""The grid head: cells by loops, the linear layer on them, and the cells alone."""

import pytest
import torch

from netgaze.models.grid_resnet import GridResNet
from netgaze.models.resnet import ResNet


def network(grid=4, num_classes=10, **changes):
    trunk = {"depths": [1, 1], "widths": [4, 6], "stem": "cifar", "in_channels": 3} | changes
    return GridResNet(**trunk, num_classes=num_classes, grid=grid).eval()


def averages(maps, grid):
    """The mean over each cell; where cells do not fit the maps, they begin rounded down and end rounded up."""
    num, channels, height, width = maps.shape
    cells = torch.zeros(num, channels, grid, grid)
    for b in range(num):
        for c in range(channels):
            for row in range(grid):
                for column in range(grid):
                    top, bottom = row * height // grid, -(-(row + 1) * height // grid)
                    left, right = column * width // grid, -(-(column + 1) * width // grid)
                    pixels = [maps[b, c, y, x] for y in range(top, bottom) for x in range(left, right)]
                    cells[b, c, row, column] = sum(pixels) / len(pixels)
    return cells


@pytest.mark.parametrize(
    ("grid", "height", "width"), [(1, 5, 5), (2, 8, 8), (4, 8, 8), (3, 8, 8), (2, 6, 4), (3, 2, 2)]
)
def test_cells_are_averages_over_their_pixels(grid, height, width):
    model, maps = network(grid), torch.randn(2, 6, height, width)
    cells = averages(maps, grid)
    features = model.forward_head(maps, pre_logits=True)
    torch.testing.assert_close(features, cells.reshape(2, -1))
    torch.testing.assert_close(model.forward_head(maps), features @ model.fc.weight.T + model.fc.bias)


@pytest.mark.parametrize("grid", [1, 3])
def test_without_classes_the_cells_are_the_outputs(grid):
    model, images = network(grid, num_classes=0), torch.randn(2, 3, 12, 12)
    cells = model.forward_head(model.forward_features(images), pre_logits=True)
    assert torch.equal(model(images), cells)
    assert cells.shape == (2, 6 * grid**2)
    assert not any(name.startswith("fc") for name in model.state_dict())


@pytest.mark.parametrize("num_classes", [0, 10])
@pytest.mark.parametrize("grid", [1, 2, 5])
def test_so_many_features_as_cells(grid, num_classes):
    model = network(grid, num_classes)
    assert model.num_features == 6
    assert model.head_hidden_size == 6 * grid**2
    if num_classes:
        assert model.get_classifier().in_features == model.head_hidden_size
        assert model.class_filters().shape == (10, model.head_hidden_size)


def test_bottlenecks_have_four_times_the_cells():
    model = network(2, block="bottleneck")
    assert model.head_hidden_size == 4 * 6 * 4
    assert model(torch.randn(2, 3, 8, 8)).shape == (2, 10)


def test_on_one_cell_it_is_the_resnet():
    plain = ResNet(depths=[1, 1], widths=[4, 6], stem="cifar", in_channels=3, num_classes=10).eval()
    model, images = network(1), torch.randn(2, 3, 10, 10)
    model.load_state_dict(plain.state_dict())
    torch.testing.assert_close(model(images), plain(images))


def test_it_tells_where_things_are():
    """Moved from one cell to another, the same features are other features, whose mean is the same."""
    model, maps = network(2), torch.zeros(2, 6, 4, 4)
    maps[0, :, 0, 0] = maps[1, :, 3, 3] = 1
    here, there = model.forward_head(maps, pre_logits=True)
    assert not torch.equal(here, there)
    assert here.sum() == there.sum()
