"""Distortions of whole batches: each equals torchvision's function on single images with the same draws."""

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torchvision.transforms import RandomResizedCrop
from torchvision.transforms.v2 import functional as F

from netgaze.data.augment import Augment
from netgaze.data.distort import (
    blur,
    draw_windows,
    jitter_colors_,
    resize_windows,
    shift_hue,
    take_colors_,
    to_gray,
)
from netgaze.errors import NetgazeError

CLOSE = {"rtol": 0, "atol": 2e-2}  # of 255: torchvision's are of floats 0..1, in another order of sums


def draw_images(num=24, channels=3, height=20, width=20, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (num, channels, height, width), generator=generator).float()
    images[0] = 77.0  # gray: no hue, no saturation
    return images


def one_by_one(images, function, *draws):
    """A function of single images with values of 0..1."""
    return torch.stack([function(image / 255, *draw) * 255 for image, *draw in zip(images, *draws, strict=True)])


@pytest.mark.parametrize(("height", "width", "size"), [(20, 20, 20), (20, 20, 9), (24, 17, 30)])
def test_windows_are_torchvisions_resized_crops(height, width, size):
    images = draw_images(height=height, width=width)
    torch.manual_seed(1)
    windows = draw_windows(len(images), height, width, (0.05, 1.0), (0.5, 2.0), "cpu")
    expected = one_by_one(
        images,
        lambda image, window: F.resized_crop(image, *window.tolist(), [size, size], antialias=True),
        windows.T,
    )
    torch.testing.assert_close(resize_windows(images, windows, size), expected, **CLOSE)


def test_drawn_windows_are_distributed_as_torchvisions():
    torch.manual_seed(0)
    image, scale, ratio = torch.zeros(3, 32, 32), (0.08, 1.0), (3 / 4, 4 / 3)
    theirs = np.array([RandomResizedCrop.get_params(image, scale, ratio) for _ in range(6000)])
    ours = draw_windows(6000, 32, 32, scale, ratio, "cpu").T.numpy()
    for place in range(4):
        assert stats.ks_2samp(ours[:, place], theirs[:, place]).pvalue > 1e-3
    assert stats.ks_2samp(ours[:, 2] * ours[:, 3], theirs[:, 2] * theirs[:, 3]).pvalue > 1e-3
    assert stats.ks_2samp(ours[:, 3] / ours[:, 2], theirs[:, 3] / theirs[:, 2]).pvalue > 1e-3


@pytest.mark.parametrize(("height", "width"), [(10, 40), (40, 10), (16, 16)])
def test_where_no_window_fits_the_middle_is_taken_as_torchvision_does(height, width):
    scale, ratio = (0.99, 1.0), (1.0, 1.0)
    if height == width:
        scale = (1.5, 1.6)
    expected = RandomResizedCrop.get_params(torch.zeros(3, height, width), scale, ratio)
    assert (torch.tensor(expected) == draw_windows(5, height, width, scale, ratio, "cpu").T).all()


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), st.integers(0, 1000))
def test_windows_lie_within_the_image_and_means_are_kept_of_plain_ones(height, width, size, seed):
    torch.manual_seed(seed)
    top, left, high, wide = draw_windows(30, height, width, (0.1, 1.0), (0.5, 2.0), "cpu")
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + high <= height).all()
    assert (left + wide <= width).all()
    plain = torch.full((30, 1, height, width), 91.0)
    resized = resize_windows(plain, torch.stack([top, left, high, wide]), size)
    torch.testing.assert_close(resized, torch.full((30, 1, size, size), 91.0))


OPERATIONS = [F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue]


@pytest.mark.parametrize("channels", [3, 1])
def test_colors_are_jittered_as_by_torchvision_in_every_order(channels):
    orders = list(permutations(range(4)))
    images = draw_images(len(orders), channels)
    generator = torch.Generator().manual_seed(2)
    factors = 0.3 + 1.5 * torch.rand(3, len(orders), generator=generator)
    shift = torch.rand(len(orders), generator=generator) - 0.5
    order = torch.tensor([[kind for kind in each if kind < 3] for each in orders]).T
    hue_place = torch.tensor([each.index(3) for each in orders])
    hue_at = [(hue_place == place).nonzero().flatten() for place in range(4)]

    def apply(image, order, *values):
        for kind in order:
            image = OPERATIONS[kind](image, float(values[kind]))
        return image

    expected = one_by_one(images, apply, orders, *factors, shift)
    torch.testing.assert_close(jitter_colors_(images.clone(), factors, shift, order, hue_at), expected, **CLOSE)


