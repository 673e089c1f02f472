"""Numbers from attention weights: roll-out through the layers, mean distance, entropy."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor


def roll_out(layers: Iterable[Tensor], read: Tensor) -> Tensor:
    """The share of each input token in what the network reads, [B,T]: rows that sum to 1.

    Attention roll-out (Abnar and Zuidema 2020): the heads' weights are averaged, and as a layer's output is added to
    its input, each layer is taken for half attention, half identity; rows are made to sum to 1 again, and the layers
    multiplied. The paper reads the class token's row; here it is the mean of the rows of all tokens that are read.

    Args:
        layers: weights of each layer, the first one first, [B,H,T,T]: a query's row over the keys.
        read: whether what comes after the last layer reads a token, bool [T], at least one.
    """
    rolled: Tensor | None = None
    for weights in layers:
        mean = weights.mean(dim=1)
        mixed = 0.5 * mean + 0.5 * torch.eye(mean.shape[-1], device=mean.device)
        mixed = mixed / mixed.sum(dim=-1, keepdim=True)
        rolled = mixed if rolled is None else mixed @ rolled
    if rolled is None:
        raise ValueError("expected at least one layer, got none")
    return rolled[:, read].mean(dim=1)


def measure_distance(weights: Tensor, side: int, pitch: float) -> Tensor:
    """Mean distance in pixels between the centers of a patch and those that it attends to, of each head, [B,H].

    As in Dosovitskiy et al. 2020 (figure 7): weighted by the attention, the mean over all patches. Weights on tokens
    before the patches are left out, and those on patches made to sum to 1.

    Args:
        weights: [B,H,T,T]; the last side * side tokens are the patches, row by row.
        side: of the grid of patches.
        pitch: pixels from patch to patch.
    """
    num = side * side
    among = weights[..., -num:, -num:]
    among = among / among.sum(dim=-1, keepdim=True)
    places = torch.cartesian_prod(*2 * [torch.arange(side, device=weights.device)]).view(num, 2) * pitch
    distances = torch.cdist(places.float(), places.float(), compute_mode="donot_use_mm_for_euclid_dist")
    return (among * distances).sum(dim=-1).mean(dim=-1)


def measure_entropy(weights: Tensor) -> Tensor:
    """Entropy of the attention of a token relative to an even one, of each head, [B,H]: 1 if even, 0 if on one token.

    Args:
        weights: [B,H,T,T], of two tokens or more; the mean is over the rows.
    """
    return torch.special.entr(weights).sum(dim=-1).mean(dim=-1) / math.log(weights.shape[-1])
