"""The nearest rows by cosine: found by products in bf16, which some processors multiply faster, judged in float32."""

import math
import warnings

import torch
from torch import Tensor
from torch.nn.functional import normalize, pad

from netgaze.measures.highest import find_highest
from netgaze.measures.pixels import to_floats

_ROOM = 2**22  # numbers in a block of features
_BF16 = 2.0**-8  # the share of a number by which rounding moves it at most


def find_by_rounding(
    units: Tensor, bank: Tensor, k: int, block: int, own: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Candidates, half as many again as k, by products in bf16, and the k nearest of these.

    Args:
        units: queries of length 1, float32 [Q,D].
        bank: features to search, [N,D].
        k: how many.
        block: rows of the bank at a time.
        own: rows that the queries are and that they must not find, int64 [Q].

    Returns:
        (cosine similarities as float32 has them [Q,k], indices into the bank [Q,k], whether no row that is not among
        the candidates can be nearer, bool [Q]), in no order. Sums in float32 are taken to be exact, as they are where
        all is multiplied in float32.
    """
    others = len(bank) - (own is not None)
    candidates = min(k + max(16, k // 2), others)
    bounds = _Bounds(units, bank)
    scores, index = find_highest(bounds.score, bounds.queries, bank, candidates, block, own)
    values, place = _multiply(units, bank, index).topk(k, dim=1)
    sure = values.amin(dim=1) >= bounds.to_cosine(scores.amin(dim=1))
    return values, index.gather(1, place), sure if candidates < others else torch.ones_like(sure)


class _Bounds:
    """Products in bf16 of units u [Q,D] and rows v that are no less than u.v, but for the rounding of the result.

    They are taken about a middle m, near which rounding takes less away: with p = u - m and d = v - m, u.v is u.m,
    the same for all rows, and p.d + m.d. The rounded p' and d' give p'.d', which by Cauchy and Schwarz falls short of
    p.d by no more than |p - p'| |d| + |p'| |d - d'|. This and m.d are carried by columns of their own.
    """

    def __init__(self, units: Tensor, bank: Tensor):
        most = max(1, min(4096, _ROOM // bank.shape[1]))
        some = to_floats(bank[:: math.ceil(len(bank) / most)].to(units.device))
        self.middle = normalize(some.float(), dim=1).mean(dim=0)
        self.offset = units @ self.middle
        half, length, lost = _round(units - self.middle)
        ones = torch.ones_like(lost).bfloat16()
        self.queries = torch.cat([half, torch.stack([ones, ones, _up(lost), _up(length)], dim=1)], dim=1)  # [Q,D+4]

    def score(self, queries: Tensor, rows: Tensor, out: Tensor) -> Tensor:
        """[Q,D+4], [B,D] -> [Q,B], all but the rows in bf16."""
        shifted = normalize(rows.float(), dim=1) - self.middle
        half, length, lost = _round(shifted)
        lift = shifted @ self.middle
        high = lift.bfloat16()  # and, to be as good as exact, what rounding took from it
        columns = [high, (lift - high).bfloat16(), _up(length + lost), _up(lost)]
        return torch.mm(queries, torch.cat([half, torch.stack(columns, dim=1)], dim=1).T, out=out)

    def to_cosine(self, scores: Tensor) -> Tensor:
        """The most that u.v can be of rows whose scores [Q] are no higher."""
        return self.offset + scores + _BF16 * (scores.abs() + 2 * _BF16)


def _round(rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rows [N,D] in bf16, their lengths then, and those of what rounding took from them [N]."""
    half = rows.bfloat16()
    return half, half.float().norm(dim=1), (rows - half).norm(dim=1)


def _up(numbers: Tensor) -> Tensor:
    """Positive numbers in bf16, no smaller."""
    return (numbers * (1 + 2 * _BF16)).bfloat16()


def _multiply(units: Tensor, bank: Tensor, index: Tensor) -> Tensor:
    """Cosines of units [Q,D] with the rows of the bank that the index [Q,m] names, float32 [Q,m]."""
    found = units.new_empty(index.shape)
    many = max(1, _ROOM // bank.shape[1])
    for start in range(0, len(bank), many):
        rows = normalize(to_floats(bank[start : start + many].to(units.device)).float(), dim=1)
        here = (index >= start) & (index < start + many)
        ends = pad(here.sum(dim=1).cumsum(dim=0), (1, 0))
        columns, blank, size = index[here] - start, units.new_zeros(int(ends[-1])), (len(units), len(rows))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
            asked = torch.sparse_csr_tensor(ends, columns, blank, size, check_invariants=False)
        found[here] = torch.sparse.sampled_addmm(asked, units, rows.T, beta=0.0).values()
    return found
