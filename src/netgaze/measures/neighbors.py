"""The nearest rows of a large bank of features: exact, in blocks."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import normalize

from netgaze.measures.pixels import to_floats

_ROOM, _AT_ONCE = 2**24, 2**20  # numbers in a block of features, and in one of differences


@torch.no_grad()
def find_nearest(
    queries: Tensor,
    bank: Tensor,
    k: int,
    *,
    distance: str = "cosine",
    chunk: int = 4096,
    block: int = 1024,
    leave_out_self: bool | Tensor = False,
) -> tuple[Tensor, Tensor]:
    """The k nearest rows of `bank` [N,D] to each row of `queries` [Q,D], exact: no index, no approximation.

    Both are gone through in blocks, and of each block only what is nearer than the k found so far is kept: neither
    the matrix [Q,N] nor a copy of the bank is held. Of rows that are equally near, the earlier stand first; which of
    those that are as near as the k-th are among the k is left open.

    It is done where the queries lie, to which the bank is brought block by block.

    Euclidean distances are those of the differences, so that equal rows are 0 apart. The matrix product that finds
    the candidates cancels digits: more than k are taken, and where a bound on its rounding cannot rule out that
    another row was nearer, that query is compared with all rows by differences.

    Args:
        queries: features, finite, [Q,D]; uint8 is taken for pixels, shares of 255.
        bank: features to search, the same, [N,D].
        k: how many.
        distance: "cosine", of rows that are normalized here, or "euclidean".
        chunk: queries at a time, at most.
        block: rows of the bank at a time, at most.
        leave_out_self: query i *is* row i of the bank and must not find itself; or the rows that they are, int64 [Q].

    Returns:
        (cosine similarities in -1..1, descending, or Euclidean distances, ascending, float32 [Q,k]; indices into the
        bank, int64 [Q,k]), on the CPU.

    Raises:
        ValueError: an unknown distance, a size below 1, or a k that the bank cannot fill.
    """
    own = torch.arange(len(queries), device=queries.device) if leave_out_self is True else leave_out_self
    room = len(bank) - isinstance(own, Tensor)
    if distance not in ("cosine", "euclidean"):
        raise ValueError(f"expected distance cosine or euclidean, got {distance}")
    if not 1 <= k <= room or min(chunk, block) < 1:
        raise ValueError(f"expected k in 1..{room}, chunk and block from 1 on, got {k}, {chunk} and {block}")
    chunk, block = min(chunk, _ROOM // (4 * k)), min(block, len(bank))
    chunk, block = (max(1, min(size, _ROOM // bank.shape[1])) for size in (chunk, block))
    search = _by_cosine if distance == "cosine" else _by_euclid
    values = torch.empty(len(queries), k, device="cpu")
    indices = torch.empty(len(queries), k, dtype=torch.int64, device="cpu")
    for start in range(0, len(queries), chunk):
        some = slice(start, start + chunk)
        mine = own[some].to(queries.device) if isinstance(own, Tensor) else None
        values[some], indices[some] = search(queries[some], bank, k, block, mine)
    return values, indices


def _by_cosine(queries: Tensor, bank: Tensor, k: int, block: int, own: Tensor | None) -> tuple[Tensor, Tensor]:
    units = normalize(to_floats(queries).float(), dim=1)

    def score(rows: Tensor, out: Tensor) -> Tensor:
        return torch.mm(units, normalize(rows.float(), dim=1).T, out=out)

    return _ordered(*_highest(score, bank, units, k, block, own))


def _by_euclid(queries: Tensor, bank: Tensor, k: int, block: int, own: Tensor | None) -> tuple[Tensor, Tensor]:
    """The nearest has the largest q.b - |b|^2 / 2, about a middle, which leaves the product fewer digits to cancel."""
    most = max(1, min(4096, _ROOM // bank.shape[1]))
    some = to_floats(bank[:: max(1, len(bank) // most)])
    middle = some.mean(dim=0, dtype=None if bank.dtype == torch.float64 else torch.float32).to(queries.device)
    shifted = (to_floats(queries) - middle).float()

    def score(rows: Tensor, out: Tensor) -> Tensor:
        rows = (rows - middle).float()
        return torch.addmm(rows.square().sum(dim=1), shifted, rows.T, beta=-0.5, out=out)

    candidates = min(k + max(16, k // 10), len(bank) - (own is not None))
    scores, index = _highest(score, bank, shifted, candidates, block, own)
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
    exact = to_floats(query).double()

    def score(rows: Tensor, out: Tensor) -> Tensor:
        return (rows.double() - exact).norm(dim=1)[None].neg()

    return _ordered(*_highest(score, bank, exact, k, block, own))


def _highest(
    score: Callable[[Tensor, Tensor], Tensor], bank: Tensor, queries: Tensor, k: int, block: int, own: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The k highest of `score`, which gives each of the queries [Q,D] a number for each of some rows: [Q,k], [Q,k].

    A block is every n-th row: of a bank sorted by class, the first block then holds some of each, and later ones
    have little to add.
    """
    num, device, blocks = len(queries), queries.device, math.ceil(len(bank) / block)
    # One room for all blocks: fresh memory costs a sixth of the product.
    room = torch.empty(num * block, device=device)
    above = torch.zeros(num, 8 * math.ceil(block / 8), dtype=torch.bool, device=device)
    best, index, bar = room.new_empty(num, 0), torch.empty(num, 0, dtype=torch.int64, device=device), None
    for first in range(blocks):
        rows = to_floats(bank[first::blocks].to(device))
        columns = torch.arange(first, len(bank), blocks, device=device).expand(num, -1)
        scores = score(rows, room[: num * len(rows)].view(num, -1))
        if own is not None:
            here = (own % blocks == first).nonzero().flatten()
            scores[here, own[here] // blocks] = -torch.inf
        if bar is not None:
            scores, columns = _higher(scores, columns, bar, above)
        best, index = torch.cat([best, scores], dim=1), torch.cat([index, columns], dim=1)
        # Seldom, as to find the k best costs more than to carry some that are not.
        if best.shape[1] > (2 * k if first < blocks - 1 else k):
            best, place = best.topk(k, dim=1, sorted=False)
            index, bar = index.gather(1, place), best.amin(dim=1, keepdim=True)
    return best, index


def _higher(scores: Tensor, columns: Tensor, bar: Tensor, above: Tensor) -> tuple[Tensor, Tensor]:
    """Of scores [Q,B] and their columns [Q,B] those above each query's bar [Q,1], moved left; blanks are -inf.

    Few are. They are looked for eight at a time, as words of the bits in `above`, false [Q,8W].
    """
    torch.gt(scores, bar, out=above[:, : scores.shape[1]])
    above[:, scores.shape[1] :] = False
    row, word = above.view(torch.int64).nonzero(as_tuple=True)
    which, place = above.view(len(above), -1, 8)[row, word].nonzero(as_tuple=True)
    row, column = row[which], 8 * word[which] + place
    counts = row.bincount(minlength=len(scores))
    width = int(counts.max())
    if 2 * width > scores.shape[1]:
        return scores, columns
    place = torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts)[row]
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
    exact, index = to_floats(queries).double(), index.to(bank.device)
    found = exact.new_empty(index.shape)
    for start in range(0, len(queries), few):
        some = slice(start, start + few)
        rows = to_floats(bank[index[some]].to(exact.device))
        found[some] = (rows.double() - exact[some, None]).norm(dim=2)
    return found
