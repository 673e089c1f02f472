"""Splits, subsets and label noise: index tensors that follow from labels and a seed."""

import numpy as np
import torch
from torch import Tensor

from netgaze.errors import NetgazeError


def draw_stratified(labels: Tensor, num: int, seed: int, leave: int = 0) -> Tensor:
    """`num` indices into `labels` [N] with each class's share kept, ascending, drawn by `seed`.

    Shares are rounded down, but to no less than one image a class, and what is then missing (or too much) goes to
    (or from) the classes that are furthest from their exact share. Of each class at least `leave` images are not drawn.
    """
    classes, counts = labels.unique(return_counts=True)
    exact, most = counts.double() * num / len(labels), counts - leave
    least = int(num >= len(classes))
    quota = torch.minimum(exact.floor().long().clamp(min=least), most)
    while int(quota.sum()) != num:
        if int(quota.sum()) < num:
            quota[torch.where(quota < most, exact - quota, -torch.inf).argmax()] += 1
        else:
            quota[torch.where(quota > least, quota - exact, -torch.inf).argmax()] -= 1
    return draw_by_quota(labels, dict(zip(classes.tolist(), quota.tolist(), strict=True)), seed)


def draw_per_class(labels: Tensor, per_class: int, seed: int) -> Tensor:
    """`per_class` indices of each class in `labels` [N], ascending, drawn by `seed`.

    Raises:
        NetgazeError: a class has fewer images.
    """
    classes, counts = labels.unique(return_counts=True)
    if not 1 <= per_class <= int(counts.min()):
        raise NetgazeError(
            f"data.per_class={per_class} must be from 1 to {int(counts.min())}, the size of the smallest class."
        )
    return draw_by_quota(labels, {int(label): per_class for label in classes}, seed)


def draw_by_quota(labels: Tensor, quotas: dict[int, int], seed: int) -> Tensor:
    """So many indices of each class, by its label, into `labels` [N], ascending, drawn by `seed`."""
    generator = torch.Generator().manual_seed(seed)
    chosen = []
    for label, share in quotas.items():
        members = (labels == label).nonzero().flatten()
        chosen.append(members[torch.randperm(len(members), generator=generator)[:share]])
    return torch.cat(chosen).sort().values if chosen else torch.zeros(0, dtype=torch.int64)


def hold_out(labels: Tensor, num: int, seed: int, key: str) -> tuple[Tensor, Tensor]:
    """Divide off `num` of the images by class share: the indices that stay [N-num], and those held out [num].

    A class's only image stays.

    Raises:
        NetgazeError: that leaves a class of several images without one on either side; `key` names the setting.
    """
    classes, counts = labels.unique(return_counts=True)
    shared = torch.isin(labels, classes[counts > 1]).nonzero().flatten()
    num_shared = int((counts > 1).sum())
    if not num_shared:
        raise NetgazeError(
            f"{key}: each class has a single image, which cannot be on both sides. Give them more, or images of their "
            "own to validate and to test on."
        )
    if not num_shared <= num <= len(shared) - num_shared:
        raise NetgazeError(
            f"{key}={num} must leave at least one image for each of the {num_shared} classes on both sides, of "
            f"{len(labels)} images: from {num_shared} to {len(shared) - num_shared}."
        )
    out = shared[draw_stratified(labels[shared], num, seed, leave=1)]
    stays = torch.ones(len(labels), dtype=torch.bool)
    stays[out] = False
    return stays.nonzero().flatten(), out


def fit_share(labels: Tensor, num: int) -> int:
    """The number next to `num` that `hold_out` can divide off `labels` [N]: it takes one a class, and leaves it one."""
    counts = labels.unique(return_counts=True)[1]
    able = counts[counts > 1]
    return int(min(max(num, len(able)), int(able.sum()) - len(able)))


def draw_fraction(labels: Tensor, share: float, seed: int) -> Tensor:
    """Indices of a share of `labels` [N], the same of each class, ascending, drawn by `seed`; see `stratified`.

    Raises:
        NetgazeError: the share is not between 0 and 1, or leaves a class without an image.
    """
    if not 0 < share < 1:
        raise NetgazeError(f"data.labeled_fraction={share} must be above 0 and below 1, or null for all.")
    num, num_classes = round(share * len(labels)), len(labels.unique())
    if num < num_classes:
        raise NetgazeError(
            f"data.labeled_fraction={share} keeps the labels of {num} of {len(labels)} training images, fewer than one "
            f"for each of the {num_classes} classes. Give more."
        )
    return draw_stratified(labels, num, seed)


def find_others(index: Tensor, num: int) -> Tensor:
    """What `index` leaves out of 0 .. num - 1, ascending."""
    stays = torch.ones(num, dtype=torch.bool)
    stays[index] = False
    return stays.nonzero().flatten()


def draw_long_tailed(labels: Tensor, ratio: float, seed: int) -> Tensor:
    """Indices into `labels` [N] whose classes get rarer and rarer, ascending, drawn by `seed`.

    Class c of C, in the order of the labels, keeps n * ratio^(-c / (C - 1)) images, rounded down but one at least: the
    exponential profile of Cui et al. 2019 (arXiv 1901.05555). There all classes are alike before; here n is the number
    of the smallest class's images, so that the profile is the same whatever the others had.

    Raises:
        NetgazeError: the ratio of the largest class to the smallest is less than 1.
    """
    if not ratio >= 1:
        raise NetgazeError(
            f"data.long_tail={ratio} must be 1 or more: so many times as many images has the first class as the last."
        )
    classes, counts = labels.unique(return_counts=True)
    steps = torch.arange(len(classes), dtype=torch.float64) / max(1, len(classes) - 1)
    exact = int(counts.min()) * ratio**-steps
    kept = (exact + 1e-6).floor().long().clamp(min=1)  # 98 / 49 may come out as 1.9999999
    return draw_by_quota(labels, dict(zip(classes.tolist(), kept.tolist(), strict=True)), seed)


def redraw_labels(labels: Tensor, share: float, seed: int) -> Tensor:
    """`labels` [N] with round(share * N) of them, chosen at random, drawn anew from all labels, by `seed`.

    Mahajan et al. 2018 (arXiv 1805.00932) replace hashtags so: classes stay as frequent as they were, and some of the
    redrawn labels are by chance what they had been.

    Raises:
        NetgazeError: the share is not from 0 to 1.
    """
    if not 0 <= share <= 1:
        raise NetgazeError(f"data.label_noise={share} must be from 0 to 1.")
    # Not torch's generator: the same seed gives the order of the training batches, whose first would be the wrong ones.
    rng = np.random.default_rng(seed)
    chosen = torch.from_numpy(rng.permutation(len(labels))[: round(share * len(labels))])
    noisy = labels.clone()
    noisy[chosen] = labels[torch.from_numpy(rng.integers(len(labels), size=len(chosen)))]
    return noisy
