"""Numbers that evaluate a network by its predictions and features."""

from collections.abc import Mapping

import torch
from torch import Tensor

from netgaze.measures.neighbors import find_nearest

_AT_ONCE = 2**22  # votes that are held at a time: every query has one for each class

# Test errors in percent that are worth no points: twice those of the challenge's finetuned networks.
DECATHLON_ERRORS = {
    "aircraft": 79.32,
    "cifar100": 35.76,
    "daimlerpedcls": 14.36,
    "dtd": 88.94,
    "gtsrb": 4.94,
    "imagenet12": 80.26,
    "omniglot": 24.62,
    "svhn": 6.90,
    "ucf101": 97.60,
    "vgg-flowers": 37.18,
}


def score_decathlon(errors: Mapping[str, float]) -> dict[str, float]:
    """Points of the Visual Decathlon (Rebuffi, Bilen and Vedaldi 2017); its score is their sum over the ten sets.

    alpha * max(0, E_max - E)^2 with alpha = 1000 / E_max^2: 1000 for no error, 250 for that of the finetuned baseline,
    0 from E_max on, twice the baseline's. E_max is taken from the published accuracies, which have two digits.

    Args:
        errors: on the official test by set, 0..1.

    Returns:
        Points by set, 0..1000.

    Raises:
        ValueError: an unknown set, or an error that is no share.
    """
    for name, error in errors.items():
        if name not in DECATHLON_ERRORS:
            raise ValueError(f"expected one of {', '.join(DECATHLON_ERRORS)}, got {name}")
        if not 0 <= error <= 1:
            raise ValueError(f"expected an error of 0..1 for {name}, got {error}")
    return {
        name: 1000 / DECATHLON_ERRORS[name] ** 2 * max(0.0, DECATHLON_ERRORS[name] - 100 * error) ** 2
        for name, error in errors.items()
    }


def classification_metrics(logits: Tensor, targets: Tensor) -> dict[str, float]:
    """Accuracy in the ways that papers define it, without memory of the logits' size.

    torchmetrics counts each class by a confusion matrix, and with deterministic algorithms by N of them at once.

    Args:
        logits: [N,K].
        targets: int64 [N].

    Returns:
        `acc` (micro: share of all examples), `acc_macro` (mean over the classes that occur), both 0..1, and `top5`
        where K > 5.
    """
    right = logits.argmax(dim=1) == targets
    examples = targets.bincount()
    recalls = targets[right].bincount(minlength=len(examples)) / examples
    numbers = {"acc": right.sum() / len(right), "acc_macro": recalls[examples > 0].mean()}
    if logits.shape[1] > 5:
        numbers["top5"] = (logits.topk(5, dim=1).indices == targets[:, None]).sum() / len(right)
    return {name: float(value) for name, value in numbers.items()}


def vote_weighted(similarities: Tensor, labels: Tensor, num_classes: int, temperature: float = 0.07) -> Tensor:
    """The class with the most votes of the neighbors, each weighing exp(similarity / T) (Wu et al. 2018), [Q].

    Args:
        similarities: of the neighbors, [Q,k].
        labels: of the neighbors, int64 [Q,k].
        num_classes: K.
        temperature: T.
    """
    some = max(1, _AT_ONCE // num_classes)
    parts = zip(similarities.split(some), labels.split(some), strict=True)
    return torch.cat([weigh_votes(*part, num_classes, temperature).argmax(dim=1) for part in parts])


def weigh_votes(similarities: Tensor, labels: Tensor, num_classes: int, temperature: float = 0.07) -> Tensor:
    """The votes of the neighbors for each class, each weighing exp(similarity / T), float64 [Q,K]; see `vote_weighted`.

    Args:
        similarities: of the neighbors, [Q,k].
        labels: of the neighbors, int64 [Q,k].
        num_classes: K.
        temperature: T.
    """
    votes = torch.zeros(len(labels), num_classes, dtype=torch.float64)
    return votes.scatter_add_(1, labels, (similarities.double() / temperature).exp())


def knn_accuracy(
    train_features: Tensor,
    train_labels: Tensor,
    features: Tensor,
    labels: Tensor,
    ks: tuple[int, ...] = (20, 200),
    temperature: float = 0.07,
    leave_out_self: bool = False,
) -> dict[str, float]:
    """Weighted kNN accuracy with cosine similarity: `knn<k>` in 0..1 for each k that the bank can fill.

    Args:
        train_features: the bank, [N,D].
        train_labels: the bank's classes, int64 [N].
        features: the queries, [Q,D].
        labels: the queries' true classes, int64 [Q].
        ks: numbers of neighbors.
        temperature: of the vote's weights.
        leave_out_self: the queries are the bank; none finds itself.
    """
    room = len(train_labels) - int(leave_out_self)
    ks = tuple(k for k in ks if k <= room)
    if not ks:
        return {}
    num_classes = int(max(train_labels.max(), labels.max())) + 1
    similarities, index = find_nearest(features, train_features, max(ks), leave_out_self=leave_out_self)
    return {
        f"knn{k}": float(
            (vote_weighted(similarities[:, :k], train_labels[index[:, :k]], num_classes, temperature) == labels)
            .double()
            .mean()
        )
        for k in ks
    }
