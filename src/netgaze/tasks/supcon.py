"""Supervised contrastive learning (Khosla et al. 2020, arXiv 2004.11362): SimCLR with labels."""

from torch import Tensor

from netgaze.measures.losses import sup_con
from netgaze.tasks.simclr import SimCLR
from netgaze.tasks.two_views import Compared


class SupCon(SimCLR):
    """Find the views of the same class among all views: between SimCLR and a supervised network.

    Args: see `SimCLR`; the paper's temperature is 0.1.
    """

    def compare(self, embedded: Tensor, labels: Tensor) -> Compared:
        """The supervised contrastive loss of projections [B,2,P] of images with `labels` [B]."""
        return sup_con(embedded.flatten(0, 1), labels.repeat_interleave(embedded.shape[1]), self.temperature), {}
