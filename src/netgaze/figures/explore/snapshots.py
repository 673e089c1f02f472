"""Where images lay during training, and what the network predicted."""

import logging
from collections.abc import Mapping

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from netgaze.files import cached_arrays, digest
from netgaze.measures.metrics import weigh_votes
from netgaze.measures.neighbors import find_nearest
from netgaze.measures.planes import QUICK, embed
from netgaze.subject import Subject

log = logging.getLogger(__name__)

_K = 10


def place_snapshots(subject: Subject, found: Mapping[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
    """The `epochs` [S] of a run's snapshots, with `epoch_planes` [S,N,2], `epoch_classes` and `epoch_shares` [S,N].

    From the last epoch backward, the map of each epoch starts from that of the next, so that an image moves little
    unless its neighbors change. For a network that does not predict the data's classes the ten nearest other images
    vote.

    Args:
        subject: nothing is returned for one without snapshots.
        found: arrays of its finding.
        seed: of the maps.
    """
    kept = subject.snapshots
    if kept is None:
        return {}
    place = {image: number for number, image in enumerate(kept.index.tolist())}
    if found["splits"].tolist() != ["test"] or not set(found["index"].tolist()) <= set(place):
        log.warning("explore shows other images than those of the snapshots of %s, which are left out.", subject.label)
        return {}
    rows = np.array([place[image] for image in found["index"].tolist()])
    key = digest(kept.digest, found["plane"], found["index"], found["labels"], seed, vars(QUICK))

    def make() -> dict[str, np.ndarray]:
        return _place(kept.features[:, rows].astype(np.float32), found["plane"], seed)

    planes = cached_arrays("planes", key, make)["planes"]
    answers, shares = kept.answers[:, rows], kept.shares[:, rows]
    if (answers < 0).any():
        answers, shares = _vote(kept.features[:, rows], found["labels"], len(found["names"]))
    return {"epochs": kept.epochs, "epoch_planes": planes, "epoch_classes": answers, "epoch_shares": shares}


def _place(features: np.ndarray, plane: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Maps of features [S,N,D], the last one from the final map [N,2] on: [S,N,2]."""
    planes = []
    with threadpool_limits(1):
        for own in features[::-1]:
            plane = embed(own, seed, QUICK, start=plane)
            planes.append(plane)
    return {"planes": np.stack(planes[::-1])}


def _vote(features: np.ndarray, labels: np.ndarray, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Votes of the nearest others for images with features [S,N,D]: classes and their shares, [S,N] each."""
    known, found = torch.from_numpy(labels), []
    for own in torch.from_numpy(features.astype(np.float32)):
        similar, near = find_nearest(own, own, min(_K, len(own) - 1), leave_out_self=True)
        votes = weigh_votes(similar, known[near], num_classes)
        found.append((votes / votes.sum(dim=1, keepdim=True)).max(dim=1))
    return torch.stack([each.indices for each in found]).numpy(), torch.stack([each.values for each in found]).numpy()
