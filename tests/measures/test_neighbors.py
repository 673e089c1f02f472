"""Nearest neighbors, streamed: against a full sort and scikit-learn, whatever the blocks."""

import itertools

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
    monkeypatch.setattr(neighbors, "_ROOM", 40)  # of 16 numbers two rows, and of 4 neighbors two queries
    sizes, plain = [], neighbors.find_highest
    monkeypatch.setattr(neighbors, "find_highest", lambda *args: sizes.append((len(args[1]), args[4])) or plain(*args))
    queries, bank = cloud(9, 16, 14), cloud(50, 16, 15)
    _, indices = find_nearest(queries, bank, 4, distance=distance)
    assert set(sizes) == {(2, 2), (1, 2)}
    assert torch.equal(indices, plainly(queries, bank, distance).indices[:, :4])


def adversarial(kind, num, size, seed):
    """Rows that are hard to tell apart, of small whole numbers: products of them are exact in float32."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(-2, 3, (num, size), generator=generator).float()
    if kind == "duplicates":
        rows = rows[torch.randint(0, max(1, num // 9), (num,), generator=generator)]
    elif kind == "zeros":
        rows[torch.rand(num, generator=generator) < 0.5] = 0
    elif kind == "equal":
        rows = rows[:1].repeat(num, 1)
    elif kind == "scaled" and num >= 5:
        rows = rows[torch.arange(num) % 5] * 2.0 ** torch.randint(-9, 9, (num, 1), generator=generator)
    return rows


@BOTH
@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["plain", "duplicates", "zeros", "equal", "scaled"]),
    num=st.integers(1, 120),
    size=st.integers(1, 20),
    k=st.integers(1, 30),
    chunk=st.integers(1, 9),
    block=st.integers(1, 50),
    seed=st.integers(0, 1000),
)
def test_ties_duplicates_and_zeros(distance, kind, num, size, k, chunk, block, seed):
    """As near as in a naive sort of doubles, rank by rank; each row found once; ties in rising rows."""
    bank, queries = adversarial(kind, num, size, seed), adversarial("plain", 7, size, seed + 1)
    queries[0], queries[1], k = 0, bank[0], min(k, num)
    values, indices = find_nearest(queries, bank, k, distance=distance, chunk=chunk, block=block)
    if distance == "cosine":
        lengths = [some.double().norm(dim=1, keepdim=True).clamp_min(1e-12) for some in (queries, bank)]
        apart = -(queries.double() / lengths[0]) @ (bank.double() / lengths[1]).T
    else:
        apart = (queries[:, None].double() - bank.double()).norm(dim=2)
    sign = -1 if distance == "cosine" else 1
    torch.testing.assert_close(sign * values.double(), apart.sort(dim=1).values[:, :k], atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(sign * values.double(), apart.gather(1, indices), atol=1e-6, rtol=1e-6)
    # Distances are ordered as doubles: some that differ there are one number as they are given.
    ranked = values.neg() if distance == "cosine" else apart.gather(1, indices)
    for row, places in zip(ranked.tolist(), indices.tolist(), strict=True):
        assert len(set(places)) == k
        for (near, place), (far, other) in itertools.pairwise(zip(row, places, strict=True)):
            assert near <= far + 1e-12 * abs(far)
            tied = near == far if distance == "cosine" else torch.equal(bank[place], bank[other])
            assert place < other or not tied


@BOTH
@pytest.mark.parametrize("block", [8, 100, 101, 107])  # of whole words, and of such as end within one
def test_what_is_above_the_bar_is_found_wherever_it_stands(distance, block):
    """The rows to find come last, block after block, so that all that was found before must give way."""
    queries, bank = cloud(6, 8, 17), cloud(600, 8, 18)
    near = (bank @ queries.sum(dim=0)).argsort()
    bank = bank[near]
    for own in (None, torch.tensor([599, 0, 300, 598, 597, 12])):
        leave = False if own is None else own
        asked = queries if own is None else bank[own]
        _, indices = find_nearest(asked, bank, 3, distance=distance, block=block, leave_out_self=leave)
        assert torch.equal(indices, plainly(asked, bank, distance, own).indices[:, :3])


@BOTH
def test_pixels_are_shares_of_255(distance):
    generator = torch.Generator().manual_seed(19)
    queries, bank = (torch.randint(0, 256, (num, 27), generator=generator, dtype=torch.uint8) for num in (20, 700))
    found = find_nearest(queries, bank, 5, distance=distance, chunk=7, block=100)
    floats = find_nearest(queries.float() / 255, bank.float() / 255, 5, distance=distance, chunk=7, block=100)
    assert all(map(torch.equal, found, floats))
    mixed = find_nearest(queries.float() / 255, bank, 5, distance=distance, chunk=7, block=100)
    assert all(map(torch.equal, mixed, floats))


@BOTH
def test_a_large_set_of_pixels_is_never_held_as_floats(distance, monkeypatch):
    """Of a bank of 400 rows few more than a block's are made floats at a time."""
    monkeypatch.setattr(neighbors, "_ROOM", 2**10)
    monkeypatch.setattr(neighbors, "_AT_ONCE", 2**10)
    made, plain = [], neighbors.to_floats
    monkeypatch.setattr(neighbors, "to_floats", lambda some: made.append(some.numel()) or plain(some))
    bank = torch.randint(0, 256, (400, 64), generator=torch.Generator().manual_seed(20), dtype=torch.uint8)
    _, indices = find_nearest(bank[:9], bank, 5, distance=distance)
    assert torch.equal(indices, plainly(bank[:9], bank, distance).indices[:, :5])
    assert max(made) <= 2 * 2**10


@BOTH
def test_all_is_made_where_the_queries_lie(distance):
    """Where another device is the default, nothing may be made there."""
    queries, bank, own = cloud(9, 6, 21), cloud(80, 6, 22), torch.arange(9)
    expected = find_nearest(queries, bank, 5, distance=distance, chunk=4, block=10, leave_out_self=own)
    with torch.device("meta"):
        found = find_nearest(queries, bank, 5, distance=distance, chunk=4, block=10, leave_out_self=own)
        find_nearest(bank, bank, 5, distance=distance, chunk=40, block=10, leave_out_self=True)
    assert all(map(torch.equal, found, expected))


@BOTH
def test_many_neighbors_are_found_for_fewer_queries_at_a_time(distance, monkeypatch):
    monkeypatch.setattr(neighbors, "_ROOM", 2**9)
    sizes, plain = [], neighbors.find_highest
    monkeypatch.setattr(neighbors, "find_highest", lambda *args: sizes.append(len(args[1])) or plain(*args))
    queries, bank = cloud(9, 4, 23), cloud(200, 4, 24)
    find_nearest(queries, bank, 100, distance=distance)
    assert max(sizes) == 5


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
