"""A linear map of embeddings, in closed form, that removes the variation within a person."""

import torch
from torch import Tensor


def solve_whitening(embeddings: Tensor, labels: Tensor, shrinkage: float) -> tuple[Tensor, Tensor]:
    """The whitening of what varies within classes (WCCN: Hatch, Kajarekar and Stolcke 2006).

    z = (x - mean) (W + shrinkage * tr(W)/D * I)^(-1/2), W the mean over all images of the covariance about their own
    class. The Euclidean distance of z is then a Mahalanobis distance, which weighs each direction by how little it
    varies within a class: the step from eigenfaces to fisherfaces (Belhumeur et al. 1997), less their choice of
    directions between classes. Deviations: Hatch et al. give every class the same weight, here every image has; the
    shrinkage towards a multiple of the identity is ours.

    Args:
        embeddings: of the training classes, [N,D].
        labels: int64 [N].
        shrinkage: above 0, so that directions in which nothing varies do not count for everything.

    Returns:
        (mean [D], map [D,D]), float64: z = (x - mean) @ map.

    Raises:
        ValueError: shrinkage is not above 0, or nothing varies within a class.
    """
    if shrinkage <= 0:
        raise ValueError(f"expected a shrinkage above 0, got {shrinkage}")
    values = embeddings.double()
    members = labels.unique(return_inverse=True)[1]
    counts = members.bincount()
    means = values.new_zeros(len(counts), values.shape[1]).index_add(0, members, values) / counts[:, None]
    within = values - means[members]
    covariance = within.T @ within / len(within)
    scale = covariance.diagonal().mean()
    if not scale > 0:
        raise ValueError("expected embeddings that vary within a class")
    covariance.diagonal().add_(shrinkage * scale)
    variances, directions = torch.linalg.eigh(covariance)
    return values.mean(dim=0), directions / variances.sqrt() @ directions.T
