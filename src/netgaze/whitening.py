"""What a linear map can do for embeddings, in closed form: forget how images of one person differ."""

import torch
from torch import Tensor


def within_class_whitening(
    embeddings: Tensor, labels: Tensor, num_dims: int, shrinkage: float = 0.1
) -> tuple[Tensor, Tensor]:
    """Principal components, and on them the whitening of what varies within classes (WCCN, Hatch et al. 2006).

    z = (x - mean) P (W + shrinkage * tr(W)/k * I)^(-1/2), P the k first principal components and W the mean over all
    images of the covariance about their own class. The Euclidean distance of z is then the Mahalanobis distance that
    weighs each direction by how little it varies within a class. It is the classic step from eigenfaces to fisherfaces
    (Belhumeur et al. 1997), less the choice of directions between classes. Deviations: Hatch et al. give every class
    the same weight, here every image has; the shrinkage towards a multiple of the identity is ours.

    Args:
        embeddings: of the training classes, [N,D].
        labels: int64 [N].
        num_dims: k, at most N - 1 and D.
        shrinkage: 0..1 and more.

    Returns:
        (mean [D], projection [D,k]): z = (x - mean) @ projection.

    Raises:
        ValueError: num_dims is too large.
    """
    values = embeddings.double()
    mean = values.mean(dim=0)
    centred = values - mean
    if not 1 <= num_dims <= min(len(values) - 1, values.shape[1]):
        most = min(len(values) - 1, values.shape[1])
        raise ValueError(
            f"expected 1 to {most} dimensions for {len(values)} embeddings [{values.shape[1]}], got {num_dims}"
        )
    # By the smaller of the two products: of a few hundred images with thousands of dimensions that of the images.
    if len(values) < values.shape[1]:
        variances, vectors = torch.linalg.eigh(centred @ centred.T)
        components = centred.T @ (vectors[:, -num_dims:] / variances[-num_dims:].clamp(min=1e-12).sqrt())
    else:
        components = torch.linalg.eigh(centred.T @ centred)[1][:, -num_dims:]
    reduced = centred @ components
    classes, members = labels.unique(return_inverse=True)
    sums = torch.zeros(len(classes), num_dims, dtype=values.dtype, device=values.device).index_add(0, members, reduced)
    within = reduced - (sums / members.bincount()[:, None])[members]
    covariance = within.T @ within / len(within)
    covariance += (
        shrinkage * covariance.diagonal().mean() * torch.eye(num_dims, dtype=values.dtype, device=values.device)
    )
    spread, directions = torch.linalg.eigh(covariance)
    return mean, components @ directions / spread.sqrt()
