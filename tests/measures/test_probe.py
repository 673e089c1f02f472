"""Probes in closed form: scikit-learn's ridge regression, both forms of the solution, and what they cannot read."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge as SklearnRidge

from netgaze.measures.probe import STRENGTHS, Labeled, Ridge, probe_linearly


def make_set(num, width=12, classes=4, seed=0, noise=1.5):
    """Clouds around a center for each class."""
    centers = torch.randn(classes, width, generator=torch.Generator().manual_seed(99))
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (num,), generator=generator)
    return Labeled(centers[labels] + noise * torch.randn(num, width, generator=generator), labels)


@pytest.mark.parametrize("num", [200, 8], ids=["more images than features", "more features than images"])
def test_every_strength_is_scikit_learns(num):
    train, test = make_set(num), make_set(300, seed=1)
    rows = train.features.double().numpy()
    mean_value = float(((rows - rows.mean(axis=0)) ** 2).sum()) / rows.shape[1]
    targets = np.eye(4)[train.labels.numpy()]
    found = Ridge(train, 4).measure(test)
    for strength, accuracy in zip(STRENGTHS, found, strict=True):
        theirs = SklearnRidge(alpha=strength * mean_value).fit(rows, targets)
        said = theirs.predict(test.features.double().numpy()).argmax(axis=1)
        assert float(accuracy) == pytest.approx(float((said == test.labels.numpy()).mean()))


def test_the_strength_is_chosen_on_other_images_than_those_measured():
    train, val, test = make_set(40), make_set(200, seed=1), make_set(5000, seed=2)
    ridge = Ridge(train, 4)
    best = int(ridge.measure(val).argmax())
    found = probe_linearly(train, val, test, 4)
    assert found.strength == STRENGTHS[best]
    assert found.accuracy == float(ridge.measure(test)[best])
    assert len(ridge.measure(test).unique()) > 1


def test_images_are_read_in_parts_as_if_at_once(monkeypatch):
    train, test = make_set(500), make_set(300, seed=1)
    expected = Ridge(train, 4).measure(test)
    monkeypatch.setattr("netgaze.measures.probe._AT_ONCE", 64)
    torch.testing.assert_close(Ridge(train, 4).measure(test), expected)


def test_bytes_are_shares_of_255():
    pixels = torch.randint(256, (100, 20), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = (pixels[:, 0] > 127).long()
    as_bytes, as_floats = (
        Ridge(Labeled(rows, labels), 2).measure(Labeled(rows, labels)) for rows in (pixels, pixels / 255)
    )
    torch.testing.assert_close(as_bytes, as_floats)
    assert float(as_bytes.max()) > 0.9


def test_features_that_are_all_one_tell_nothing_but_the_most_frequent_class():
    labels = torch.tensor([0] * 6 + [1] * 3 + [2])
    found = Ridge(Labeled(torch.ones(10, 5), labels), 3).measure(Labeled(torch.ones(10, 5), labels))
    assert found.tolist() == [0.6] * len(STRENGTHS)


def test_what_a_line_separates_is_read_and_what_it_does_not_is_not():
    generator = torch.Generator().manual_seed(0)
    plane = torch.randn(4000, 2, generator=generator)
    line, cross = (plane[:, 0] > 0.2).long(), (plane.prod(dim=1) > 0).long()
    for labels, low, high in ((line, 0.95, 1.0), (cross, 0.4, 0.6)):
        parts = [Labeled(plane[rows], labels[rows]) for rows in torch.arange(4000).chunk(3)]
        assert low < probe_linearly(*parts, 2).accuracy <= high
