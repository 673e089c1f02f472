"""The nearest rows of a large bank of features: exact, in blocks."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import normalize

_ROOM, _AT_ONCE = 2**24, 2**20  # numbers in a block of features, and in one of differences


@torch.no_grad()
def find_nearest(
    queries: Tensor,
    bank: Tensor,
    k: int,
    *,
    distance: str = "cosine",
    chunk: int = 1000,
    block: int = 2048,
    leave_out_self: bool | Tensor = False,
) -> tuple[Tensor, Tensor]:
    """The k nearest rows of `bank` [N,D] to each row of `queries` [Q,D], exact: no index, no approximation.

    Both are gone through in blocks, and of each block only what is nearer than the k found so far is kept: neither
    the matrix [Q,N] nor a copy of the bank is held. Of rows that are equally near, the earlier stand first; which of
    those that are as near as the k-th are among the k is left open.

    Euclidean distances are those of the differences, so that equal rows are 0 apart. The matrix product that finds
    the candidates cancels digits: more than k are taken, and where a bound on its rounding cannot rule out that
    another row was nearer, that query is compared with all rows by differences.

    Args:
        queries: features, finite, [Q,D].
        bank: features to search, finite, [N,D].
        k: how many.
        distance: "cosine", of rows that are normalized here, or "euclidean".
        chunk: queries at a time, at most.
        block: rows of the bank at a time, at most.
        leave_out_self: query i *is* row i of the bank and must not find itself; or the rows that they are, int64 [Q].

    Returns:
        (cosine similarities in -1..1, descending, or Euclidean distances, ascending, float32 [Q,k]; indices into the
        bank, int64 [Q,k]).

    Raises:
        ValueError: an unknown distance, a size below 1, or a k that the bank cannot fill.
    """
    own = torch.arange(len(queries)) if leave_out_self is True else leave_out_self
    room = len(bank) - isinstance(own, Tensor)
    if distance not in ("cosine", "euclidean"):
        raise ValueError(f"expected distance cosine or euclidean, got {distance}")
    if not 1 <= k <= room or min(chunk, block) < 1:
        raise ValueError(f"expected k in 1..{room}, chunk and block from 1 on, got {k}, {chunk} and {block}")
    chunk, block = (max(1, min(size, _ROOM // bank.shape[1])) for size in (chunk, min(block, len(bank))))
    search = _by_cosine if distance == "cosine" else _by_euclid
    values, indices = torch.empty(len(queries), k), torch.empty(len(queries), k, dtype=torch.int64)
    for start in range(0, len(queries), chunk):
        some = slice(start, start + chunk)
        mine = own[some] if isinstance(own, Tensor) else None
        values[some], indices[some] = search(queries[some], bank, k, block, mine)
    return values, indices


def _by_cosine(queries: Tensor, bank: Tensor, k: int, block: int, own: Tensor | None) -> tuple[Tensor, Tensor]:
    units = normalize(queries.float(), dim=1)

    def score(rows: Tensor, out: Tensor) -> Tensor:
        return torch.mm(units, normalize(rows.float(), dim=1).T, out=out)

    return _ordered(*_highest(score, bank, len(queries), k, block, own))


def _by_euclid(queries: Tensor, bank: Tensor, k: int, block: int, own: Tensor | None) -> tuple[Tensor, Tensor]:
    """The nearest has the largest q.b - |b|^2 / 2, about a middle, which leaves the product fewer digits to cancel."""
    middle = bank[:: max(1, len(bank) // 4096)].mean(
        dim=0, dtype=None if bank.dtype == torch.float64 else torch.float32
    )
    shifted = (queries - middle).float()

    def score(rows: Tensor, out: Tensor) -> Tensor:
        rows = (rows - middle).float()
        return torch.addmm(rows.square().sum(dim=1), shifted, rows.T, beta=-0.5, out=out)

    candidates = min(k + max(16, k // 10), len(bank) - (own is not None))
    scores, index = _highest(score, bank, len(queries), candidates, block, own)
    negative, index = _ordered(-_differences(queries, bank, index), index)
    farthest = -negative[:, k - 1]
    if candidates < len(bank) - (own is not None):
        # A row left out scored no more than the last candidate. Were it nearer than the k-th, it would lie within
        # `reach` of the middle, and the product's error would be at most `error` (Higham 2002, section 3.1).
        length = shifted.double().norm(dim=1)
        reach = length + farthest
        error = (bank.shape[1] + 16) * 2.0**-24 * (length + reach).square()
        sure = farthest.square() + error <= length.square() - 2 * scores.amin(dim=1).double()
        for query in (~sure).nonzero().flatten():
            only = slice(int(query), int(query) + 1)
            found = _plainly(queries[only], bank, k, block, None if own is None else own[only])
            negative[only, :k], index[only, :k] = found
    return -negative[:, :k], index[:, :k]


def _plainly(query: Tensor, bank: Tensor, k: int, block: int, own: Tensor | None) -> tuple[Tensor, Tensor]:
    """The k nearest to one query [1,D] by the differences to all rows: (negative distances [1,k], indices [1,k])."""

    def score(rows: Tensor, out: Tensor) -> Tensor:
        return (rows.double() - query.double()).norm(dim=1)[None].neg()

    return _ordered(*_highest(score, bank, 1, k, block, own))


def _highest(
    score: Callable[[Tensor, Tensor], Tensor], bank: Tensor, num: int, k: int, block: int, own: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The k highest of `score`, which gives each of `num` queries a number for each of some rows: [num,k], [num,k].

    A block is every n-th row: of a bank sorted by class, the first block then holds some of each, and later ones
    have little to add.
    """
    blocks = math.ceil(len(bank) / block)
    room = torch.empty(num * block)  # one for all blocks: fresh memory costs a sixth of the product
    best, index, bar = torch.empty(num, 0), torch.empty(num, 0, dtype=torch.int64), None
    for first in range(blocks):
        rows, columns = bank[first::blocks], torch.arange(first, len(bank), blocks).expand(num, -1)
        scores = score(rows, room[: num * len(rows)].view(num, -1))
        if own is not None:
            here = (own % blocks == first).nonzero().flatten()
            scores[here, own[here] // blocks] = -torch.inf
        if bar is not None:
            scores, columns = _higher(scores, columns, bar)
        best, index = torch.cat([best, scores], dim=1), torch.cat([index, columns], dim=1)
        # Seldom, as to find the k best costs more than to carry some that are not.
        if best.shape[1] > (2 * k if first < blocks - 1 else k):
            best, place = best.topk(k, dim=1, sorted=False)
            index, bar = index.gather(1, place), best.amin(dim=1, keepdim=True)
    return best, index


def _higher(scores: Tensor, columns: Tensor, bar: Tensor) -> tuple[Tensor, Tensor]:
    """Of scores [Q,B] and their columns [Q,B] those above each query's bar [Q,1], moved left; blanks are -inf."""
    row, column = (scores > bar).nonzero(as_tuple=True)
    counts = row.bincount(minlength=len(scores))
    width = int(counts.max())
    if 2 * width > scores.shape[1]:
        return scores, columns
    place = torch.arange(len(row)) - (counts.cumsum(0) - counts)[row]
    packed, origin = scores.new_full((len(scores), width), -torch.inf), columns.new_zeros(len(scores), width)
    packed[row, place], origin[row, place] = scores[row, column], columns[0][column]
    return packed, origin


def _ordered(values: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Both [Q,k] by falling value, equal ones by rising index."""
    index, place = index.sort(dim=1)
    values, order = values.gather(1, place).sort(dim=1, descending=True, stable=True)
    return values, index.gather(1, order)


def _differences(queries: Tensor, bank: Tensor, index: Tensor) -> Tensor:
    """Euclidean distances of queries [Q,D] to the rows of the bank that index [Q,m] names, float64 [Q,m]."""
    few = max(1, _AT_ONCE // (index.shape[1] * bank.shape[1]))
    found = torch.empty(index.shape, dtype=torch.float64)
    for start in range(0, len(queries), few):
        some = slice(start, start + few)
        found[some] = (bank[index[some]].double() - queries[some, None].double()).norm(dim=2)
    return found
