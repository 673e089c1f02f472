"""Losses between views of images: each draws the views of an image together, and has its own way against collapse.

A network collapses when it gives every image the same answer, which draws views together perfectly. Letters: B images,
V views, M = V B views of all of them, D numbers of a projection.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

_KNOTS, _FARTHEST = 17, 3.0  # where characteristic functions are compared: 0..3


def nt_xent(first: Tensor, second: Tensor, temperature: float = 0.5) -> Tensor:
    """SimCLR's loss (Chen et al. 2020, arXiv 2002.05709): which of all other views is of the same image?

    -log(exp(s_ij / T) / sum_{k != i} exp(s_ik / T)) for the views i and j of an image, s their cosine, the mean over
    all 2B views. Of equal projections it is log(2B - 1).

    Args:
        first: projections of a view of each image, [B,D].
        second: those of another view of the same images, [B,D].
        temperature: T, above 0.
    """
    own = torch.arange(len(first), device=first.device)
    return sup_con(torch.cat([first, second]), torch.cat([own, own]), temperature)


def sup_con(projections: Tensor, labels: Tensor, temperature: float = 0.1) -> Tensor:
    """The supervised contrastive loss, L_out (Khosla et al. 2020, arXiv 2004.11362): views of a class belong together.

    The mean over the views i of -1/|P(i)| sum_{p in P(i)} log(exp(s_ip / T) / sum_{a != i} exp(s_ia / T)), P(i) the
    other views with the label of i, s the cosine. With a label for each image it is SimCLR's loss.

    Args:
        projections: [M,D].
        labels: of the views, int64 [M]; one that no other view shares counts 0.
        temperature: T, above 0.
    """
    unit = F.normalize(projections, dim=1)
    itself = torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    scores = (unit @ unit.T / temperature).masked_fill(itself, -torch.inf)
    positive = (labels[:, None] == labels) & ~itself
    surprise = (scores.logsumexp(dim=1, keepdim=True) - scores).masked_fill(~positive, 0.0)
    return (surprise.sum(dim=1) / positive.sum(dim=1).clamp(min=1)).mean()


def vicreg_terms(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """VICReg's three terms (Bardes, Ponce and LeCun 2022, arXiv 2105.04906), of projections of any length.

    Invariance: the mean squared distance of two views, over images and dimensions. Variance: the mean over dimensions
    of max(0, 1 - sqrt(Var + 1e-4)), averaged over the two views, as the authors' program does. Covariance: the sum of
    squared covariances of different dimensions, over D, summed over the two views, as there. Where all projections
    are one, variance is 0.99, and the others are 0.

    Args:
        first: projections of a view of each image, [B,D], B at least 2.
        second: those of another view of the same images, [B,D].
    """
    views = torch.stack([first, second])
    centered = views - views.mean(dim=1, keepdim=True)
    covariance = centered.mT @ centered / (views.shape[1] - 1)
    variances = covariance.diagonal(dim1=1, dim2=2)
    others = covariance.square().sum(dim=(1, 2)) - variances.square().sum(dim=1)
    return F.mse_loss(first, second), F.relu(1 - (variances + 1e-4).sqrt()).mean(), others.sum() / views.shape[2]


def byol_regression(predictions: Tensor, targets: Tensor) -> Tensor:
    """BYOL's loss (Grill et al. 2020, arXiv 2006.07733): 2 - 2 cos(prediction, target), 0..4, the mean over images.

    The paper's is the sum of this for both orders of two views; no gradient goes to the targets.

    Args:
        predictions: of the target's projections of the other view, [B,D].
        targets: [B,D].
    """
    return 2 - 2 * F.cosine_similarity(predictions, targets.detach(), dim=1).mean()


def center_distance(projections: Tensor) -> Tensor:
    """LeJEPA's invariance: the mean squared difference of views [V,B,D] from the mean of their image's views."""
    return (projections - projections.mean(dim=0)).square().mean()


def sigreg(projections: Tensor, directions: Tensor) -> Tensor:
    """Sketched isotropic Gaussian regularization (Balestriero and LeCun 2025, arXiv 2511.08544).

    Along each direction the empirical characteristic function of N projected rows is held against that of a standard
    normal, exp(-t^2 / 2): the Epps-Pulley statistic N int |phi_N(t) - phi(t)|^2 exp(-t^2 / 2) dt, by the trapezoid rule
    over 17 knots in 0..3, twice, as the integrand is even. The mean over directions. Of normal rows it is about 1,
    whatever N; of rows that are all one it grows with N.

    Args:
        projections: [N,D].
        directions: unit vectors as columns, [D,S].
    """
    knots = torch.linspace(0, _FARTHEST, _KNOTS, device=projections.device, dtype=projections.dtype)
    normal = (-knots.square() / 2).exp()
    weights = torch.full_like(knots, 2 * _FARTHEST / (_KNOTS - 1))
    weights[:: _KNOTS - 1] /= 2
    angles = (projections @ directions).unsqueeze(2) * knots
    misses = (angles.cos().mean(dim=0) - normal).square() + angles.sin().mean(dim=0).square()
    return len(projections) * (misses @ (weights * normal)).mean()


def draw_directions(num_dims: int, num: int, device: torch.device | str = "cpu") -> Tensor:
    """Unit vectors in all directions alike, as columns [D,num]; from the global generator of the device."""
    return F.normalize(torch.randn(num_dims, num, device=device), dim=0)
