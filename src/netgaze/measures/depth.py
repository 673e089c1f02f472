"""Prediction depth: the layer from which on an image's neighbors vote for the network's prediction."""

import torch
from torch import Tensor


def find_depths(votes: Tensor, answers: Tensor) -> Tensor:
    """The first layer from which on all neighbors' votes equal the prediction (Baldock et al. 2021), int64 [N], 0..L.

    L if that of the last layer does not.

    Args:
        votes: the class that an image's neighbors vote for at each layer, shallow to deep, [L,N].
        answers: the network's predictions, [N].
    """
    agrees = (votes == answers).flip(0).long()
    return len(votes) - torch.cumprod(agrees, dim=0).sum(dim=0)
