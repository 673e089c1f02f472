"""Scikit-learn's digits, unchanged but for their size."""

import numpy as np
import torch
from sklearn.datasets import load_digits

from netgaze.data.digits import Digits


def test_they_are_scikit_learn_s():
    data = Digits(num_classes=10, num_channels=1, image_size=32, mean=(0.3,), std=(0.38,))
    assert [len(data.labels(split)) for split in ("train", "val", "test")] == [1257, 180, 360]
    assert data.class_names == list("0123456789")
    images = torch.cat([data.images(split) for split in ("train", "val", "test")])
    labels = torch.cat([data.labels(split) for split in ("train", "val", "test")])
    assert images.shape == (1797, 1, 32, 32)
    small = images[:, 0, ::4, ::4]
    assert torch.equal(small.repeat_interleave(4, 1).repeat_interleave(4, 2), images[:, 0])
    ours = [(image.tobytes(), label) for image, label in zip(small.numpy(), labels.tolist(), strict=True)]
    original = load_digits()
    scaled = (original.images * 255 / 16).round().astype(np.uint8)
    pairs = zip(scaled, original.target, strict=True)
    assert sorted(ours) == sorted((image.tobytes(), int(label)) for image, label in pairs)


def test_shares_are_kept():
    data = Digits(num_classes=10, num_channels=1, image_size=32, mean=(0.3,), std=(0.38,))
    assert all(35 <= count <= 37 for count in torch.bincount(data.labels("test")).tolist())
