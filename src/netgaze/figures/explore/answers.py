"""Predictions for images: by the head, by neighbors, and of classes other than the data's."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from netgaze.measures.metrics import weigh_votes
from netgaze.measures.neighbors import find_nearest
from netgaze.passes import Outputs
from netgaze.subject import Subject

_K = 20
_MOST = 10  # classes of an image, the most likely


def ask(subject: Subject, rows: Mapping[str, np.ndarray], labels: Tensor) -> dict[str, np.ndarray]:
    """Predictions: `<kind>_classes` [N,k] and `<kind>_shares` [N,k], the most likely first, and `<kind>_loss` [N].

    The kinds are `head`, if the network predicts the data's classes; `own`, if it predicts others, without a loss and
    with `own_names`; `vote`, if the training split has images of these classes.

    Args:
        subject: the network.
        rows: the images, by split.
        labels: of these, [N].
    """
    found: dict[str, np.ndarray] = {}
    if not subject.pixels and not subject.lacks(("classes",)):
        outputs = [_take(subject.class_outputs(split), own) for split, own in rows.items()]
        kind = "head" if subject.names_classes else "own"
        found |= _keep_likeliest(kind, np.concatenate([some.probabilities for some in outputs]))
        if kind == "head":
            found["head_loss"] = np.concatenate([some.losses for some in outputs])
        else:
            found["own_names"] = np.array(subject.task.class_names)
    if not subject.lacks(("known classes",)):
        shares = _vote(subject, rows)
        found |= _keep_likeliest("vote", shares)
        own = shares[np.arange(len(labels)), labels.numpy()]
        found["vote_loss"] = -np.log((own * _K + 1 / _K) / (_K + shares.shape[1] / _K))
    return found


def _take(outputs: Outputs, rows: np.ndarray) -> Outputs:
    return Outputs(outputs.logits[rows], outputs.targets[rows], outputs.index[rows])


def _vote(subject: Subject, rows: Mapping[str, np.ndarray]) -> np.ndarray:
    """The share of the votes that each class has, [N,K]; training images do not vote on themselves."""
    bank, known, votes = subject.bank("train"), subject.data.labels("train"), []
    for split, own in rows.items():
        is_bank = split == "train"
        found = find_nearest(
            subject.bank(split)[own],
            bank,
            min(_K, len(bank) - is_bank),
            leave_out_self=torch.from_numpy(own) if is_bank else False,
        )
        votes.append(weigh_votes(found[0], known[found[1]], len(subject.data.class_names)))
    every = torch.cat(votes)
    return (every / every.sum(dim=1, keepdim=True)).numpy()


def _keep_likeliest(kind: str, shares: np.ndarray) -> dict[str, np.ndarray]:
    order = np.argsort(-shares, axis=1, kind="stable")[:, :_MOST]
    return {f"{kind}_classes": order, f"{kind}_shares": np.take_along_axis(shares, order, axis=1)}
