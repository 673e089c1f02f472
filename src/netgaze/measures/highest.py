"""The highest of many scores that come in blocks, exact, and never held all at once."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from netgaze.measures.pixels import to_floats

Score = Callable[[Tensor, Tensor, Tensor], Tensor]  # of queries [Q,D] and rows [B,D], into a room [Q,B]


def find_highest(
    score: Score,
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
        best.add(scores, torch.arange(first, len(bank), blocks, device=device, dtype=torch.int32))
        seen = first + 1
        # Seldom, as to find the highest costs more than to carry some that are not.
        if seen & first == 0 or best.filled > 2 * k:
            expected = k * seen / blocks
            best.keep(math.ceil(min(k, expected + margin * (1 + math.sqrt(expected)))))
    values, narrow = best.keep(k)
    index = narrow.long()
    assert best.bar is not None
    wrong = (values.amin(dim=1) < best.bar.flatten()).nonzero().flatten()
    if len(wrong):
        mine = None if own is None else own[wrong]
        values[wrong], index[wrong] = find_highest(score, queries[wrong], bank, k, block, mine, math.inf)
    return values, index


class _Best:
    """The highest scores of each of the queries [Q,D] and their columns, as blocks of at most `block` columns come.

    There is room for `most` of them and a block.
    """

    def __init__(self, queries: Tensor, most: int, block: int):
        num, room, kind = len(queries), most + block, torch.promote_types(queries.dtype, torch.float32)
        self.filled = 0
        self.bar: Tensor | None = None
        self.values = queries.new_empty(num, room, dtype=kind)  # topk is slow in bf16
        self.index = queries.new_zeros(num, room, dtype=torch.int32)
        self.above = queries.new_zeros(num, 8 * math.ceil(block / 8), dtype=torch.bool)

    def add(self, scores: Tensor, columns: Tensor) -> None:
        """Scores [Q,B] of some columns [B]: those that are above the bar or, where these are many, all."""
        if self.bar is None or not self._add_higher(scores, columns, self.bar):
            some = slice(self.filled, self.filled + scores.shape[1])
            self.values[:, some], self.index[:, some] = scores, columns
            self.filled = some.stop

    def _add_higher(self, scores: Tensor, columns: Tensor, bar: Tensor) -> bool:
        """Those that are above the bar, moved left, and -inf in the blanks; unless they are many."""
        bar = bar.to(scores.dtype)
        if scores.dtype == torch.bfloat16 and bool((bar > 0).all()):
            bits, bar = scores.view(torch.int16), bar.view(torch.int16)  # in the same order, and compared faster
        else:
            bits = scores
        torch.gt(bits, bar, out=self.above[:, : scores.shape[1]])
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
        self.values[row, place], self.index[row, place] = scores[row, column].to(self.values.dtype), columns[column]
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


def order(values: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Both [Q,k] by falling value, equal ones by rising index."""
    index, place = index.sort(dim=1)
    values, order = values.gather(1, place).sort(dim=1, descending=True, stable=True)
    return values, index.gather(1, order)
