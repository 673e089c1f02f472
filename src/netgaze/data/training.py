"""Which training images are used, with which labels, and how often each class is drawn."""

from dataclasses import dataclass, replace
from typing import Any, Literal, TypedDict

from torch import Tensor

from netgaze.data.images import Images, Unlabeled
from netgaze.data.sampler import PlainBatches, ResampledBatches
from netgaze.data.splits import draw_fraction, draw_long_tailed, draw_per_class, find_others, redraw_labels
from netgaze.errors import NetgazeError
from netgaze.pseudo_labels import read

POWERS = {"natural": 1.0, "sqrt": 0.5, "uniform": 0.0}  # of a class's images, by `sampler`


class TrainingPart(TypedDict, total=False):
    """What every data set takes besides its own; see `Training`."""

    limit: int | None
    per_class: int | None
    labeled_fraction: float | None
    long_tail: float | None
    label_noise: float
    pseudo_labels: str | None
    sampler: Literal["natural", "sqrt", "uniform"]
    epoch_size: int | None
    split_seed: int
    seed: int


@dataclass(frozen=True)
class Divided:
    """What became of a training split.

    `true` are the labels int64 [N] that the images of `trained_on` had before any was guessed or drawn anew;
    `unlabeled` are the images whose labels were taken away, None where all kept theirs.
    """

    trained_on: Images
    true: Tensor
    unlabeled: Unlabeled | None


@dataclass(frozen=True, kw_only=True)
class Training:
    """The choice of a data set's training images.

    Args:
        limit: at most this many training images by class share, and at most as many for validation and for test;
            null for all.
        per_class: exactly this many training images per class, drawn by `seed`, one draw per run; null for all. The
            others become the part "unlabeled".
        labeled_fraction: in its place, this share of the training images, by class share; more than 0, less than 1.
        long_tail: how many times as many training images the first class has as the last, see `draws.long_tailed`;
            drawn by `split_seed`; null for as many as there are.
        label_noise: share of the labels trained on that are drawn anew from all of them by `seed`, 0..1, see
            `draws.redrawn`. Validation and test stay as they are.
        pseudo_labels: the folder of a run that has labeled the unlabeled images of this set, or its file. What it
            names, with its labels, is then trained on, in place of the labeled images.
        sampler: how often a class is seen: "natural" in proportion to its n images, "sqrt" to n^0.5, "uniform" as
            often as any other (Mahajan et al. 2018, arXiv 1805.00932).
        epoch_size: training images per epoch, over all devices; null for as many as there are.
        split_seed: of the split and of the subset: a fact of the data, not of the run.
        seed: of the order of the training batches, and of the draws of `per_class`, `labeled_fraction`, `label_noise`.

    Raises:
        NetgazeError: settings that contradict each other, or that are not known.
    """

    limit: int | None = None
    per_class: int | None = None
    labeled_fraction: float | None = None
    long_tail: float | None = None
    label_noise: float = 0.0
    pseudo_labels: str | None = None
    sampler: Literal["natural", "sqrt", "uniform"] = "natural"
    epoch_size: int | None = None
    split_seed: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.per_class is not None and self.labeled_fraction is not None:
            raise NetgazeError(
                f"data.per_class={self.per_class} and data.labeled_fraction={self.labeled_fraction} both say which "
                "images keep their labels. Give one, and null for the other."
            )
        if self.pseudo_labels is not None and not self._takes_labels:
            raise NetgazeError(
                f"data.pseudo_labels={self.pseudo_labels} needs unlabeled images, but there are none. Give "
                "data.per_class or data.labeled_fraction as the run that wrote it."
            )
        if self.split_seed < 0:
            raise NetgazeError(f"data.split_seed={self.split_seed} must be 0 or more.")
        if self.sampler not in POWERS:
            raise NetgazeError(f"Unknown data.sampler={self.sampler}. Choose natural, sqrt or uniform.")
        if self.epoch_size is not None and self.epoch_size < 1:
            raise NetgazeError(f"data.epoch_size={self.epoch_size} must be 1 or more, or null for all images.")

    def divide(self, whole: Images, class_names: list[str]) -> Divided:
        """Choose what is trained on, of the whole training split; those whose labels are taken away are kept aside.

        Raises:
            NetgazeError: a class has too few images, or pseudo-labels that are about others.
        """
        if self.long_tail is not None:
            whole = whole.take(draw_long_tailed(whole.labels, self.long_tail, self.split_seed))
        part, unlabeled = whole, None
        if self._takes_labels:
            chosen = self._labeled(whole.labels)
            part, unlabeled = whole.take(chosen), Unlabeled(whole.take(find_others(chosen, len(whole))))
        labels = part.labels
        if unlabeled is not None and self.pseudo_labels is not None:
            part, labels = _pseudo_labeled(unlabeled, self.pseudo_labels, class_names)
        noisy = redraw_labels(labels, self.label_noise, self.seed) if self.label_noise else labels
        return Divided(replace(part, labels=noisy), part.labels, unlabeled)

    def batches(self, labels: Tensor, batch_size: int, rank: int, world: int) -> Any:
        """The sampler of training: index tensors [B] into labels [N], of process `rank` of `world`."""
        num = len(labels) if self.epoch_size is None else self.epoch_size
        full = num >= batch_size * world
        if self.sampler == "natural" and self.epoch_size is None:
            return PlainBatches(num, batch_size, shuffle=True, drop_last=full, seed=self.seed, rank=rank, world=world)
        return ResampledBatches(
            labels,
            batch_size,
            power=POWERS[self.sampler],
            epoch_size=num,
            drop_last=full,
            seed=self.seed,
            rank=rank,
            world=world,
        )

    @property
    def _takes_labels(self) -> bool:
        return self.per_class is not None or self.labeled_fraction is not None

    def _labeled(self, labels: Tensor) -> Tensor:
        """Indices of the training images [N] that keep their labels."""
        if self.labeled_fraction is not None:
            return draw_fraction(labels, self.labeled_fraction, self.seed)
        assert self.per_class is not None
        return draw_per_class(labels, self.per_class, self.seed)


def _pseudo_labeled(unlabeled: Unlabeled, path: str, class_names: list[str]) -> tuple[Images, Tensor]:
    """The unlabeled images that the file of another run names, with their own labels, and those of the file.

    Raises:
        NetgazeError: the file is about other images or classes, or names none.
    """
    found = read(path)
    if found.unlabeled != unlabeled.digest or list(found.class_names) != class_names:
        raise NetgazeError(
            f"data.pseudo_labels={path}: the labels are of other images. Give the same data, data.per_class or "
            "data.labeled_fraction, data.seed and data.split_seed as the run that wrote them."
        )
    if not len(found) or int(found.index.max()) >= len(unlabeled):
        wrong = f"images beyond the {len(unlabeled)} unlabeled ones" if len(found) else "no image"
        raise NetgazeError(f"data.pseudo_labels={path} names {wrong}. Let its run write it again.")
    return unlabeled.labeled.take(found.index), found.label
