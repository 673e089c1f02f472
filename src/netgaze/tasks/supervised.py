"""Supervised classification: cross-entropy on the data's labels, optionally smoothed."""

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor, nn
from torch.optim import Optimizer

from netgaze.batch import Batch
from netgaze.tasks.base import Task


class Supervised(Task):
    """Predict the class of an image.

    Args:
        model, num_classes, optimizer, schedule: see `Task`.
        label_smoothing: share of the target that is spread over all classes (Szegedy et al. 2016), 0..1. It acts
            in training only: validation and test losses are plain cross-entropy, so that they compare.
        test_views: whether the test also asks for the mean of six views of each image, see `average_views`: beside
            `test/acc`, which is of the image alone, stands `test/acc_views`.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        num_classes: int,
        optimizer: Callable[..., Optimizer],
        schedule: Callable[[float, float], float],
        label_smoothing: float = 0.0,
        test_views: bool = False,
    ):
        super().__init__(model=model, num_classes=num_classes, optimizer=optimizer, schedule=schedule)
        self.label_smoothing, self.test_views = label_smoothing, test_views

    def criterion(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy in nats: minus the log of the probability given to the right class, averaged."""
        smoothing = self.label_smoothing if self.training else 0.0
        return nn.functional.cross_entropy(logits, targets, label_smoothing=smoothing)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """As every task's, and where it is asked for the accuracy of the mean over views."""
        step = self.loss(batch)
        if self.test_views:
            right = (average_views(self, batch.images).argmax(dim=1) == batch.labels).float().mean()
            step = replace(step, numbers={**step.numbers, "acc_views": right})
        self.keep("test", batch, step)


def average_views(model: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """The mean logits [B,K] of six views of each image [B,C,H,W], as in the CIFAR-10 speed records (Jordan 2024).

    The image and its mirror image count half; the other half are both of them shifted by a pixel up and left, and down
    and right, the border filled by reflection.
    """
    padded = nn.functional.pad(images, (1, 1, 1, 1), "reflect")
    height, width = images.shape[-2:]
    shifted = (padded[..., :height, :width], padded[..., 2:, 2:])
    half, *quarters = [(model(view) + model(view.flip(-1))) / 2 for view in (images, *shifted)]
    return half / 2 + (quarters[0] + quarters[1]) / 4
