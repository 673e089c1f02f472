"""The batched operations against a loop over single images with the same draws."""

import numpy as np
import pytest
import torch
from torchvision.transforms.functional import pad, resize

from netgaze.data.augment import Augment
from netgaze.data.pixels import choose_alternating, crop, cutout, flip, resize_to, rotate90

SHAPES = [(7, 3, 12, 12), (5, 1, 9, 9)]


@pytest.fixture(params=SHAPES, ids=str)
def images(request):
    return torch.randint(256, request.param, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def one_by_one(images, function, *draws):
    return np.stack([function(image, *draw) for image, *draw in zip(images.numpy(), *draws, strict=True)])


@pytest.mark.parametrize("padding", [1, 4])
def test_crop(images, padding):
    top, left = torch.randint(2 * padding + 1, (2, len(images)))
    height, width = images.shape[2:]

    def naive(image, y, x):
        return np.pad(image, ((0, 0), (padding, padding), (padding, padding)))[:, y : y + height, x : x + width]

    np.testing.assert_array_equal(crop(images, top, left, padding), one_by_one(images, naive, top, left))


def test_crop_at_the_corners_and_of_wide_images():
    images = torch.arange(2 * 3 * 4 * 6, dtype=torch.uint8).view(2, 3, 4, 6)
    for y, x in [(0, 0), (0, 4), (4, 0), (4, 4)]:
        expected = np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2)))[:, :, y : y + 4, x : x + 6]
        np.testing.assert_array_equal(crop(images, torch.full((2,), y), torch.full((2,), x), 2), expected)


@pytest.mark.parametrize("padding", [0, 1, 4])
def test_crop_of_reflected_borders_is_torchvisions(images, padding):
    top, left = torch.randint(2 * padding + 1, (2, len(images)))
    height, width = images.shape[2:]
    found = crop(images, top, left, padding, padding_mode="reflect")
    for image, window, y, x in zip(images, found, top, left, strict=True):
        padded = pad(image, [padding] * 4, padding_mode="reflect")
        assert torch.equal(window, padded[:, y : y + height, x : x + width])


class TestAlternatingFlip:
    def test_every_image_is_seen_from_both_sides_in_two_epochs(self):
        index = torch.arange(1000)
        chosen = [choose_alternating(index, epoch, 3) for epoch in range(4)]
        assert torch.equal(chosen[0], ~chosen[1])
        assert torch.equal(chosen[0], chosen[2])
        assert torch.equal(chosen[1], chosen[3])

    def test_half_of_the_images_begin_mirrored_and_each_seed_has_its_own_half(self):
        index = torch.arange(20000)
        first = torch.stack([choose_alternating(index, 0, seed) for seed in range(8)]).double()
        assert (first.mean(dim=1) - 0.5).abs().max() < 0.02
        assert (first.corrcoef() - torch.eye(8)).abs().max() < 0.04
        assert abs(float((first[:, 1:] == first[:, :-1]).double().mean()) - 0.5) < 0.01, "neighbors are independent"

    def test_it_follows_the_image_and_not_its_place_in_the_batch(self, images):
        augment = Augment(flip=True, alternate_flip=True)
        index = torch.arange(len(images)) + 40
        shown = augment(images, index=index, epoch=1, seed=2)
        order = torch.randperm(len(images))
        assert torch.equal(augment(images[order], index=index[order], epoch=1, seed=2), shown[order])
        assert torch.equal(shown, flip(images, choose_alternating(index, 1, 2)))
        assert torch.equal(augment(images, index=index, epoch=2, seed=2), shown.flip(-1))


@pytest.mark.parametrize("size", [17, 24, 31, 64])
def test_at_size_enlarges_as_torchvision(images, size):
    expected = resize(images, [size, size], antialias=False)
    found = resize_to(images, size)
    assert found.dtype == torch.uint8
    assert (found.int() - expected.int()).abs().max() <= 1
    assert torch.equal(found[:5], resize_to(images[:5], size)), "each image by itself"


def test_at_size_cuts_the_middle(images):
    size = images.shape[-1]
    assert torch.equal(resize_to(images, size), images)
    assert torch.equal(resize_to(images, size - 4), images[..., 2 : size - 2, 2 : size - 2])
    assert resize_to(images[:0], size + 3).shape == (0, images.shape[1], size + 3, size + 3)


def test_operations_do_not_depend_on_the_layout_in_memory(images):
    other = images.contiguous(memory_format=torch.channels_last)
    draw = torch.arange(len(images)) % 3
    assert torch.equal(crop(images, draw, draw, 1), crop(other, draw, draw, 1))
    assert torch.equal(flip(images, draw == 1), flip(other, draw == 1))
    assert torch.equal(rotate90(images, draw), rotate90(other, draw))


def test_flip(images):
    chosen = torch.arange(len(images)) % 2 == 0
    expected = one_by_one(images, lambda image, c: np.stack([np.fliplr(p) for p in image]) if c else image, chosen)
    np.testing.assert_array_equal(flip(images, chosen), expected)


def test_rotate90(images):
    turns = torch.arange(len(images)) % 4
    expected = one_by_one(images, lambda image, k: np.rot90(image, int(k), (1, 2)), turns)
    np.testing.assert_array_equal(rotate90(images, turns), expected)


def test_rotate90_wants_squares():
    with pytest.raises(ValueError, match="square"):
        rotate90(torch.zeros(1, 3, 4, 5, dtype=torch.uint8), torch.tensor([1]))


@pytest.mark.parametrize("size", [1, 4, 5])
def test_cutout(images, size):
    height, width = images.shape[2:]
    ys, xs = torch.randint(height, (len(images),)), torch.randint(width, (len(images),))

    def naive(image, y, x):
        image = image.copy()
        top, left = int(y) - size // 2, int(x) - size // 2
        image[:, max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)] = 0
        return image

    np.testing.assert_array_equal(cutout(images, ys, xs, size), one_by_one(images, naive, ys, xs))


@pytest.mark.parametrize("setting", [{"crop_padding": 4}, {"flip": True}, {"rotate90": True}, {"cutout": 8}], ids=str)
def test_each_image_has_its_own_draw(setting):
    torch.manual_seed(0)
    image = torch.randint(256, (1, 3, 32, 32), dtype=torch.uint8)
    batch = Augment(**setting)(image.repeat(64, 1, 1, 1))
    distinct = len(batch.flatten(1).unique(dim=0))
    assert distinct == 2 if "flip" in setting else distinct >= 4
    assert batch.dtype == torch.uint8
    assert batch.shape == (64, 3, 32, 32)


def test_nothing_asked_changes_nothing():
    images = torch.randint(256, (4, 3, 8, 8), dtype=torch.uint8)
    assert torch.equal(Augment()(images), images)
