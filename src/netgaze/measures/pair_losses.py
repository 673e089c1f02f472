"""Losses that compare the embeddings of a batch, and which pairs of it they compare.

Every loss is a mean over what is compared; where a batch has nothing to compare it is 0, with gradients of 0.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def list_pairs(labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Every unordered pair i < j of a batch, P = B (B - 1) / 2; no image with itself.

    Args:
        labels: who is seen, int64 [B].

    Returns:
        (i int64 [P], j int64 [P], whether the two are of different people, bool [P]).
    """
    first, second = torch.triu_indices(len(labels), len(labels), offset=1, device=labels.device)
    return first, second, labels[first] != labels[second]


def draw_balanced_pairs(labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """As many same as different pairs: all of the rarer kind, as many of the other drawn without replacement.

    The lot is that of the global generator of the labels' device.

    Args:
        labels: who is seen, int64 [B].

    Returns:
        As `pairs`, the same pairs first; empty tensors where the batch has pairs of one kind alone.
    """
    first, second, different = list_pairs(labels)
    kinds = [kind.nonzero().flatten() for kind in (~different, different)]
    num = min(len(kind) for kind in kinds)
    chosen = torch.cat([kind if len(kind) == num else _drawn(kind, num) for kind in kinds])
    return first[chosen], second[chosen], different[chosen]


def contrastive(first: Tensor, second: Tensor, different: Tensor, margin: float = 2.0) -> Tensor:
    """Same pairs together, different ones apart up to a margin (Hadsell, Chopra and LeCun 2006).

    mean((1 - y) d^2 + y max(0, m - d)^2), y = 1 for different pairs. Deviations, both those of a widely used notebook:
    the paper's factor of 1/2 is left out, and d = |f_1 - f_2 + 1e-6| is torch's `pairwise_distance`, whose summand
    keeps the gradient finite where two embeddings are equal.

    Args:
        first: embeddings, [P,D].
        second: embeddings, [P,D].
        different: y, bool [P].
        margin: m, a distance.

    Returns:
        The loss, [], 0 or more.
    """
    distances = F.pairwise_distance(first, second)
    return _mean(torch.where(different, F.relu(margin - distances), distances).square())


def mining_contrastive(embeddings: Tensor, labels: Tensor, share: float = 0.5) -> Tensor:
    """Raises the cosines of a batch's hardest same pairs P and lowers those of its hardest different pairs N.

    -1/(2|P|) sum_{(i,j) in P} cos(f_i, f_j) + 1/(2|N|) sum_{(i,j) in N} cos(f_i, f_j)

    Guo, Zhu, Lei and Li 2018 (arXiv 1806.01196, section 3.2): the cosine, the two means, no margin, hard pairs mined
    in the mini-batch, and to be learned jointly with a softmax loss. Our reading is how many are mined: of the same
    pairs the `share` with the lowest cosines, at least one; of the different pairs as many, or all that there are, with
    the highest cosines. The section's text was not at hand; the formula is written from memory of it.

    Args:
        embeddings: of any length, [B,D].
        labels: who is seen, int64 [B].
        share: of the same pairs that are mined, above 0 up to 1.

    Returns:
        The loss, [], -1..1; the term of a kind that the batch lacks is 0.

    Raises:
        ValueError: another share.
    """
    if not 0 < share <= 1:
        raise ValueError(f"expected a share above 0 and up to 1, got {share}")
    first, second, different = list_pairs(labels)
    cosines = F.cosine_similarity(embeddings[first], embeddings[second])
    same, other = cosines[~different], cosines[different]
    num = max(1, round(share * len(same)))
    hard_same = same.topk(min(num, len(same)), largest=False).values
    hard_other = other.topk(min(num, len(other))).values
    return (_mean(hard_other) - _mean(hard_same)) / 2


def triplet(embeddings: Tensor, labels: Tensor, margin: float | None = 0.3) -> Tensor:
    """The batch-hard triplet loss (Hermans, Beyer and Leibe 2017).

    mean_a max(0, m + max_p |f_a - f_p| - min_n |f_a - f_n|), the mean over every anchor a that has an image p of the
    same person and an image n of another in the batch; without a margin, softplus stands in place of max(0, m + ...).
    Where two embeddings are equal, their distance's gradient is taken as 0.

    Args:
        embeddings: [B,D]; as in the paper they are not normalized here.
        labels: who is seen, int64 [B].
        margin: m, a distance; None for the paper's soft margin.

    Returns:
        The loss, [], 0 or more.
    """
    # By matrix products, cdist would lose the small distances of embeddings far from the origin.
    distances = torch.cdist(embeddings, embeddings, compute_mode="donot_use_mm_for_euclid_dist")
    same = labels[:, None] == labels
    positive = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    anchors = positive.any(dim=1) & ~same.all(dim=1)
    farthest = distances.masked_fill(~positive, -torch.inf)[anchors].amax(dim=1)
    nearest = distances.masked_fill(same, torch.inf)[anchors].amin(dim=1)
    excess = farthest - nearest
    return _mean(F.softplus(excess) if margin is None else F.relu(excess + margin))


def _drawn(items: Tensor, num: int) -> Tensor:
    return items[torch.randperm(len(items), device=items.device)[:num]]


def _mean(values: Tensor) -> Tensor:
    """The mean, and 0 of nothing."""
    return values.sum() / max(1, len(values))
