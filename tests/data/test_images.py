"""A part of a split shares its images, however often it was divided, and gives what copying would give."""

from copy import deepcopy

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from netgaze.data.images import Images, Unlabeled


def made(num: int) -> Images:
    generator = torch.Generator().manual_seed(num)
    pixels = torch.randint(256, (num, 3, 4, 4), dtype=torch.uint8, generator=generator)
    masks = torch.rand(num, 4, 4, generator=generator) > 0.5
    return Images(pixels, torch.arange(num) % 5, masks, marks={"odd": torch.arange(num) % 2 == 1})


@given(st.data())
def test_parts_of_parts_are_what_copies_would_be(data):
    whole = made(data.draw(st.integers(1, 12)))
    part, rows = whole, np.arange(len(whole))
    for _ in range(data.draw(st.integers(1, 3))):
        if not len(rows):
            break
        chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=8))
        part, rows = part.take(torch.tensor(chosen, dtype=torch.int64)), rows[chosen]
    expected = whole.whole.numpy()[rows]
    assert len(part) == len(rows)
    assert np.array_equal(part.images.numpy(), expected)
    assert np.array_equal(part[torch.arange(len(rows))].images.numpy(), expected)
    assert part.labels.tolist() == (rows % 5).tolist()
    assert part.marks["odd"].tolist() == (rows % 2 == 1).tolist()
    assert np.array_equal(part.masks[part.mask_of].numpy(), whole.masks.numpy()[rows])
    assert part.nbytes == expected.nbytes
    assert part.shape == (3, 4, 4)
    assert Unlabeled(part).labels.tolist() == [-1] * len(rows)
    assert np.array_equal(Unlabeled(part).stored().numpy(), expected)


def test_no_image_is_copied_for_a_part():
    whole = made(9)
    part = whole.take(torch.tensor([3, 1, 7])).take(torch.tensor([2, 0]))
    whole.whole[7] = 99
    assert (part.stored([0]) == 99).all()
    assert part.whole is whole.whole


def test_any_way_to_say_which_gives_the_same():
    part = made(9).take(torch.tensor([8, 2, 2, 5]))
    every = part.images
    for index in ([3, 0], np.array([3, 0]), torch.tensor([3, 0])):
        assert torch.equal(part.stored(index), every[[3, 0]])
    assert torch.equal(part.stored(torch.tensor([True, False, False, True])), every[[0, 3]])


def test_what_goes_to_another_device_is_the_part_alone(monkeypatch):
    monkeypatch.setattr("netgaze.data.images._AT_ONCE", 2)
    sent = made(9).take(torch.arange(5)).to(torch.device("meta"))
    assert (len(sent), sent.whole.device.type, tuple(sent.whole.shape)) == (5, "meta", (5, 3, 4, 4))
    assert sent.index is None
    part = deepcopy(made(9)).take(torch.tensor([4, 0, 8]))
    monkeypatch.setattr(Images, "streamed", property(lambda split: False))
    assert part.to(torch.device("cpu")) is part