def test_hue():
    images, shift = draw_images(), torch.linspace(-0.5, 0.5, 24)
    expected = one_by_one(images, lambda image, by: F.adjust_hue(image, float(by)), shift)
    torch.testing.assert_close(shift_hue(images, shift), expected, **CLOSE)
    torch.testing.assert_close(shift_hue(images, torch.zeros(24)), images, **CLOSE)


def test_grays():
    images, chosen = draw_images(), torch.arange(24) % 3 == 0
    expected = one_by_one(images, lambda image, c: F.rgb_to_grayscale(image, 3) if c else image, chosen)
    torch.testing.assert_close(take_colors_(images.clone(), chosen), expected, **CLOSE)
    single = draw_images(channels=1)
    assert torch.equal(to_gray(single), single)
    assert to_gray(single).data_ptr() != single.data_ptr()


@pytest.mark.parametrize(("kernel_size", "height", "width"), [(3, 20, 20), (5, 9, 14), (9, 20, 20)])
def test_blur(kernel_size, height, width):
    images, sigma = draw_images(height=height, width=width), torch.linspace(0.1, 2, 24)
    chosen = torch.arange(24) % 4 != 0
    expected = one_by_one(
        images,
        lambda image, s, c: F.gaussian_blur(image, [kernel_size] * 2, [float(s)] * 2) if c else image,
        sigma,
        chosen,
    )
    torch.testing.assert_close(blur(images, sigma, chosen, kernel_size), expected, **CLOSE)


VIEWS = {
    "windows": {"crop_scale": [0.2, 1.0]},
    "colors": {"color_jitter": [0.4, 0.4, 0.4, 0.1]},
    "brightness": {"color_jitter": 0.4},
    "gray": {"grayscale_prob": 0.5},
    "blur": {"blur_prob": 0.7},
}


@pytest.mark.parametrize("setting", VIEWS.values(), ids=VIEWS)
def test_each_image_has_its_own_draw(setting):
    torch.manual_seed(0)
    image = torch.randint(256, (1, 3, 32, 32), dtype=torch.uint8)
    batch = Augment(**setting)(image.repeat(64, 1, 1, 1), 32)
    assert batch.shape == (64, 3, 32, 32)
    assert batch.dtype == torch.float32
    assert 0 <= batch.min() <= batch.max() <= 255
    assert len(batch.flatten(1).unique(dim=0)) == 2 if "grayscale_prob" in setting else 20


def test_colors_change_with_their_probability_and_by_their_strengths():
    torch.manual_seed(0)
    images = torch.full((4000, 3, 2, 2), 100, dtype=torch.uint8)
    bright = Augment(color_jitter=[0.4, 0, 0, 0], color_jitter_prob=0.8)(images)[:, 0, 0, 0] / 100
    changed = bright != 1
    assert float(changed.double().mean()) == pytest.approx(0.8, abs=0.03)
    assert stats.kstest(bright[changed].numpy(), stats.uniform(0.6, 0.8).cdf).pvalue > 1e-3


def test_a_window_of_a_larger_image_has_the_size_that_networks_see():
    torch.manual_seed(0)
    images = torch.randint(256, (3, 3, 40, 40), dtype=torch.uint8)
    assert Augment(crop_scale=[0.3, 0.9])(images, 32).shape == (3, 3, 32, 32)


@pytest.mark.parametrize(
    "setting",
    [
        {"crop_scale": [0.0, 1.0]},
        {"crop_scale": [0.5]},
        {"crop_scale": [0.9, 0.1]},
        {"crop_scale": [0.5, 1.2]},
        {"crop_ratio": [0, 1]},
        {"color_jitter": [0.4, 0.4, 0.4]},
        {"color_jitter": [0.4, 0.4, 0.4, 0.6]},
        {"color_jitter": -0.1},
        {"color_jitter_prob": 1.2},
        {"grayscale_prob": -0.2},
        {"blur_prob": 2.0},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(setting):
    with pytest.raises(NetgazeError, match=next(iter(setting))):
        Augment(**setting)
