"""BYOL (Grill et al. 2020, arXiv 2006.07733): predict a slow copy's features of the other view."""

import copy
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from netgaze.errors import NetgazeError
from netgaze.measures.losses import byol_regression
from netgaze.tasks.two_views import Compared, TwoViews, make_mlp


class BYOL(TwoViews):
    """Predict from the projection of one view what a momentum copy of network and projector projects of the other.

    Nothing pushes images apart: what keeps the network from collapse is that the copy lags behind, and that the
    predictor is the network's alone. The copy m follows each step: m <- t m + (1 - t) w, t from `momentum` to 1 by half
    a cosine over training; its norms have statistics of their own.

    Args:
        model, num_classes, optimizer, schedule, projector: see `TwoViews`.
        predictor: widths of the predictor's hidden layers; None for no predictor, which collapses.
        momentum: t at the start, 0..1.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        num_classes: int,
        optimizer: Callable[..., Optimizer],
        schedule: Callable[[float, float], float],
        projector: Sequence[int] = (512, 128),
        predictor: Sequence[int] | None = (512,),
        momentum: float = 0.99,
    ):
        super().__init__(
            model=model, num_classes=num_classes, optimizer=optimizer, schedule=schedule, projector=projector
        )
        if not 0 <= momentum <= 1:
            raise NetgazeError(f"task.momentum={momentum} must be from 0 to 1.")
        self.momentum = momentum
        self.predictor = nn.Identity() if predictor is None else make_mlp([self.width, *predictor, self.width])
        self.target_model = copy.deepcopy(model).requires_grad_(False)
        self.target_projector = copy.deepcopy(self.projector).requires_grad_(False)

    def on_train_start(self) -> None:
        """Let the copy begin as the network does, which may have begun from other weights."""
        if self.trainer.global_step == 0:
            self.target_model.load_state_dict(self.model.state_dict())
            self.target_projector.load_state_dict(self.projector.state_dict())
        self._num_steps = float(self.trainer.estimated_stepping_batches)

    def embed_views(self, views: Sequence[Tensor]) -> Tensor:
        """Of V views [B,C,H,W] the projections, the predictions from these, and the copy's projections, [B,3V,P]."""
        images = torch.cat(list(views))
        projections = self.project(images)
        with torch.no_grad():
            maps = self.target_model.forward_features(images)  # type: ignore[operator]
            targets = self.target_projector(self.target_model.forward_head(maps, pre_logits=True))  # type: ignore[operator]
        parts = torch.stack([projections.detach(), self.predictor(projections), targets])
        return parts.float().unflatten(1, (len(views), -1)).flatten(0, 1).transpose(0, 1)

    def compare(self, embedded: Tensor, labels: Tensor) -> Compared:
        """The sum over both orders of the views, of [B,6,P]."""
        _, _, first, second, first_target, second_target = embedded.unbind(1)
        return byol_regression(first, second_target) + byol_regression(second, first_target), {}

    def after_step(self) -> None:
        """Let the copy follow."""
        passed = min(1.0, self.trainer.global_step / self._num_steps)
        share = (1 - self.momentum) * (1 + math.cos(math.pi * passed)) / 2
        for copied, learned in ((self.target_model, self.model), (self.target_projector, self.projector)):
            for target, source in zip(copied.parameters(), learned.parameters(), strict=True):
                target.lerp_(source, share)
