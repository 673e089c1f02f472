"""Nearest rows found by rounded products: the bound, and that nothing is missed."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.measures.test_neighbors import adversarial, cloud, plainly
from torch.nn.functional import normalize

from netgaze.measures import neighbors, rounded
from netgaze.measures.highest import find_highest
from netgaze.measures.neighbors import find_nearest
from netgaze.measures.rounded import find_by_rounding


@pytest.fixture
def fast(monkeypatch):
    """As on a processor that is fast in bf16, for searches of any size."""
    monkeypatch.setattr(neighbors, "has_fast_bf16", lambda: True)
    monkeypatch.setattr(neighbors, "_LONG", 0)


def judge(queries, bank, k, **asked):
    """Held against a naive sort of doubles, rank by rank."""
    values, indices = find_nearest(queries, bank, k, **asked)
    own = asked.get("leave_out_self")
    units = [normalize(some.double(), dim=1) for some in (queries, bank)]
    cosines = units[0] @ units[1].T
    if isinstance(own, torch.Tensor):
        cosines[torch.arange(len(own)), own] = -torch.inf
    expected = cosines.sort(dim=1, descending=True).values[:, :k]
    torch.testing.assert_close(values.double(), expected, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(values.double(), cosines.gather(1, indices), atol=1e-6, rtol=1e-6)
    assert all(len(set(row)) == k for row in indices.tolist())


@pytest.mark.parametrize("k", [1, 7, 60, 500])
def test_against_a_full_sort(fast, k):
    queries, bank = cloud(40, 16, 0), cloud(500, 16, 1)
    _, indices = find_nearest(queries, bank, k, chunk=17, block=64)
    assert torch.equal(indices, plainly(queries, bank, "cosine").indices[:, :k])


@pytest.mark.parametrize("offset", [0.0, 3.0, 300.0])
def test_rows_that_bf16_cannot_tell_apart(fast, offset):
    judge(cloud(30, 24, 2, offset), cloud(2000, 24, 3, offset), 20)


@settings(max_examples=100, deadline=None)
@given(
    kind=st.sampled_from(["plain", "duplicates", "zeros", "equal", "scaled"]),
    num=st.integers(2, 120),
    size=st.integers(1, 20),
    k=st.integers(1, 30),
    block=st.integers(1, 50),
    own=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_ties_duplicates_and_zeros(kind, num, size, k, block, own, seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbors, "has_fast_bf16", lambda: True)
        patch.setattr(neighbors, "_LONG", 0)
        bank = adversarial(kind, num, size, seed)
        rows = torch.arange(min(num, 7))
        queries = bank[rows] if own else adversarial("plain", 7, size, seed + 1)
        judge(queries, bank, min(k, num - own), chunk=4, block=block, leave_out_self=rows if own else False)


@settings(max_examples=100, deadline=None)
@given(
    size=st.integers(1, 300),
    offset=st.floats(0, 30),
    scale=st.floats(1e-3, 1e3),
    seed=st.integers(0, 1000),
)
def test_scores_fall_short_of_no_cosine(size, offset, scale, seed):
    """Whatever rounding takes, the score of a row says at least how near it is; and it says not much more."""
    queries, bank = cloud(5, size, seed, offset), scale * cloud(64, size, seed + 1, offset)
    units = normalize(queries, dim=1)
    bounds = rounded._Bounds(units, bank)
    scores = bounds.score(bounds.queries, bank, torch.empty(5, 64, dtype=torch.bfloat16))
    most = torch.stack([bounds.to_cosine(column) for column in scores.float().T], dim=1)
    cosines = units.double() @ normalize(bank.double(), dim=1).T
    assert (most >= cosines - 1e-6).all()
    apart = (units - bounds.middle).norm(dim=1, keepdim=True) * 2 + 0.1
    assert (most - cosines <= 0.05 * apart).all()


def test_what_is_not_sure_goes_by_float32(fast, monkeypatch):
    """But for one row all are the same to bf16, and just not to float32: the others are found still."""
    bank = 1 + 1e-4 * cloud(3000, 8, 4)
    bank[:9] = cloud(9, 8, 11)
    asked = []
    monkeypatch.setattr(neighbors, "find_highest", lambda *args: asked.append(len(args[1])) or find_highest(*args))
    judge(cloud(40, 64, 5), cloud(3000, 64, 6), 10)
    assert sum(asked) < 4
    asked.clear()
    judge(bank[:9], bank, 1000)
    assert sum(asked) == int((~find_by_rounding(normalize(bank[:9], dim=1), bank, 1000, 512, None)[2]).sum()) > 0


def test_pixels_are_shares_of_255(fast):
    generator = torch.Generator().manual_seed(19)
    queries, bank = (torch.randint(0, 256, (num, 27), generator=generator, dtype=torch.uint8) for num in (20, 700))
    _, indices = find_nearest(queries, bank, 5, chunk=7, block=100)
    assert torch.equal(indices, plainly(queries.float(), bank.float(), "cosine").indices[:, :5])


def test_a_large_bank_is_judged_in_parts(fast, monkeypatch):
    monkeypatch.setattr(rounded, "_ROOM", 2**8)
    judge(cloud(9, 16, 7), cloud(400, 16, 8), 5)


def test_negative_scores_are_compared_as_numbers(fast):
    """The bits of negative numbers stand in the other order."""
    bank = cloud(4000, 12, 9, 0.5)
    judge(-cloud(20, 12, 10, 0.5), bank, 3, block=64)
    judge(bank[:20], bank, 1500, block=64)
