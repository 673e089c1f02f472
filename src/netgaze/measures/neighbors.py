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
    chunk: int = 10240,
    block: int = 1024,
    leave_out_self: bool | Tensor = False,
) -> tuple[Tensor, Tensor]:
    """The k nearest rows of `bank` [N,D] to each row of `queries` [Q,D], exact: no index, no approximation.

    Both are gone through in blocks, and of each block only what may be among the k nearest is kept, see `_highest`:
    neither the matrix [Q,N] nor a copy of the bank is held. Of rows that are equally near, the earlier stand first;
    which of those that are as near as the k-th are among the k is left open.

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
    def score(units: Tensor, rows: Tensor, out: Tensor) -> Tensor:
        return torch.mm(units, normalize(rows.float(), dim=1).T, out=out)

    return _ordered(*_highest(score, normalize(to_floats(queries).float(), dim=1), bank, k, block, own))


def _by_euclid(queries: Tensor, bank: Tensor, k: int, block: int, own: Tensor | None) -> tuple[Tensor, Tensor]:
    """The nearest has the largest q.b - |b|^2 / 2, about a middle, which leaves the product fewer digits to cancel."""
    most = max(1, min(4096, _ROOM // bank.shape[1]))
    some = to_floats(bank[:: max(1, len(bank) // most)])
    middle = some.mean(dim=0, dtype=None if bank.dtype == torch.float64 else torch.float32).to(queries.device)
    shifted = (to_floats(queries) - middle).float()

    def score(shifted: Tensor, rows: Tensor, out: Tensor) -> Tensor:
        rows = (rows - middle).float()
        return torch.addmm(rows.square().sum(dim=1), shifted, rows.T, beta=-0.5, out=out)

    candidates = min(k + max(16, k // 10), len(bank) - (own is not None))
    scores, index = _highest(score, shifted, bank, candidates, block, own)
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

    def score(query: Tensor, rows: Tensor, out: Tensor) -> Tensor:
        return (rows.double() - query).norm(dim=1)[None].neg()

    return _ordered(*_highest(score, to_floats(query).double(), bank, k, block, own))


def _highest(
    score: Callable[[Tensor, Tensor, Tensor], Tensor],
    queries: Tensor,
    bank: Tensor,
    k: int,
    block: int,
    own: Tensor | None,
    margin: float = 5,
) -> tuple[Tensor, Tensor]:
    """The k highest of `score`, which gives each of the queries [Q,D] a number for each of some rows: [Q,k], [Q,k].

    A block is every n-th row: of a bank sorted by class, each then holds some of all.

    Of a share p of the bank, if its order means nothing, pk of the k highest are to be expected, give or take
    sqrt(pk). So many and a margin are kept of what was seen, and of what comes only what is above the least of these.
    Whether that was too bold shows at the end: then the k-th is not as high as all that were let go. Such queries go
    again, and k are kept each time.
    """
    num, blocks, device = len(queries), math.ceil(len(bank) / block), queries.device
    room = queries.new_empty(num * block)  # one for all blocks: fresh memory costs a sixth of the product
    best = _Best(queries, 2 * k, block)
    for first in range(blocks):
        rows = to_floats(bank[first::blocks].to(device))
        scores = score(queries, rows, room[: num * len(rows)].view(num, -1))
        if own is not None:
            here = (own % blocks == first).nonzero().flatten()
            scores[here, own[here] // blocks] = -torch.inf
        best.add(scores, torch.arange(first, len(bank), blocks, device=device))
        seen = first + 1
        # Seldom, as to find the highest costs more than to carry some that are not.
        if seen & first == 0 or best.filled > 2 * k:
            expected = k * seen / blocks
            best.keep(math.ceil(min(k, expected + margin * (1 + math.sqrt(expected)))))
    values, index = best.keep(k)
    assert best.bar is not None
    wrong = (values.amin(dim=1) < best.bar.flatten()).nonzero().flatten()
    if len(wrong):
        mine = None if own is None else own[wrong]
        values[wrong], index[wrong] = _highest(score, queries[wrong], bank, k, block, mine, math.inf)
    return values, index


class _Best:
    """The highest scores of each of the queries [Q,D] and their columns, as blocks of at most `block` columns come.

    There is room for `most` of them and a block.
    """

    def __init__(self, queries: Tensor, most: int, block: int):
        num, room = len(queries), most + block
        self.filled = 0
        self.bar: Tensor | None = None
        self.values, self.index = queries.new_empty(num, room), queries.new_zeros(num, room, dtype=torch.int64)
        self.above = queries.new_zeros(num, 8 * math.ceil(block / 8), dtype=torch.bool)

    def add(self, scores: Tensor, columns: Tensor) -> None:
        """Scores [Q,B] of some columns [B]: those that are above the bar or, where these are many, all."""
        if self.bar is None or not self._add_higher(scores, columns, self.bar):
            some = slice(self.filled, self.filled + scores.shape[1])
            self.values[:, some], self.index[:, some] = scores, columns
            self.filled = some.stop

    def _add_higher(self, scores: Tensor, columns: Tensor, bar: Tensor) -> bool:
        """Those that are above the bar, moved left, and -inf in the blanks; unless they are many."""
        torch.gt(scores, bar, out=self.above[:, : scores.shape[1]])
        self.above[:, scores.shape[1] :] = False
        # Few are above: they are looked for eight at a time, as words that are not 0.
        row, word = self.above.view(torch.int64).nonzero(as_tuple=True)
        which, byte = self.above.view(len(scores), -1, 8)[row, word].nonzero(as_tuple=True)
        row, column = row[which], 8 * word[which] + byte
        counts = row.bincount(minlength=len(scores))
        width = int(counts.max())
        if 2 * width > scores.shape[1]:
            return False
        self.values[:, self.filled : self.filled + width] = -torch.inf
        place = self.filled + torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts)[row]
        self.values[row, place], self.index[row, place] = scores[row, column], columns[column]
        self.filled += width
        return True

    def keep(self, num: int) -> tuple[Tensor, Tensor]:
        """Let go of all but the `num` highest, [Q,num] and [Q,num], and raise the bar to the least of them."""
        if num > self.filled:
            self.values[:, self.filled : num] = -torch.inf
            self.filled = num
        values, place = self.values[:, : self.filled].topk(num, dim=1, sorted=False)
        index = self.index.gather(1, place)
        self.values[:, :num], self.index[:, :num], self.filled = values, index, num
        least = values.amin(dim=1, keepdim=True)
        self.bar = least if self.bar is None else self.bar.maximum(least)
        return values, index


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
