"""Prediction depth: from which layer on an image's neighbors give the network's answer."""

import torch
from torch import Tensor


def find_depths(votes: Tensor, answers: Tensor) -> Tensor:
    """The first layer from which on all layers' neighbors agree with the answer (Baldock et al. 2021), int64 [N], 0..L.

    L where those of the last layer do not.

    Args:
        votes: the class that an image's neighbors give it at each layer, shallow to deep, [L,N].
        answers: the network's, [N].
    """
    agrees = (votes == answers).flip(0).long()
    return len(votes) - torch.cumprod(agrees, dim=0).sum(dim=0)
