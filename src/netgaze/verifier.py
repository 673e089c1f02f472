"""Verification of image pairs: an embedding, and the distance up to which two images count as the same."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from netgaze.measures.verification import verify


@dataclass(frozen=True)
class ThresholdChoice:
    """How a threshold is chosen.

    Attributes:
        rule: "eer", "accuracy" or "far", see `measures.verification.Verification.threshold`.
        far: the false-accept rate of the rule "far".
        people: the split whose people it is chosen on: "val" or "train", never those that are tested.
    """

    rule: str = "eer"
    far: float = 0.01
    people: str = "val"

    def choose(self, embeddings: Tensor, labels: Tensor) -> float:
        """The threshold by the rule, from embeddings [N,D] and labels [N] of those people."""
        return verify(embeddings.cpu(), labels.cpu()).threshold(self.rule, self.far)


class Verifier(ABC):
    """What a task offers that tells pairs of images apart by distance, of classes never seen in training too.

    Attributes:
        threshold: the largest Euclidean distance of two embeddings at which their images count as the same, float64 [];
            not a number before one is chosen. A buffer, so that it travels with the weights.
        threshold_choice: how it is chosen.
    """

    threshold: Tensor
    threshold_choice: ThresholdChoice

    @abstractmethod
    def embed(self, images: Tensor) -> Tensor:
        """Normalized images [B,C,H,W] -> embeddings [B,D], in evaluation mode."""

    @abstractmethod
    def choose_threshold(self, data: Any, device: torch.device) -> None:
        """Choose the threshold for the network as it is.

        Args:
            data: a `data.base.ImageData`, set up.
            device: where the network may work.
        """
