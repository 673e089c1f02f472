"""Maps over images: enlarged, scored and laid over, against values computed by hand."""

import numpy as np
import pytest
import torch
from matplotlib import colormaps

from netgaze.drawing.evidence import overlay
from netgaze.drawing.heat import describe_coarseness, enlarge, score_pointing

PICTURE = np.array([[[30, 60, 90], [200, 100, 0]], [[255, 255, 255], [0, 0, 0]]], dtype=np.uint8)
GRAYS = np.array([[60, 100], [255, 0]]) / 255


def test_a_map_lies_over_the_gray_of_its_picture():
    """Red above zero, blue below, four fifths opaque at the scale and beyond, the less the nearer to zero."""
    laid = overlay(PICTURE, np.array([[2.0, -1.0], [0.0, 9.0]]), 2.0)
    for place, opacity, color in (((0, 0), 0.8, 1.0), ((0, 1), 0.4, 0.25), ((1, 0), 0.0, 0.5), ((1, 1), 0.8, 1.0)):
        mixed = (1 - opacity) * GRAYS[place] + opacity * np.array(colormaps["RdBu_r"](color)[:3])
        np.testing.assert_allclose(laid[place], mixed * 255, atol=1)
    (red, _, blue), (less_red, _, more_blue) = laid[0].astype(int)
    assert red > blue
    assert less_red < more_blue


def test_a_map_of_nothing_shows_the_picture():
    laid = overlay(PICTURE, np.zeros((2, 2)), 0.0)
    np.testing.assert_allclose(laid, np.repeat(GRAYS[..., None] * 255, 3, axis=2), atol=1)


def test_maps_are_enlarged_between_the_centers_of_their_pixels():
    maps = torch.tensor([[[0.0, 4.0]], [[8.0, 0.0]]])
    expected = [[[0.0, 1.0, 3.0, 4.0]] * 3, [[8.0, 6.0, 2.0, 0.0]] * 3]
    assert enlarge(maps, (3, 4)).tolist() == expected


def test_the_center_of_an_image_is_its_center():
    masks = torch.zeros(2, 4, 6, dtype=torch.bool)
    masks[0, 2, 3] = masks[1, 0, 0] = True
    numbers = score_pointing(torch.ones(2, 4, 6), masks)
    assert numbers["center_on_object"] == 0.5
    assert numbers["object_area"] == pytest.approx(1 / 24)


@pytest.mark.parametrize(("size", "coarse"), [((4, 4), False), ((3, 9), True), ((9, 3), True)])
def test_maps_of_fewer_than_four_pixels_across_are_coarse(size, coarse):
    assert (f"A map of {size[0]}x{size[1]} is too coarse" in describe_coarseness(*size)) is coarse
