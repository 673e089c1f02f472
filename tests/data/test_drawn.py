"""The drawn sets alike: balanced splits with masks, which follow from a seed and are drawn once."""

import pytest
import torch

from netgaze.data import shapes, things
from netgaze.data.shapes import Shapes
from netgaze.data.things import Things

FACTS = {"num_classes": 10, "num_channels": 3, "image_size": 32, "mean": (0.5,) * 3, "std": (0.25,) * 3}


@pytest.fixture(params=[Shapes, Things])
def small(request):
    return lambda **changes: request.param(**({"num_train": 600, "num_val": 50, "num_test": 100} | FACTS | changes))


def test_sizes_and_balance(small):
    data = small()
    assert [len(data.labels(split)) for split in ("train", "val", "test")] == [600, 50, 100]
    assert torch.bincount(data.labels("train")).tolist() == [60] * 10
    assert data.images("train").shape == (600, 3, 32, 32)
    assert data.images("train").dtype == torch.uint8
    assert data.masks("train")[1].dtype == torch.bool


def test_a_split_may_be_empty(small):
    data = small(num_val=0)
    assert [len(data.labels(split)) for split in ("train", "val", "test")] == [600, 0, 100]
    assert data.images("val").shape == (0, 3, 32, 32)


def test_all_follows_from_the_split_seed(small, monkeypatch, tmp_path):
    first = small().fingerprint
    monkeypatch.setenv("NETGAZE_CACHE", str(tmp_path))
    assert small().fingerprint == first
    assert small(seed=1).fingerprint == first
    assert small(split_seed=1).fingerprint != first


def test_splits_differ(small):
    data = small(num_train=100, num_val=100, num_test=100)
    images = torch.cat([data.images(split) for split in ("train", "val", "test")]).flatten(1)
    assert len(images.unique(dim=0)) == 300


def test_drawn_once(small, monkeypatch):
    first = small().fingerprint
    monkeypatch.setattr(shapes, "draw_scenes", None)
    monkeypatch.setattr(things, "draw_things", None)
    assert small().fingerprint == first
