"""LeJEPA (Balestriero and LeCun 2025, arXiv 2511.08544): views alike, projections normally distributed.

Experimental: written from the paper alone. Of the two conventions in use the loss here is (1 - w) invariance +
w SIGReg, not invariance + w SIGReg.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from netgaze.errors import NetgazeError
from netgaze.gathering import share_from_main
from netgaze.measures.losses import center_distance, draw_directions, sigreg
from netgaze.tasks.two_views import Compared, TwoViews


class LeJEPA(TwoViews):
    """Draw views to their image's mean while their projections look normal from every direction; no negatives, no copy.

    `sigreg` near 1 is a normal cloud, and large where projections collapse.

    Args:
        model, num_classes, optimizer, schedule, projector: see `TwoViews`.
        sigreg_weight: w, 0..1, the paper's lambda.
        num_directions: random projections on which normality is tested, drawn in each step.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        num_classes: int,
        optimizer: Callable[..., Optimizer],
        schedule: Callable[[float, float], float],
        projector: Sequence[int] = (512, 512, 64),
        sigreg_weight: float = 0.05,
        num_directions: int = 256,
    ):
        super().__init__(
            model=model, num_classes=num_classes, optimizer=optimizer, schedule=schedule, projector=projector
        )
        if not 0 <= sigreg_weight <= 1:
            raise NetgazeError(f"task.sigreg_weight={sigreg_weight} must be from 0 to 1.")
        if num_directions < 1:
            raise NetgazeError(f"task.num_directions={num_directions} must be 1 or more.")
        self.sigreg_weight, self.num_directions = sigreg_weight, num_directions

    def compare(self, embedded: Tensor, labels: Tensor) -> Compared:
        """The weighted sum of the two terms of projections [B,2,P], and these; SIGReg is the mean over the views."""
        directions = self._choose_directions(embedded)
        views = embedded.unbind(1)
        terms = {
            "invariance": center_distance(torch.stack(views)),
            "sigreg": torch.stack([sigreg(view, directions) for view in views]).mean(),
        }
        loss = (1 - self.sigreg_weight) * terms["invariance"] + self.sigreg_weight * terms["sigreg"]
        return loss, {name: term.detach() for name, term in terms.items()}

    def _choose_directions(self, embedded: Tensor) -> Tensor:
        """New ones in training, the same for all processes; else the same ones in every epoch."""
        if self.training:
            return share_from_main(draw_directions(self.width, self.num_directions, embedded.device))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return draw_directions(self.width, self.num_directions).to(embedded.device)
