"""Images in memory as uint8, drawn by index, augmented as whole batches on the device."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, NotRequired, Unpack

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from tqdm import tqdm

from netgaze.batch import Batch
from netgaze.data.augment import Augment
from netgaze.data.decode import NO_RANGES, Form, read_images, read_picture
from netgaze.data.facts import check_facts, check_loaded, digest_content, digest_evaluated, digest_images, number_images
from netgaze.data.found import Found, Remarks, find
from netgaze.data.images import Images, Unlabeled, Vectors
from netgaze.data.loading import make_loader
from netgaze.data.pixels import normalize, resize_to
from netgaze.data.sampler import PlainBatches, Remaining
from netgaze.data.splits import draw_stratified, hold_out
from netgaze.data.training import Training, TrainingPart
from netgaze.data.values import Ranges
from netgaze.errors import NetgazeError
from netgaze.ranks import shows_progress


class Shared(TrainingPart):
    """Arguments shared by all data sets: facts, batches, training part; see `ImageData`."""

    num_classes: int
    num_channels: int
    image_size: int
    mean: Sequence[float]
    std: Sequence[float]
    augment: NotRequired[Augment | None]
    batch_size: NotRequired[int]


class ImageData(LightningDataModule):
    """Base of every data set: a subclass returns its splits in `load`.

    The facts (`num_classes`, `num_channels`, `image_size`, `mean`, `std`) are keys of its YAML, so that others can
    read them from the config; `setup` checks them against what was loaded. Loaders yield batches of stored images;
    augmentation and normalization happen on the whole batch after its transfer to the device.

    Attributes:
        num_views: views of a batch: set by whoever joins data and task to the task's own.
        remarks: what reading the set brought up, beside its images; `load` may set it.

    Args:
        num_classes: classes.
        num_channels: 1 or 3.
        image_size: side of the square images in pixels, as networks and figures see them.
        mean, std: of values in 0..1, a number for each channel or one for all.
        augment: what training batches go through.
        batch_size: images per training step (on each device).
        num_val: validation images, taken from the training set by class share where the set has no own validation; 0
            to train on all: then the last epoch counts as the best.
        stored_size: side of the images as `load` gives them; null for `image_size`. Of larger ones, training sees a
            random window, a new one each time, and all else the center; smaller ones are enlarged, a batch at a time.
        part: which of the training images, how labeled, how drawn; see `Training`.
    """

    class_names: list[str]
    num_views = 1
    own_fit = "crop"  # how a person's own pictures become squares: see `Form`
    ranges: Ranges = NO_RANGES  # what was typed: black and white of files of other numbers than 8 bits

    def __init__(
        self,
        *,
        num_classes: int,
        num_channels: int,
        image_size: int,
        mean: Sequence[float],
        std: Sequence[float],
        augment: Augment | None = None,
        batch_size: int = 256,
        num_val: int = 0,
        stored_size: int | None = None,
        **part: Unpack[TrainingPart],
    ) -> None:
        super().__init__()
        self.mean, self.std = check_facts(num_channels, mean, std, image_size=image_size, batch_size=batch_size)
        self.training = Training(**part)
        if self.training.limit is not None and self.training.limit < num_classes:
            raise NetgazeError(
                f"data.limit={self.training.limit} is less than one image per class, of {num_classes} classes."
            )
        self.title = type(self).__name__
        self.num_classes, self.num_channels, self.image_size = num_classes, num_channels, image_size
        self.stored_size = image_size if stored_size is None else stored_size
        self.augment, self.batch_size, self.num_val = augment, batch_size, num_val
        self.remarks = Remarks()
        self._splits: dict[str, Images] = {}
        self._unlabeled: Unlabeled | None = None
        self._true: Tensor | None = None
        self._features: dict[str, Vectors] = {}

    def load(self) -> dict[str, Images]:
        """The splits "train" and "test", and "val" where the set has its own; sets `self.class_names`."""
        raise NotImplementedError

    def official_test(self) -> Any:
        """The images that a challenge's server judges, and how it numbers them; None for a set of no challenge."""
        return None

    def prepare_data(self) -> None:
        """Let one process a machine download, decode and fill caches; the others then find them."""
        self.setup()

    def setup(self, stage: str | None = None) -> None:
        """Load, check the facts, divide off validation, and take the subset. Runs once."""
        if self._splits:
            return
        splits = self.load()
        check_loaded(self, splits)
        if "val" not in splits:
            splits |= self._hold_out(splits["train"])
        if self.training.limit is not None:
            splits = {
                name: split.take(
                    draw_stratified(split.labels, min(self.training.limit, len(split)), self.training.split_seed)
                )
                for name, split in splits.items()
            }
        if len(splits["train"]):
            divided = self.training.divide(splits["train"], self.class_names)
            self._true, self._unlabeled = divided.true, divided.unlabeled
            splits["train"] = divided.trained_on
        self._splits = splits

    def _hold_out(self, whole: Images) -> dict[str, Images]:
        """Training and validation images, of a set that has none of its own to validate."""
        if self.num_val == 0:
            return {"train": whole, "val": whole.take(torch.arange(0))}
        train, val = hold_out(whole.labels, self.num_val, self.training.split_seed, "data.num_val")
        return {"train": whole.take(train), "val": whole.take(val)}

    @property
    def splits(self) -> dict[str, Images]:
        """The splits by name: "train", "val", "test"."""
        self.setup()
        return self._splits

    @cached_property
    def found(self) -> Found:
        """What there is to train on and to test on, and what reading it brought up."""
        return find(self, self.splits, 0 if self._unlabeled is None else len(self._unlabeled))

    def _split(self, name: str) -> Images | Unlabeled:
        """A split, or the part "unlabeled".

        Raises:
            NetgazeError: all images have labels.
        """
        if name != "unlabeled":
            return self.splits[name]
        self.setup()
        if self._unlabeled is None:
            raise NetgazeError(
                f"{self.title} has no unlabeled images: give data.per_class=100 or data.labeled_fraction=0.1."
            )
        if not len(self._unlabeled):
            raise NetgazeError(
                f"{self.title} has no unlabeled images: data.per_class or data.labeled_fraction labels all of them. "
                "Give less."
            )
        return self._unlabeled

    def true_labels(self, split: str) -> Tensor:
        """The labels int64 [N] that a split or "unlabeled" had before any was taken away, guessed or drawn anew.

        For figures and numbers to judge by, never for training.
        """
        part = self._split(split)
        if isinstance(part, Unlabeled):
            return part.labeled.labels
        return part.labels if split != "train" or self._true is None else self._true

    @property
    def unlabeled_digest(self) -> str:
        """A short name for the unlabeled images, by which labels given to them are known to fit.

        Raises:
            NetgazeError: all images have labels.
        """
        part = self._split("unlabeled")
        assert isinstance(part, Unlabeled)
        return part.digest

    def images(self, split: str, index: Any = None) -> Tensor:
        """All images of a split as networks see them, or those at `index` [M], uint8 [N or M,C,H,W]."""
        return resize_to(self._split(split).stored(index), self.image_size)

    def number_images(self, split: str) -> np.ndarray:
        """A number for each image of a split, uint64 [N], by which it is known again in other subsets and orders."""
        return number_images(self.splits[split])

    def name_images(self, split: str, index: Sequence[int]) -> list[str] | None:
        """The files of the images at `index` of a split, as a person finds them; None where they have none."""
        return None

    @property
    def window(self) -> int:
        """Side of what is cut out of a stored image, in its pixels."""
        return min(self.image_size, self.stored_size)

    def read_images(self, paths: Sequence[str], fit: str | None = None) -> Tensor:
        """A person's own picture files as images of this set, uint8 [N,C,H,W].

        Args:
            paths: the files.
            fit: how a picture becomes a square, see `Form`; None for the way of this set. Squashed pictures are shown
                whole, others as the set's images are: the center, where these are stored larger, and enlarged, where
                they are stored smaller.

        Raises:
            NetgazeError: a path is no picture file that can be read.
        """
        size = self.window if fit == "squash" else self.stored_size
        form = Form(size, self.num_channels, fit or self.own_fit)
        return resize_to(read_images(paths, form, self.ranges or self.remarks.ranges), self.image_size)

    def read_picture(self, path: str, longest: int) -> Tensor:
        """A person's own picture file whole, its longer side scaled to so many pixels, uint8 [C,H,W].

        Raises:
            NetgazeError: the path is no picture file that can be read.
        """
        return read_picture(path, longest, self.num_channels, self.ranges or self.remarks.ranges)

    def labels(self, split: str) -> Tensor:
        """All labels of a split, int64 [N]; -1 for each of "unlabeled"."""
        return self._split(split).labels

    def masks(self, split: str) -> tuple[Tensor, Tensor] | None:
        """Which images of a split have object masks, int64 [M], and these, bool [M,H,W]; None where none has."""
        part = self._split(split)
        if part.masks is None or part.mask_of is None or not (part.mask_of >= 0).any():
            return None
        there = (part.mask_of >= 0).nonzero().flatten()
        masks = part.masks[part.mask_of[there]].unsqueeze(1).to(torch.uint8) * 255
        return there, resize_to(masks, self.image_size).squeeze(1) > 127

    def comparisons(self, split: str) -> dict[str, tuple[Tensor, Tensor | None]]:
        """Which images of a split are compared in pairs, by the name of the comparison.

        Returns:
            Indices of the gallery [G] and of the probes [Q], each with each; None for the gallery with itself.
        """
        return {"all pairs": (torch.arange(len(self.labels(split))), None)}

    @cached_property
    def fingerprint(self) -> str:
        """A short name for the content of all splits and for how it is normalized."""
        return digest_content(self, self.splits)

    @cached_property
    def images_fingerprint(self) -> str:
        """A short name for the content of all splits, by which networks are known to see the same images."""
        return digest_images(self, self.splits)

    @cached_property
    def eval_fingerprint(self) -> str:
        """A short name for the images and labels that networks are chosen and compared by: validation and test."""
        return digest_evaluated(self, self.splits)

    def normalize(self, images: Tensor) -> Tensor:
        """uint8 [B,C,H,W] -> float32 [B,C,H,W], channels last in memory, by `mean` and `std`."""
        return normalize(images, self.mean, self.std)

    def with_features(self, features: dict[str, Tensor]) -> "ImageData":
        """This data set, whose loaders give features [V,N,D] by split in the place of images, in the same order."""
        other = copy.copy(self)
        other._features = {split: Vectors(values, self.labels(split)) for split, values in features.items()}
        return other

    def with_normalization(self, mean: Sequence[float], std: Sequence[float]) -> "ImageData":
        """This data set, the same images, normalized by other numbers of values in 0..1, one per channel or one."""
        other = copy.copy(self)
        other.__dict__.pop("fingerprint", None)  # it says how images are normalized
        other.mean, other.std = check_facts(self.num_channels, mean, std)
        return other

    def with_augment(self, augment: Augment | None) -> "ImageData":
        """This data set, the same images, with another augmentation."""
        other = copy.copy(self)
        other.augment = augment
        return other

    @property
    def test_batch_size(self) -> int:
        """Images at a time where nothing is learned: 500 of 32x32, fewer of larger ones, whose maps must fit too."""
        return min(500, max(16, 500 * 32**2 // self.image_size**2))

    def batches(self, split: str, batch_size: int | None = None, augmented: bool = False) -> Iterator[Batch]:
        """A split in order, as it is or augmented: normalized batches of one view, on the CPU."""
        part, batch_size = self._split(split), batch_size or self.test_batch_size
        starts = range(0, len(part), batch_size)
        # A bar in a terminal, once it takes long enough to wonder.
        for start in tqdm(starts, f"Looking at {split}", leave=False, delay=5, disable=not shows_progress()):
            batch = part[torch.arange(start, min(start + batch_size, len(part)))]
            yield replace(batch, views=(self._show(batch, augmented),))

    def draw_views(self, split: str, index: Tensor, num_views: int) -> list[Tensor]:
        """Augmented views of the images at `index` [M] of a split, uint8 [M,C,H,W] each, of fixed draws."""
        stored = self._split(split)[index].images
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.training.split_seed)
            views = [self._augment(stored, index, view, epoch=0) for view in range(num_views)]
        return [view.round().to(torch.uint8) if view.is_floating_point() else view for view in views]

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Make the views of a batch where it now is.

        In training `num_views` augmented ones. In validation and test the images alone, or where a task compares views
        as many augmented ones, of the same draws in every epoch.
        """
        if self._features:
            return batch
        training = self.trainer is not None and self.trainer.training
        if not training and self.num_views == 1:
            return replace(batch, views=(self._show(batch, augmented=False),))
        if not training:
            devices = [batch.index.device] if batch.index.is_cuda else []
            with torch.random.fork_rng(devices=devices):
                torch.manual_seed(self.training.split_seed * 1_000_003 + int(batch.index[0]))
                return replace(batch, views=self._show_views(batch))
        views, mixed = self._show_views(batch), None
        if self.augment is not None:
            views, mixed = self.augment.mix(views, batch.labels)
        return replace(batch, views=views, mixed=mixed)

    def _show_views(self, batch: Batch) -> tuple[Tensor, ...]:
        return tuple(self._show(batch, True, view) for view in range(self.num_views))

    def _show(self, batch: Batch, augmented: bool, view: int = 0) -> Tensor:
        """Images as they are stored, uint8 [B,C,h,w] -> as networks see them, float32 [B,C,H,W]."""
        if not augmented or self.augment is None:
            return self.normalize(resize_to(batch.images, self.image_size))
        epoch = self.trainer.current_epoch if self.trainer is not None else 0
        return self.augment.finish(self.normalize(self._augment(batch.images, batch.index, view, epoch)))

    def _augment(self, stored: Tensor, index: Tensor, view: int, epoch: int) -> Tensor:
        """Images as they are stored, uint8 [B,C,h,w] -> augmented, values of 0..255 [B,C,H,W]."""
        if self.augment is None:
            return resize_to(stored, self.image_size)
        size = self.image_size if self.augment.crop_scale else self.window
        seed = self.training.seed * self.num_views + view
        return resize_to(self.augment(stored, size, index=index, epoch=epoch, seed=seed), self.image_size)

    def train_dataloader(self) -> Any:
        """Shuffled batches of the training split."""
        return self._loader("train", self.batch_size, shuffle=True)

    def training_batches(self, labels: Tensor, rank: int, world: int) -> Any:
        """The sampler of training: index tensors into labels [N], of process `rank` of `world`."""
        return self.training.batches(labels, self.batch_size, rank, world)

    def val_dataloader(self) -> Any:
        """The validation split in order."""
        return self._loader("val", self.test_batch_size)

    def test_dataloader(self) -> Any:
        """The test split in order."""
        return self._loader("test", self.test_batch_size)

    def _loader(self, split: str, batch_size: int, shuffle: bool = False) -> Any:
        part: Images | Vectors = self._features.get(split) or self.splits[split]
        rank, world = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        sampler: Any
        if shuffle:
            sampler = Remaining(self.training_batches(part.labels, rank, world), self._count_done)
        else:
            sampler = PlainBatches(len(part), batch_size, rank=rank, world=world)
        if self.trainer is not None:
            sampler.set_epoch(self.trainer.current_epoch)
        device = self.trainer.strategy.root_device if self.trainer is not None else torch.device("cpu")
        return make_loader(part, sampler, device)

    def _count_done(self) -> int:
        """The steps of this epoch that are done: more than none where a run goes on within it."""
        return self.trainer.fit_loop.epoch_loop.batch_progress.current.ready if self.trainer is not None else 0
