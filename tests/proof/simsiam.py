"""SimSiam (Chen and He 2021, arXiv 2011.10566): two views of an image predict each other, and nothing is negative."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from netgaze.batch import Batch
from netgaze.measures.collapse import embedding_std
from netgaze.tasks.base import Task
from netgaze.tasks.step import Step


class SimSiam(Task):
    """loss = D(p1, z2) / 2 + D(p2, z1) / 2 with D(p, z) = -cos(p, stopgrad(z)); of one view D(p, z) of itself.

    Args:
        model, num_classes, optimizer, schedule: see `Task`.
        dim: outputs of the projector.
        monitor: the number that chooses the best epoch: `val/loss`, or one that a figure finds, as `val/knn20`.
    """

    num_views = 2
    classifies = False

    def __init__(
        self,
        *,
        model: nn.Module,
        num_classes: int,
        optimizer: Callable[..., Optimizer],
        schedule: Callable[[float, float], float],
        dim: int = 16,
        monitor: str = "val/loss",
    ):
        super().__init__(model=model, num_classes=num_classes, optimizer=optimizer, schedule=schedule)
        self.monitor, self.monitor_mode = monitor, "min" if monitor.endswith("/loss") else "max"
        size: int = model.head_hidden_size  # type: ignore[assignment]
        self.projector = nn.Sequential(nn.Linear(size, dim, bias=False), nn.BatchNorm1d(dim))
        self.predictor = nn.Sequential(nn.Linear(dim, dim // 2), nn.ReLU(), nn.Linear(dim // 2, dim))

    def loss(self, batch: Batch) -> Step:
        """How badly each view's prediction fits the other's projection, -1..1; no outputs: there is nothing to name."""
        first, second = (self.project(batch.views[place]) for place in (0, -1))
        loss = (self.distance(first, second) + self.distance(second, first)) / 2
        return Step(loss, numbers={"embedding_std": embedding_std(first)})

    def project(self, images: Tensor) -> Tensor:
        """[B,C,H,W] -> z [B,dim]."""
        maps = self.model.forward_features(images)  # type: ignore[operator]
        return self.projector(self.model.forward_head(maps, pre_logits=True))  # type: ignore[operator]

    def distance(self, one: Tensor, other: Tensor) -> Tensor:
        """D between the prediction from z [B,dim] and another z, through which no gradient flows."""
        return -F.cosine_similarity(self.predictor(one), other.detach()).mean()
