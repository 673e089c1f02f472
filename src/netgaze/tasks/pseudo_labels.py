"""Pseudo-labels: classes that a trained network predicts for unlabeled images, to train another network.

The second stage of teacher and student (Yalniz et al. 2019, arXiv 1905.00546): nothing is trained; the network that
`init` names looks at the unlabeled images, and what is chosen of its answers lies in the run's folder.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from netgaze.pseudo_labels import Labeler, choose
from netgaze.pseudo_labels import PseudoLabels as Chosen
from netgaze.subject import device_of, evaluating
from netgaze.tasks.supervised import Supervised

log = logging.getLogger(__name__)


class PseudoLabels(Supervised, Labeler):
    """For each class, choose the unlabeled images with the highest probability for it.

    Args:
        model, num_classes, optimizer, schedule: see `Task`.
        k: images per class, at most.
        p: classes per image: its best ones, of which each may take it. Above 1, because an image can show several
            things, and because rare classes are seldom anyone's best.

    Raises:
        ValueError: k below 1, or p not in 1..num_classes.
    """

    trainable = False
    needs_init = True

    def __init__(
        self,
        *,
        model: nn.Module,
        num_classes: int,
        optimizer: Callable[..., Optimizer],
        schedule: Callable[[float, float], float],
        k: int,
        p: int,
    ):
        super().__init__(model=model, num_classes=num_classes, optimizer=optimizer, schedule=schedule)
        if k < 1 or not 1 <= p <= num_classes:
            raise ValueError(f"expected k of 1 or more and p from 1 to the {num_classes} classes, got k={k} and p={p}")
        self.k, self.p = k, p

    def choose(self, data: Any) -> Chosen:
        """The pseudo-labels of the data's unlabeled images, by the network's softmax in fp32.

        Args:
            data: a `data.base.ImageData`, set up.

        Raises:
            NetgazeError: the data has no unlabeled images.
        """
        scores = []
        with evaluating(self), torch.no_grad():
            for batch in data.batches("unlabeled"):
                scores.append(self(batch.images.to(device_of(self))).float().softmax(dim=1).cpu())
        chosen = choose(torch.cat(scores), self.k, self.p)
        return replace(chosen, unlabeled=data.unlabeled_digest, class_names=tuple(self.class_names))

    def save_artifacts(self, data: Any, folder: Path) -> dict[str, float]:
        """Write `pseudo_labels.npz`; how many there are, and the share of right ones, where the truth is known."""
        chosen = self.choose(data)
        chosen.write(folder)
        counts = torch.bincount(chosen.label, minlength=self.num_classes)
        log.info("%d pseudo-labels for %d images in %s", len(chosen), len(chosen.index.unique()), folder)
        if few := int((counts < self.k).sum()):
            least = int(counts.argmin())
            log.warning(
                "%d of %d classes have fewer than k=%d images, %s the fewest with %d: no others have them among their "
                "%d best.",
                *(few, self.num_classes, self.k, self.class_names[least], int(counts[least]), self.p),
            )
        right = chosen.label == data.true_labels("unlabeled")[chosen.index]
        return {
            "unlabeled/images": float(len(chosen.index.unique())),
            "unlabeled/labels": float(len(chosen)),
            "unlabeled/right": float(right.float().mean()) if len(chosen) else 0.0,
        }
