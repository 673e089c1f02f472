"""The base of face data sets: split by people, batches of P people x K images."""

import logging
from typing import Any, Literal, Unpack

import torch
from torch import Tensor

from netgaze.data.base import ImageData, Shared
from netgaze.data.images import Images
from netgaze.data.sampler import IdentityBatches
from netgaze.errors import NetgazeError

log = logging.getLogger(__name__)

GLASSES = "glasses"


class OfFaces(Shared, total=False):
    """What most face sets take besides their own; see `FaceData`."""

    images_per_person: int
    glasses: Literal["all", "test"]
    gradual_epochs: int


class FaceData(ImageData):
    """Base of the face data sets: a subclass gives all its photos in `photos`; no person is in two splits.

    Labels are people, numbered over all splits. Where it is known who wears glasses (`marks["glasses"]`), pairs are
    also compared by it: without, with, and mixed, of which one wears glasses. Other arguments: see `ImageData`, but
    `sampler` and `epoch_size`, which are not for batches of people.

    Args:
        num_val_people, num_test_people: people of validation and of test, drawn by `split_seed`; the others train. The
            split seeds from 0 on are folds: of n people, the first n // num_test_people seeds test everyone once.
        images_per_person: K of a training batch, which shows batch_size / K people (see `IdentityBatches`).
        glasses: "all", or "test" to leave images with glasses out of training and validation.
        gradual_epochs: training images with glasses are added over this many epochs (gradual sampling, Guo
            et al. 2018, in our reading); 0 shows them from the start.
    """

    def __init__(
        self,
        *,
        num_val_people: int,
        num_test_people: int,
        images_per_person: int = 4,
        glasses: Literal["all", "test"] = "all",
        gradual_epochs: int = 0,
        **shared: Unpack[Shared],
    ) -> None:
        super().__init__(**shared)
        chosen = self.training
        if chosen.sampler != "natural" or chosen.epoch_size is not None:
            raise NetgazeError(
                f"data.sampler={chosen.sampler} and data.epoch_size={chosen.epoch_size} are not for faces, whose "
                "batches are drawn by people. Leave both out; data.images_per_person says how many of each person."
            )
        if glasses == "test" and gradual_epochs:
            raise NetgazeError(
                f"data.gradual_epochs={gradual_epochs} lets images with glasses into training, data.glasses=test keeps "
                "them out. Choose one."
            )
        if glasses not in ("all", "test"):
            raise NetgazeError(f"Unknown data.glasses={glasses}. Choose all or test.")
        if images_per_person < 2 or self.batch_size < 2 * images_per_person:
            raise NetgazeError(
                f"data.images_per_person={images_per_person} must be 2 or more, and data.batch_size={self.batch_size} "
                "at least twice that: a batch shows two people or more."
            )
        if gradual_epochs < 0:
            raise NetgazeError(f"data.gradual_epochs={gradual_epochs} must be 0 or more.")
        self.num_val_people, self.num_test_people = num_val_people, num_test_people
        self.images_per_person, self.glasses, self.gradual_epochs = images_per_person, glasses, gradual_epochs

    def photos(self) -> Images:
        """All photos, labels numbering the people; sets `self.class_names`, their names."""
        raise NotImplementedError

    def people(self, whole: Images) -> dict[str, Tensor]:
        """The people of "train", "val" and "test", drawn by `split_seed`.

        Raises:
            NetgazeError: too few are left to train on.
        """
        num, num_val, num_test = len(self.class_names), self.num_val_people, self.num_test_people
        if min(num_val, num_test) < 2 or num - num_val - num_test < 2:
            raise NetgazeError(
                f"data.num_val_people={num_val} and data.num_test_people={num_test} must each be 2 or more, and leave "
                f"2 or more of the {num} people of {self.title} for training."
            )
        # Seeds 0, 1, ... are the folds of one order, then of the next: folds test different people.
        draw, fold = divmod(self.training.split_seed, num // num_test)
        order = torch.randperm(num, generator=torch.Generator().manual_seed(draw)).roll(-fold * num_test)
        test, val, train = order.split([num_test, num_val, num - num_test - num_val])
        return {"train": train, "val": val, "test": test}

    def divided(self, test: Tensor, num_val: int, chosen: str) -> dict[str, Tensor]:
        """The people of the splits where those of the test are known: of the others validation is drawn.

        Args:
            test: people, int64 [n].
            num_val: people of validation.
            chosen: what says who is tested, for the error.

        Raises:
            NetgazeError: too few are left to validate or to train on.
        """
        others = torch.arange(len(self.class_names))
        others = others[~torch.isin(others, test)]
        if not 2 <= num_val <= len(others) - 2:
            raise NetgazeError(
                f"data.num_val_people={num_val} must be from 2 to {len(others) - 2}: {chosen} leave "
                f"{len(others)} people for validation and training."
            )
        others = others[torch.randperm(len(others), generator=torch.Generator().manual_seed(self.training.split_seed))]
        return {"train": others[num_val:], "val": others[:num_val], "test": test}

    def load(self) -> dict[str, Images]:
        """The splits, each with people of its own."""
        whole = self.photos()
        splits = {}
        for name, people in self.people(whole).items():
            chosen = torch.isin(whole.labels, people)
            if self.glasses == "test" and name != "test":
                chosen &= ~self._known_glasses(whole)
            splits[name] = whole.take(chosen.nonzero().flatten())
            if len(people):  # else nobody is to be in it
                self._check_pairs(name, splits[name].labels)
        return splits

    def _known_glasses(self, images: Images) -> Tensor:
        if GLASSES not in images.marks:
            raise NetgazeError(
                f"{self.title} does not say who wears glasses. Leave data.glasses and gradual_epochs out."
            )
        return images.marks[GLASSES]

    def _check_pairs(self, split: str, labels: Tensor) -> None:
        """Say who has no pair of their own, and refuse a split in which nobody has one.

        Raises:
            NetgazeError: there is no pair of one person, or none of two.
        """
        people, counts = labels.unique(return_counts=True)
        alone = [self.class_names[int(person)] for person in people[counts == 1]]
        if len(alone) == len(people) or len(people) < 2:
            why = "have one image each" if len(people) > 1 else "are too few to be compared"
            raise NetgazeError(
                f"{self.title}: the {len(people)} people of the {split} split who have images {why}, so there are no "
                "pairs to tell apart. Add images, or draw other people by data.split_seed."
            )
        if alone:
            names = ", ".join(alone[:5]) + (" ..." if len(alone) > 5 else "")
            log.warning(
                "%s: %d people of %s have a single image, so no pair of their own: %s",
                self.title,
                len(alone),
                split,
                names,
            )

    def training_batches(self, labels: Tensor, rank: int, world: int) -> Any:
        """P people x K images a batch.

        Raises:
            NetgazeError: fewer than two people have two images, of those that are shown from the start.
        """
        held_back = self._known_glasses(self.splits["train"]) if self.gradual_epochs else None
        shown = labels if held_back is None else labels[~held_back]
        able = int((shown.unique(return_counts=True)[1] >= 2).sum())
        if able < 2:
            without = "" if held_back is None else " without glasses"
            raise NetgazeError(
                f"{self.title}: {able} of the people to train on have two images{without}, and a batch shows two such "
                "people or more. Add images, or raise data.limit and data.per_class where they are typed."
            )
        return IdentityBatches(
            labels,
            self.batch_size,
            self.images_per_person,
            held_back=held_back,
            ramp=self.gradual_epochs,
            seed=self.training.seed,
            rank=rank,
            world=world,
        )

    def comparisons(self, split: str) -> dict[str, tuple[Tensor, Tensor | None]]:
        """All pairs of a split, and where glasses are known those of two without, of two with, and of one each."""
        found, worn = super().comparisons(split), self.splits[split].marks.get(GLASSES)
        if worn is None or not worn.any() or worn.all():
            return found
        bare, glassed = (~worn).nonzero().flatten(), worn.nonzero().flatten()
        return found | {"without glasses": (bare, None), "with glasses": (glassed, None), "mixed": (bare, glassed)}
