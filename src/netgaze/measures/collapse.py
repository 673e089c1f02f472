"""Whether features are informative: their spread, their number of directions, and the distance of views.

A network with the same features for every image has collapsed; one that varies along few directions has in part.
Letters: N images, D features.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

_TINY = 1e-7  # RankMe's epsilon
_FITTED = (10, 100)  # ranks of eigenvalues among which their decay is measured


@torch.no_grad()
def embedding_std(embeddings: Tensor) -> Tensor:
    """The spread of embeddings, 0 in a collapse: a number to log, without gradient.

    sqrt(D) times the mean over the dimensions of the standard deviation (that of a population) of f / |f| over the
    batch, after Chen and He 2021 (SimSiam, figure 2), times sqrt(D) so that every D has one scale.

    Args:
        embeddings: of any length, [B,D].

    Returns:
        [], 0..1: about 1 where directions are spread evenly, 0 where all are one.
    """
    return F.normalize(embeddings).std(dim=0, correction=0).mean() * embeddings.shape[1] ** 0.5


def effective_rank(features: Tensor) -> float:
    """RankMe (Garrido et al. 2023, arXiv 2210.02885): exp of the entropy of the singular values, 1..min(N,D).

    exp(-sum_k p_k log p_k), p_k = s_k / sum s + 1e-7. The paper takes features [N,D] as they are, about 25,600 of them;
    where all are positive, their mean is the largest direction by far: of centered ones it says along how many
    directions they differ. It can be no more than N, so compare at one N and one D.
    """
    values = singular_values(features)
    shares = values / values.sum() + _TINY
    return float((-shares * shares.log()).sum().exp())


def singular_values(features: Tensor) -> Tensor:
    """Of features [N,D], the largest first, float64 [min(N,D)], by the eigenvalues of the smaller product."""
    rows = features.double()
    product = rows.T @ rows if rows.shape[1] <= rows.shape[0] else rows @ rows.T
    return torch.linalg.eigvalsh(product).flip(0).clamp(min=0).sqrt()


def covariance_eigenvalues(features: Tensor) -> Tensor:
    """Of the covariance of features [N,D], the largest first, float64 [min(N,D)]."""
    return singular_values(features.double() - features.double().mean(dim=0)).square() / max(1, len(features) - 1)


def fit_decay(eigenvalues: Tensor) -> float:
    """The exponent a of a power law n^-a through eigenvalues, the largest first: of natural images about 1.

    Least squares in the logarithms over ranks 10 to 100 (Stringer et al. 2019 fit 11 to 500); NaN where there are not
    three positive ones among these.
    """
    first, last = _FITTED
    values = eigenvalues[first - 1 : last]
    values = values[values > 1e-12 * eigenvalues[0]]
    if len(values) < 3:
        return float("nan")
    across = torch.arange(first, first + len(values), dtype=torch.float64).log()
    across, up = across - across.mean(), values.log() - values.log().mean()
    return float(-(across * up).sum() / across.square().sum())


def alignment(first: Tensor, second: Tensor) -> float:
    """The mean squared distance of two views' directions (Wang and Isola 2020), 0..4: features [N,D] of each.

    0 if the views of an image have equal features; 2 if they are unrelated.
    """
    return float((F.normalize(first, dim=1) - F.normalize(second, dim=1)).square().sum(dim=1).mean())


def uniformity(features: Tensor) -> float:
    """Log of the mean over pairs i < j of exp(-2 |f_i - f_j|^2), f on the unit sphere (Wang and Isola 2020), -4..0.

    0 where all features [N,D] point in one direction; about -4 where they point in all alike, in many dimensions.
    """
    distances = F.pdist(F.normalize(features.double(), dim=1)).square()
    return float((-2 * distances).exp().mean().log())
