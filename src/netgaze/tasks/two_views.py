"""The base of tasks that compare two views of each image."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from netgaze.batch import Batch
from netgaze.errors import NetgazeError
from netgaze.gathering import gather_rows
from netgaze.measures.collapse import embedding_std
from netgaze.tasks.base import Task
from netgaze.tasks.step import Step

COMPARED = 256  # images that are compared with each other in validation and test, however many training compares

Compared = tuple[Tensor, Mapping[str, Tensor]]


class TwoViews(Task):
    """Draws the projections of two views together; a subclass defines in `compare` what keeps images apart.

    The projector is there to train alone: it is saved with the weights, and figures see the features below it. Loss and
    numbers are of the projections of all processes. `embedding_std` of the first view's projections tells a collapse:
    near 0 all are one direction.

    Args:
        model: gives features before its last layer, which learns nothing.
        num_classes, optimizer, schedule: see `Task`.
        projector: widths of the projector's layers, the last that of the projections; empty for none.
    """

    num_views = 2
    classifies = False
    takes_mixed = False
    monitor = "val/knn20"

    def __init__(
        self,
        *,
        model: nn.Module,
        num_classes: int,
        optimizer: Callable[..., Optimizer],
        schedule: Callable[[float, float], float],
        projector: Sequence[int] = (512, 512, 128),
    ):
        super().__init__(model=model, num_classes=num_classes, optimizer=optimizer, schedule=schedule)
        num_features = getattr(model, "head_hidden_size", 0)
        if not num_features:
            raise NetgazeError(
                f"{type(model).__name__} has no features before a last layer, which this task needs. Choose "
                "another network, as model=resnet_small."
            )
        self.projector = make_mlp([num_features, *projector])
        self.width = [num_features, *projector][-1]
        if hasattr(model, "get_classifier"):
            model.get_classifier().requires_grad_(False)  # type: ignore[operator]

    def project(self, images: Tensor) -> Tensor:
        """[M,C,H,W] -> projections [M,P]."""
        return self.projector(self.extract_features(images))

    def extract_features(self, images: Tensor) -> Tensor:
        """[M,C,H,W] -> features before the network's last layer [M,D]."""
        return self.model.forward_head(self.model.forward_features(images), pre_logits=True)  # type: ignore[operator]

    def embed_views(self, views: Sequence[Tensor]) -> Tensor:
        """What is compared of V views [B,C,H,W], in fp32: their projections [B,V,P]. All views pass as one batch."""
        return self.project(torch.cat(list(views))).float().unflatten(0, (len(views), -1)).transpose(0, 1)

    def compare(self, embedded: Tensor, labels: Tensor) -> Compared:
        """The loss of what `embed_views` gave, [B,V,P], of images with `labels` [B], and further numbers by name."""
        raise NotImplementedError

    def loss(self, batch: Batch) -> Step:
        """In training the loss over the images of all processes; else what is compared, for the split's end."""
        embedded, labels = self.embed_views(batch.views), batch.labels
        if self.training:
            embedded, labels = gather_rows(embedded), gather_rows(labels)
        loss, numbers = self._compare(embedded, labels)
        return Step(loss, None if self.training else embedded, labels, numbers)

    def compute_metrics(self, split: str, outputs: Tensor, targets: Tensor) -> dict[str, float]:
        """The loss and the numbers of a split, from what is compared [N,V,P], 256 images at a time."""
        sums: dict[str, float] = {}
        for some, labels in zip(outputs.split(COMPARED), targets.split(COMPARED), strict=True):
            loss, numbers = self._compare(some, labels)
            for name, value in {"loss": loss, **numbers}.items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(labels)
        return {name: value / len(targets) for name, value in sums.items()}

    def _compare(self, embedded: Tensor, labels: Tensor) -> Compared:
        with torch.autocast(embedded.device.type, enabled=False):  # scores that nearly cancel
            loss, numbers = self.compare(embedded, labels)
        return loss, {"embedding_std": embedding_std(embedded[:, 0].detach()), **numbers}


def make_mlp(widths: Sequence[int]) -> nn.Module:
    """Linear layers from each width to the next, norms and ReLUs between them; the identity for a single width."""
    layers: list[nn.Module] = []
    for number, (inputs, outputs) in enumerate(pairwise(widths), start=1):
        is_last = number == len(widths) - 1
        layers.append(nn.Linear(inputs, outputs, bias=is_last))
        layers += [] if is_last else [nn.BatchNorm1d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)
