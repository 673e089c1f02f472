"""SimCLR (Chen, Kornblith, Norouzi and Hinton 2020, arXiv 2002.05709): find the other view of the same image."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn
from torch.optim import Optimizer

from netgaze.errors import NetgazeError
from netgaze.measures.losses import nt_xent
from netgaze.tasks.two_views import Compared, TwoViews


class SimCLR(TwoViews):
    """Find the other view of an image among all views of the batch, by the cosine of their projections.

    Args:
        model, num_classes, optimizer, schedule, projector: see `TwoViews`.
        temperature: of the softmax over cosines, above 0; the paper's best is 0.5 on CIFAR-10.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        num_classes: int,
        optimizer: Callable[..., Optimizer],
        schedule: Callable[[float, float], float],
        projector: Sequence[int] = (512, 512, 128),
        temperature: float = 0.5,
    ):
        super().__init__(
            model=model, num_classes=num_classes, optimizer=optimizer, schedule=schedule, projector=projector
        )
        if temperature <= 0:
            raise NetgazeError(f"task.temperature={temperature} must be above 0.")
        self.temperature = temperature

    def compare(self, embedded: Tensor, labels: Tensor) -> Compared:
        """NT-Xent of projections [B,2,P]."""
        return nt_xent(embedded[:, 0], embedded[:, 1], self.temperature), {}
