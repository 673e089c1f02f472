"""Each corruption is its formula, an image's is its own, and more severe is worse."""

import numpy as np
import pytest
import torch
from tests.corruptions import naive

from netgaze.corruptions.blur import find_sources
from netgaze.corruptions.kinds import KINDS, SEVERITIES, corrupt, is_large

NUMBERS = {name: number for number, name in enumerate(KINDS)}
SHAKEN = [name for name in KINDS if name not in ("defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate")]
SHAKEN.remove("jpeg_compression")
ALL = pytest.mark.parametrize("kind", KINDS)


def make_images(num, size, channels=3, seed=0):
    """Smooth shapes with a little grain, as photographs have, uint8 [N,C,S,S]."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.random((num, channels, 5, 5)))
    smooth = torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic")
    grain = torch.from_numpy(rng.normal(0, 0.03, smooth.shape))
    edge = torch.from_numpy(rng.random((num, 1, 1, 1))) * (torch.arange(size) > size // 3)
    return (255 * (0.7 * smooth + 0.3 * edge + grain)).clamp(0, 255).to(torch.uint8)


def corrupt_naively(image, kind, severity, place, seed):
    constants = (KINDS[kind].large if is_large(image.shape[-1]) else KINDS[kind].small)[severity - 1]
    rng = np.random.default_rng([seed, NUMBERS[kind], place])
    found = getattr(naive, kind)(image.permute(1, 2, 0).numpy() / 255, rng, *constants)
    return torch.from_numpy(np.clip(np.floor(found + 1e-4), 0, 255)).permute(2, 0, 1)


def assert_same(found, expected):
    """Equal, but for what is rounded to the other side: a level, at few pixels."""
    differ = (found.float() - expected.float()).abs()
    assert differ.max() <= 1
    assert (differ > 0).float().mean() < 0.01


@ALL
@pytest.mark.parametrize("severity", SEVERITIES)
def test_it_is_the_formula_of_small_images(kind, severity):
    images, index = make_images(3, 32), torch.tensor([7, 0, 4321])
    found = corrupt(images, kind, severity, index, seed=5)
    for image, place, own in zip(images, index.tolist(), found, strict=True):
        assert_same(own, corrupt_naively(image, kind, severity, place, seed=5))


@ALL
@pytest.mark.parametrize("severity", [2, 5])
def test_it_is_the_formula_of_large_images(kind, severity):
    images = make_images(1, 86)
    found = corrupt(images, kind, severity, torch.tensor([3]))
    assert_same(found[0], corrupt_naively(images[0], kind, severity, 3, seed=0))


@ALL
def test_it_is_the_formula_of_gray_and_tiny_images(kind):
    images = make_images(2, 8, channels=1)
    found = corrupt(images, kind, 4, torch.tensor([0, 1]))
    assert found.shape == images.shape
    for place, (image, own) in enumerate(zip(images, found, strict=True)):
        assert_same(own, corrupt_naively(image, kind, 4, place, seed=0))


@ALL
def test_no_batch_changes_an_image(kind):
    images, index = make_images(23, 32), torch.randperm(1000, generator=torch.Generator().manual_seed(1))[:23]
    kept = images.clone()
    whole = corrupt(images, kind, 3, index)
    assert torch.equal(images, kept)
    order = torch.arange(22, -1, -1)
    parts = [corrupt(images[some], kind, 3, index[some]) for some in order.split(9)]
    assert torch.equal(torch.cat(parts)[order], whole)


@ALL
def test_draws_are_those_of_the_seed_and_the_place(kind):
    images = make_images(1, 32).repeat(2, 1, 1, 1)
    one, other = corrupt(images, kind, 5, torch.tensor([1, 2]))
    assert torch.equal(corrupt(images, kind, 5, torch.tensor([1, 2]))[1], other)
    again = corrupt(images[:1], kind, 5, torch.tensor([1]), seed=1)[0]
    assert (not torch.equal(one, other)) == (not torch.equal(one, again)) == (kind in SHAKEN)


@ALL
@pytest.mark.parametrize("size", [32, 96])
def test_more_severe_is_farther_from_the_image(kind, size):
    images = make_images(24, size, seed=3)
    found = [corrupt(images, kind, severity, torch.arange(24)) for severity in (1, 3, 5)]
    errors = [float((one.float() - images.float()).square().mean()) for one in found]
    assert errors[0] > 0
    # By the authors' constants: more smoothing undoes shuffling, ice is as bright as what it dims, and warps go from
    # far and smooth to near and rough.
    if kind not in ("glass_blur", "frost", "elastic_transform"):
        assert errors[0] < errors[1] < errors[2], errors


def test_a_pixel_that_is_copied_from_a_changed_one_gets_what_that_was_given():
    """Chains of any length, by a loop."""
    rng = np.random.default_rng(0)
    offsets = torch.from_numpy(rng.integers(-3, 3, (5, 14, 14, 2)))
    found = find_sources(offsets[..., 0], offsets[..., 1], 20)
    for own, moves in zip(found, offsets, strict=True):
        expected = np.arange(400).reshape(20, 20)
        for row in range(17, 3, -1):
            for column in range(17, 3, -1):
                down, across = moves[row - 4, column - 4].tolist()
                expected[row, column] = expected[row + down, column + across]
        assert np.array_equal(own.reshape(20, 20).numpy(), expected)


def test_what_it_cannot_corrupt_it_refuses():
    images, index = make_images(1, 32), torch.arange(1)
    for arguments in (("fogg", 1), ("fog", 0), ("fog", 6)):
        with pytest.raises(ValueError, match="expected a kind, a severity and square images"):
            corrupt(images, *arguments, index)
    with pytest.raises(ValueError, match="square"):
        corrupt(images[..., :20], "fog", 1, index)


def test_groups_and_names_are_the_papers():
    assert [kind.group for kind in KINDS.values()] == 3 * ["noise"] + 4 * ["blur"] + 4 * ["weather"] + 4 * ["digital"]
    assert len(KINDS) == 15
    assert all(len(kind.small) == len(kind.large) == 5 for kind in KINDS.values())
