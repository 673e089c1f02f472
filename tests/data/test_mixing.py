"""Mixing and erasing against torchvision with the same draws, and what must hold of any draw."""

from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import v2

from netgaze.data.augment import Augment
from netgaze.data.mixing import cutmix, draw_box, draw_boxes, draw_share, erase, measure_rest, mixup
from netgaze.errors import NetgazeError


@pytest.fixture
def batch():
    images = torch.randn(6, 3, 12, 10, generator=torch.Generator().manual_seed(0))
    return images, torch.tensor([3, 1, 4, 1, 5, 0])


def soft(labels, others, share):
    return share * torch.eye(6)[labels] + (1 - share) * torch.eye(6)[others]


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_mixup_is_torchvisions(batch, share):
    images, labels = batch
    theirs = v2.MixUp(num_classes=6)
    with patch.object(theirs, "make_params", return_value={"lam": share, "labels": labels, "batch_size": 6}):
        expected, targets = theirs(images, labels)
    assert torch.allclose(mixup(images, share), expected, atol=1e-6)
    assert torch.allclose(soft(labels, labels.roll(1, 0), share), targets)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_cutmix_is_torchvisions_draw_by_draw(seed):
    images = torch.randn(4, 3, 13, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 0])
    torch.manual_seed(seed)
    share = float(torch.distributions.Beta(1.0, 1.0).sample())
    y, x = int(torch.randint(13, ())), int(torch.randint(8, ()))
    torch.manual_seed(seed)
    box = draw_box(draw_share(1.0), 13, 8)
    theirs = v2.CutMix(num_classes=3)
    draws = iter([torch.tensor([x]), torch.tensor([y])])
    with (
        patch.object(theirs._dist, "sample", return_value=torch.tensor(share)),
        patch("torch.randint", side_effect=lambda *args, **kwargs: next(draws)),
    ):
        expected, targets = theirs(images, labels)
    assert torch.equal(cutmix(images, box), expected)
    weight = measure_rest(box, 13, 8)
    assert torch.allclose(weight * torch.eye(3)[labels] + (1 - weight) * torch.eye(3)[labels.roll(1, 0)], targets)


def test_erased_rectangles_are_zero_and_nothing_else_is_touched(batch):
    images = batch[0]
    boxes = torch.tensor([[0, 0, 12, 10], [2, 3, 5, 4], [0, 0, 0, 0], [11, 9, 12, 10], [5, 0, 6, 10], [0, 2, 12, 3]])
    found = erase(images, boxes)
    for image, whole, (top, left, bottom, right) in zip(found, images, boxes.tolist(), strict=True):
        expected = v2.functional.erase(whole, top, left, bottom - top, right - left, torch.zeros(1))
        assert torch.equal(image, expected)


def test_rectangles_are_drawn_as_torchvision_draws_them():
    """The same distribution: sizes, places and how many, over 20,000 draws of each."""
    torch.manual_seed(0)
    mine = draw_boxes(20000, 0.25, 32, 32)
    sizes = (mine[:, 2:] - mine[:, :2]).double()
    drawn = sizes.prod(dim=1) > 0
    assert float(drawn.double().mean()) == pytest.approx(0.25, abs=0.01)
    theirs, image = v2.RandomErasing(p=1.0), torch.zeros(3, 32, 32)
    rows = [theirs.make_params([image]) for _ in range(5000)]
    expected = torch.tensor([[row["h"], row["w"], row["i"], row["j"]] for row in rows if row["v"] is not None]).double()
    found = torch.cat([sizes, mine[:, :2].double()], dim=1)[drawn]
    assert torch.allclose(found.mean(dim=0), expected.mean(dim=0), atol=0.5)
    assert torch.allclose(found.std(dim=0), expected.std(dim=0), atol=0.5)
    assert (mine[:, :2] >= 0).all()
    assert (mine[:, 2:] <= 32).all()


def test_many_windows_are_drawn_and_their_center_lies_in_the_image():
    torch.manual_seed(0)
    boxes = [draw_box(0.75, 20, 20) for _ in range(2000)]  # half of the side
    tops = torch.tensor([box[0] for box in boxes]).double()
    assert max(measure_rest(box, 20, 20) for box in boxes) < 1
    assert min(measure_rest(box, 20, 20) for box in boxes) == pytest.approx(0.75)
    assert float((tops == 0).double().mean()) == pytest.approx(6 / 20, abs=0.04)


@settings(max_examples=30, deadline=None)
@given(mixup=st.sampled_from([0.0, 0.8]), cutmix=st.sampled_from([0.0, 1.0]), seed=st.integers(0, 1000))
def test_a_mixed_batch_says_what_its_images_are_made_of(mixup, cutmix, seed):
    """Image i is all i: what is left of it, and the rest is of its partner."""
    torch.manual_seed(seed)
    labels = torch.arange(5)
    images = labels.float().view(5, 1, 1, 1).expand(5, 3, 9, 7)
    views, mixed = Augment(mixup=mixup, cutmix=cutmix).mix((images, 2 * images), labels)
    if mixed is None:
        assert not mixup
        assert not cutmix
        assert views[0] is images
        return
    expected = mixed.share * labels + (1 - mixed.share) * mixed.labels
    assert torch.allclose(views[0].mean(dim=(1, 2, 3)), expected, atol=1e-5)
    assert torch.allclose(views[1], 2 * views[0])
    assert mixed.labels.tolist() == [4, 0, 1, 2, 3]


def test_of_both_ways_each_is_drawn_half_of_the_time():
    torch.manual_seed(0)
    images, augment = torch.arange(2.0).view(2, 1, 1, 1).expand(2, 1, 8, 8), Augment(mixup=1.0, cutmix=1.0)
    cuts = [len(augment.mix((images,), torch.arange(2))[0][0][0].unique()) == 2 for _ in range(400)]
    assert sum(cuts) / 400 == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("wrong", [{"erase": 1.5}, {"erase": -0.1}, {"mixup": -1.0}, {"cutmix": -1.0}])
def test_numbers_that_cannot_be_are_refused(wrong):
    with pytest.raises(NetgazeError, match=rf"data.augment: .*{next(iter(wrong))}="):
        Augment(**wrong)
