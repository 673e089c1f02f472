"""Whitening within classes: scikit-learn and scipy in the order of the formula, a pair at a time, and properties."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import inv, sqrtm
from scipy.spatial.distance import mahalanobis, pdist
from sklearn.covariance import shrunk_covariance
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from netgaze.measures.whitening import solve_whitening

# More images than dimensions, and fewer, where the covariance has no inverse but for the shrinkage.
SHAPES = pytest.mark.parametrize(("num", "size"), [(60, 7), (20, 45)])
SHRINKAGES = pytest.mark.parametrize("shrinkage", [0.02, 0.7, 3.0])


def drawn(num=60, size=7, people=6, seed=0):
    """Embeddings that lie about a place for each person, more widely in some directions; labels with gaps."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.cat([torch.arange(people), torch.randint(people, (num - people,), generator=generator)])
    noise = torch.randn(num, size, generator=generator) @ torch.randn(size, size, generator=generator)
    return 3 * torch.randn(people, size, generator=generator)[labels] + noise + 5, labels * 4 - 2


def mapped(embeddings, labels, shrinkage):
    mean, projection = solve_whitening(embeddings, labels, shrinkage)
    return ((embeddings.double() - mean) @ projection).numpy()


def within(values, labels):
    """The mean over all images of the outer product of what differs from the mean of the image's class."""
    values, labels = np.asarray(values, dtype=np.float64), labels.numpy()
    total = np.zeros((values.shape[1], values.shape[1]))
    for value, label in zip(values, labels, strict=True):
        differs = value - values[labels == label].mean(axis=0)
        total += np.outer(differs, differs)
    return total / len(values)


@SHAPES
@SHRINKAGES
def test_the_map_is_scipys_inverse_square_root(num, size, shrinkage):
    embeddings, labels = drawn(num, size)
    covariance = within(embeddings, labels)
    expected = inv(sqrtm(covariance + shrinkage * np.trace(covariance) / size * np.eye(size)))
    mean, projection = solve_whitening(embeddings, labels, shrinkage)
    np.testing.assert_allclose(projection, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())
    np.testing.assert_allclose(mean, embeddings.double().mean(dim=0), rtol=1e-12)


@SHRINKAGES
def test_the_covariance_is_that_of_discriminant_analysis(shrinkage):
    """Which weighs each class by its images, as here; its shrinkage is s / (1 + s), but for a factor of 1 + s."""
    embeddings, labels = drawn()
    analysis = LinearDiscriminantAnalysis(solver="lsqr", store_covariance=True)
    theirs = analysis.fit(embeddings.double().numpy(), labels.numpy()).covariance_
    shrunk = (1 + shrinkage) * shrunk_covariance(theirs, shrinkage / (1 + shrinkage))
    projection = solve_whitening(embeddings, labels, shrinkage)[1].numpy()
    np.testing.assert_allclose(inv(projection @ projection), shrunk, rtol=1e-6, atol=1e-8)


@SHAPES
def test_a_distance_is_mahalanobis(num, size):
    embeddings, labels = drawn(num, size, seed=1)
    covariance = within(embeddings, labels)
    inverse = inv(covariance + 0.1 * np.trace(covariance) / size * np.eye(size))
    found = mapped(embeddings, labels, 0.1)
    for i in range(0, 20, 3):
        for j in range(i):
            expected = mahalanobis(embeddings[i].double(), embeddings[j].double(), inverse)
            assert np.linalg.norm(found[i] - found[j]) == pytest.approx(expected, rel=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 8), st.integers(2, 5))
def test_people_vary_equally_in_all_directions(seed, size, people):
    """With a shrinkage of next to nothing, the covariance within people becomes the identity."""
    embeddings, labels = drawn(60, size, people, seed)
    found = mapped(embeddings, labels, 1e-12)
    np.testing.assert_allclose(within(found, labels), np.eye(size), atol=1e-4)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([(40, 6), (15, 30)]), st.floats(0.1, 10))
def test_turning_moving_and_scaling_the_embeddings_changes_no_distance(seed, shape, scale):
    embeddings, labels = drawn(*shape, 4, seed)
    generator = torch.Generator().manual_seed(seed)
    size = shape[1]
    turn, _ = torch.linalg.qr(torch.randn(size, size, generator=generator).double())
    moved = scale * embeddings.double() @ turn + torch.randn(size, generator=generator)
    one, other = (pdist(mapped(some, labels, 0.1)) for some in (embeddings, moved))
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


def test_neither_the_order_of_images_nor_the_names_of_people_matter():
    embeddings, labels = drawn()
    order = torch.randperm(60)
    before, after = (
        solve_whitening(embeddings, labels, 0.1),
        solve_whitening(embeddings[order], 100 - labels[order], 0.1),
    )
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(one, other)


def test_much_shrinkage_is_a_mere_scale():
    embeddings, labels = drawn()
    distances = pdist(mapped(embeddings, labels, 1e9))
    ratio = distances / pdist(embeddings.double().numpy())
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)


@pytest.mark.parametrize("shrinkage", [0, -0.1])
def test_a_shrinkage_that_cannot_be(shrinkage):
    with pytest.raises(ValueError, match=f"expected a shrinkage above 0, got {shrinkage}"):
        solve_whitening(*drawn(), shrinkage)


@pytest.mark.parametrize("labels", [torch.arange(5), torch.zeros(5, dtype=torch.int64)])
def test_nothing_varies_within_a_class(labels):
    """One image each; or one person, always the same."""
    embeddings = torch.ones(5, 3) if labels.max() == 0 else torch.eye(5)
    with pytest.raises(ValueError, match="expected embeddings that vary within a class"):
        solve_whitening(embeddings, labels, 0.1)
