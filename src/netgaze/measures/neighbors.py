"""The nearest rows of a large bank of features: exact, in blocks."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from netgaze.measures.highest import find_highest, order
from netgaze.measures.pixels import to_floats
from netgaze.measures.rounded import find_by_rounding
from netgaze.processor import has_fast_bf16

_ROOM, _AT_ONCE = 2**22, 2**20  # numbers in a block of features, and in one of differences
_LONG = 2**34  # products of two numbers, which take some tenths of a second


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

    Both are gone through in blocks, and of each block only what may be among the k nearest is kept, see `find_highest`:
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
    chunk, block = min(chunk, _ROOM // k), min(block, len(bank))
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
    """Where bf16 is faster, and the search is long enough to tell, only what rounding leaves open goes by float32."""

    def score(units: Tensor, rows: Tensor, out: Tensor) -> Tensor:
        return torch.mm(units, normalize(rows.float(), dim=1).T, out=out)

    units = normalize(to_floats(queries).float(), dim=1)
    if units.numel() * len(bank) < _LONG or units.is_cuda or not has_fast_bf16():
        return order(*find_highest(score, units, bank, k, block, own))
    values, index, sure = find_by_rounding(units, bank, k, block, own)
    unsure = (~sure).nonzero().flatten()
    if len(unsure):
        mine = None if own is None else own[unsure]
        values[unsure], index[unsure] = find_highest(score, units[unsure], bank, k, block, mine)
    return order(values, index)


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
    scores, index = find_highest(score, shifted, bank, candidates, block, own)
    negative, index = order(-_differences(queries, bank, index), index)
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

    return order(*find_highest(score, to_floats(query).double(), bank, k, block, own))


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
