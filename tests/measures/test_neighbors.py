"""Nearest neighbors, streamed: against a full sort and scikit-learn, whatever the blocks."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from netgaze.measures import neighbors
from netgaze.measures.neighbors import find_nearest

BOTH = pytest.mark.parametrize("distance", ["cosine", "euclidean"])


def plainly(queries, bank, distance, own=None):
    """All distances in float64, and the rows in rising order of (distance, row)."""
    queries, bank = queries.double(), bank.double()
    if distance == "cosine":
        units = [some / some.norm(dim=1, keepdim=True) for some in (queries, bank)]
        apart = -units[0] @ units[1].T
    else:
        apart = (queries[:, None] - bank).norm(dim=2)
    if own is not None:
        apart[torch.arange(len(own)), own] = torch.inf
    return apart.sort(dim=1, stable=True)


def cloud(num, size, seed, offset=0.0):
    return torch.randn(num, size, generator=torch.Generator().manual_seed(seed)) + offset


@BOTH
@pytest.mark.parametrize("k", [1, 7, 60, 500])
def test_against_a_full_sort(distance, k):
    queries, bank = cloud(40, 16, 0), cloud(500, 16, 1)
    values, indices = find_nearest(queries, bank, k, distance=distance, chunk=17, block=64)
    expected = plainly(queries, bank, distance)
    sign = -1 if distance == "cosine" else 1
    assert torch.equal(indices, expected.indices[:, :k])
    torch.testing.assert_close(sign * values.double(), expected.values[:, :k], atol=1e-6, rtol=1e-6)


@BOTH
def test_against_sklearn(distance):
    queries, bank = cloud(50, 32, 2), cloud(3000, 32, 3)
    theirs = NearestNeighbors(n_neighbors=20, algorithm="brute", metric=distance).fit(bank.double())
    apart, rows = theirs.kneighbors(queries.double())
    values, indices = find_nearest(queries, bank, 20, distance=distance)
    np.testing.assert_array_equal(indices, rows)
    np.testing.assert_allclose(1 - values if distance == "cosine" else values, apart, atol=2e-6)


@BOTH
@settings(max_examples=60, deadline=None)
@given(
    num=st.integers(2, 40),
    k=st.integers(1, 40),
    chunk=st.integers(1, 12),
    block=st.integers(1, 40),
    own=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_blocks_change_nothing(distance, num, k, chunk, block, own, seed):
    bank, k = cloud(num, 5, seed), min(k, num - own)
    queries = bank if own else cloud(9, 5, seed + 1)
    values, indices = find_nearest(queries, bank, k, distance=distance, chunk=chunk, block=block, leave_out_self=own)
    expected = plainly(queries, bank, distance, torch.arange(num) if own else None)
    assert torch.equal(indices, expected.indices[:, :k])
    whole, _ = find_nearest(queries, bank, k, distance=distance, leave_out_self=own)
    torch.testing.assert_close(values, whole, atol=1e-6, rtol=0)


@settings(max_examples=60, deadline=None)
@given(num=st.integers(1, 60), k=st.integers(1, 60), block=st.integers(1, 60), seed=st.integers(0, 1000))
def test_ties_give_the_same_distances_in_rising_rows(num, k, block, seed):
    generator = torch.Generator().manual_seed(seed)
    bank, queries = (torch.randint(0, 3, (some, 3), generator=generator).float() for some in (num, 8))
    k = min(k, num)
    values, indices = find_nearest(queries, bank, k, distance="euclidean", block=block)
    apart = (queries[:, None] - bank).norm(dim=2)
    torch.testing.assert_close(values, apart.sort(dim=1).values[:, :k])
    torch.testing.assert_close(values, apart.gather(1, indices))
    for row, places in zip(values.tolist(), indices.tolist(), strict=True):
        assert len(set(places)) == k
        assert sorted(zip(row, places, strict=True)) == list(zip(row, places, strict=True))


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_equal_rows_are_exactly_nothing_apart(offset):
    bank = cloud(300, 64, 4, offset)
    bank[200:] = bank[:100]
    values, indices = find_nearest(bank[:100], bank, 3, distance="euclidean", block=50)
    assert (values[:, :2] == 0).all()
    assert (values[:, 2] > 0).all()
    assert torch.equal(indices[:, :2], torch.stack([torch.arange(100), torch.arange(200, 300)], dim=1))


def hidden(num=2000):
    """Two heaps far apart, in each of which rows differ by less than a product in float32 can tell."""
    heaps = torch.where(torch.arange(num) % 2 == 0, 1e4, -1e4)[:, None]
    return heaps + 0.02 * cloud(num, 8, 5)


def test_the_product_cannot_mislead():
    bank = hidden()
    values, indices = find_nearest(bank[:30], bank, 4, distance="euclidean", block=100, leave_out_self=True)
    expected = plainly(bank[:30], bank, "euclidean", torch.arange(30))
    assert torch.equal(indices, expected.indices[:, :4])
    torch.testing.assert_close(values.double(), expected.values[:, :4], atol=1e-7, rtol=1e-6)


def test_few_queries_need_all_differences(monkeypatch):
    asked = []
    plain = neighbors._plainly
    monkeypatch.setattr(neighbors, "_plainly", lambda *args: asked.append(1) or plain(*args))
    find_nearest(cloud(100, 128, 6, 100.0), cloud(4000, 128, 7, 100.0), 10, distance="euclidean")
    assert not asked
    find_nearest(hidden()[:5], hidden(), 4, distance="euclidean")
    assert len(asked) == 5


@BOTH
def test_queries_leave_out_the_rows_that_they_are(distance):
    bank, own = cloud(50, 6, 8), torch.tensor([40, 3, 17])
    _, indices = find_nearest(bank[own], bank, 49, distance=distance, block=7, chunk=2, leave_out_self=own)
    for row, places in zip(own.tolist(), indices.tolist(), strict=True):
        assert set(places) == set(range(50)) - {row}


@BOTH
@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_other_kinds_of_numbers(distance, dtype):
    queries, bank = cloud(5, 8, 9).to(dtype), cloud(90, 8, 10).to(dtype)
    values, indices = find_nearest(queries, bank, 9, distance=distance)
    assert values.dtype == torch.float32
    assert torch.equal(indices, plainly(queries, bank, distance).indices[:, :9])


@BOTH
def test_wide_features_go_in_smaller_blocks(distance, monkeypatch):
    monkeypatch.setattr(neighbors, "_ROOM", 40)
    sizes, plain = [], neighbors._highest
    monkeypatch.setattr(neighbors, "_highest", lambda *args: sizes.append((args[2], args[4])) or plain(*args))
    queries, bank = cloud(9, 16, 14), cloud(50, 16, 15)
    _, indices = find_nearest(queries, bank, 4, distance=distance)
    assert set(sizes) == {(2, 2), (1, 2)}
    assert torch.equal(indices, plainly(queries, bank, distance).indices[:, :4])


def test_features_that_want_gradients_are_welcome():
    bank = cloud(20, 4, 16).requires_grad_()
    assert not find_nearest(bank, bank, 2)[0].requires_grad


def test_a_sorted_bank_gives_the_same():
    bank, queries = cloud(3000, 4, 11), cloud(5, 4, 12)
    bank = bank[(bank @ queries[0]).argsort()]
    _, indices = find_nearest(queries, bank, 30, block=100)
    assert torch.equal(indices, plainly(queries, bank, "cosine").indices[:, :30])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"k": 6}, r"k in 1\.\.5.*got 6"),
        ({"k": 5, "leave_out_self": True}, r"k in 1\.\.4.*got 5"),
        ({"k": 0}, "got 0"),
        ({"k": 1, "chunk": 0}, "chunk and block from 1 on"),
        ({"k": 1, "distance": "manhattan"}, "expected distance cosine or euclidean, got manhattan"),
    ],
)
def test_what_cannot_be_is_refused(arguments, said):
    bank = cloud(5, 3, 13)
    with pytest.raises(ValueError, match=said):
        find_nearest(bank, bank, **arguments)
