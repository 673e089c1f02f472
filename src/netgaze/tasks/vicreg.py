"""VICReg (Bardes, Ponce and LeCun 2022, arXiv 2105.04906): views alike, dimensions in use and uncorrelated."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn
from torch.optim import Optimizer

from netgaze.errors import NetgazeError
from netgaze.measures.losses import vicreg_terms
from netgaze.tasks.two_views import Compared, TwoViews


class VICReg(TwoViews):
    """Draw two views together while each dimension of their projections keeps a variance, and covaries with no other.

    Its terms tell a collapse: `variance` near 1 says that all projections are one, `covariance` that they lie along
    few directions. They stand among a run's numbers, unweighted.

    Args:
        model, num_classes, optimizer, schedule, projector: see `TwoViews`.
        invariance_weight, variance_weight, covariance_weight: of the three terms; the paper's 25, 25 and 1 are for an
            optimizer to which the size of a loss does not matter, and stand here over 25.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        num_classes: int,
        optimizer: Callable[..., Optimizer],
        schedule: Callable[[float, float], float],
        projector: Sequence[int] = (512, 512, 512),
        invariance_weight: float = 1.0,
        variance_weight: float = 1.0,
        covariance_weight: float = 0.04,
    ):
        super().__init__(
            model=model, num_classes=num_classes, optimizer=optimizer, schedule=schedule, projector=projector
        )
        self.weights = {"invariance": invariance_weight, "variance": variance_weight, "covariance": covariance_weight}
        for name, weight in self.weights.items():
            if weight < 0:
                raise NetgazeError(f"task.{name}_weight={weight} must be 0 or more.")

    def compare(self, embedded: Tensor, labels: Tensor) -> Compared:
        """The weighted sum of the three terms of projections [B,2,P], and these."""
        terms = dict(zip(self.weights, vicreg_terms(embedded[:, 0], embedded[:, 1]), strict=True))
        loss = sum((weight * terms[name] for name, weight in self.weights.items()), embedded.new_zeros(()))
        return loss, {name: term.detach() for name, term in terms.items()}
