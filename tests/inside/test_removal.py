"""Curves of deletion and insertion against loops, and on networks that look at one pixel alone."""

import numpy as np
import pytest
import torch
from torch import nn

from netgaze.inside.removal import trace_removal

SHARES = [0.0, 0.25, 0.5, 1.0]


class OnePixel(nn.Module):
    """Says class 0 where one pixel is bright, class 1 where it is dark, and at the mean color neither."""

    def __init__(self, row, column):
        super().__init__()
        self.row, self.column = row, column

    def forward(self, images):
        value = 20 * images[:, :, self.row, self.column].mean(dim=1)
        return torch.stack([value, -value], dim=1)


def make_network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5)).eval()


def test_curves_are_those_of_a_loop():
    network, images, targets = make_network(), torch.randn(4, 3, 6, 6), torch.tensor([0, 3, 4, 1])
    maps = torch.rand(4, 6, 6)
    deleted, inserted = trace_removal(network, images, targets, maps, SHARES)
    assert deleted.shape == inserted.shape == (4, 4)
    for number in range(4):
        order = np.argsort(-maps[number].flatten().numpy())
        for place, share in enumerate(SHARES):
            without, only = images[number].clone(), torch.zeros(3, 6, 6)
            for pixel in order[: round(share * 36)]:
                row, column = divmod(int(pixel), 6)
                without[:, row, column] = 0
                only[:, row, column] = images[number, :, row, column]
            for curve, shown in ((deleted, without), (inserted, only)):
                expected = network(shown[None]).detach().softmax(dim=1)[0, targets[number]]
                assert float(curve[number, place]) == pytest.approx(float(expected), abs=1e-6)


def test_both_ends_are_the_image_and_the_mean_color():
    network, images, targets = make_network(), torch.randn(3, 3, 6, 6), torch.tensor([0, 1, 2])
    deleted, inserted = trace_removal(network, images, targets, torch.rand(3, 6, 6), [0, 1])
    whole = network(images).softmax(dim=1)[torch.arange(3), targets]
    blank = network(torch.zeros_like(images)).softmax(dim=1)[torch.arange(3), targets]
    torch.testing.assert_close(deleted, torch.stack([whole, blank], dim=1).detach())
    torch.testing.assert_close(inserted, torch.stack([blank, whole], dim=1).detach())


def test_a_perfect_map_of_a_network_that_looks_at_one_pixel():
    """All is lost with the first pixel and won with it; of the map turned about with the last one."""
    network, images = OnePixel(2, 1), torch.ones(2, 3, 4, 4)
    maps = torch.zeros(2, 4, 4)
    maps[:, 2, 1] = 1.0
    shares = [0, 1 / 16, 0.5, 1]
    deleted, inserted = trace_removal(network, images, torch.zeros(2, dtype=torch.int64), maps, shares)
    np.testing.assert_allclose(deleted, [[1, 0.5, 0.5, 0.5]] * 2, atol=1e-6)
    np.testing.assert_allclose(inserted, [[0.5, 1, 1, 1]] * 2, atol=1e-6)
    deleted, inserted = trace_removal(network, images, torch.zeros(2, dtype=torch.int64), -maps, shares)
    np.testing.assert_allclose(deleted, [[1, 1, 1, 0.5]] * 2, atol=1e-6)
    np.testing.assert_allclose(inserted, [[0.5, 0.5, 0.5, 1]] * 2, atol=1e-6)


def test_the_images_stay_as_they_are():
    images = torch.randn(2, 3, 6, 6)
    before = images.clone()
    trace_removal(make_network(), images, torch.tensor([0, 1]), torch.rand(2, 6, 6), SHARES)
    assert torch.equal(images, before)
