"""The content of a data set: logged when a run starts, kept in its run.json, shown on the data card."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from netgaze.data.images import Images
from netgaze.data.values import Ranges, describe_ranges
from netgaze.text import count_of

_MOST_NAMES, _MOST_EXAMPLES, _SAMPLED, _MOST_LOST = 6, 3, 500, 10
_DIM = 3  # of 255: the spread of values below which pictures show next to nothing


@dataclass
class Remarks:
    """What reading a data set brought up, besides its images.

    Attributes:
        notes: how it was read, a sentence each.
        warnings: what may be a mistake, a sentence each.
        ignored: names of what was left out, by the reason.
        ranges: what black and white were in pictures of other numbers than 8 bits, by kind; empty where all had 8.
    """

    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    ignored: dict[str, list[str]] = field(default_factory=dict)
    ranges: Ranges = field(default_factory=dict)

    def add_unreadable(self, unreadable: Mapping[str, Sequence[int]], names: Sequence[str]) -> None:
        """Note files that could not be read: their indices into `names`, by what they are."""
        for what, indices in unreadable.items():
            self.ignored.setdefault(what, []).extend(sorted(names[index] for index in indices))
        lost = sorted(names[index] for indices in unreadable.values() for index in indices)
        if lost:
            self.warnings.append(
                f"Left out {len(lost)} of {len(names)} images that cannot be read: {', '.join(lost[:_MOST_LOST])}"
                + (f" and {len(lost) - _MOST_LOST} more" if len(lost) > _MOST_LOST else "")
            )


@dataclass(frozen=True)
class Found:
    """What is there to train on and to test on.

    Attributes:
        title: of the data set.
        counts: images of each class [K] by split.
        class_names: [K].
        shape: of an image as networks see it, (C, H, W).
        stored_size: its side in pixels as it is kept.
        remarks: what reading it brought up.
        num_unlabeled: images whose labels were taken away.
    """

    title: str
    counts: Mapping[str, np.ndarray]
    class_names: list[str]
    shape: tuple[int, int, int]
    stored_size: int
    remarks: Remarks
    num_unlabeled: int = 0

    @property
    def values(self) -> str:
        """What is black and what is white: 0..255."""
        return describe_ranges(self.remarks.ranges)

    def as_facts(self) -> dict[str, Any]:
        """For `run.json`."""
        return {
            "images": {split: int(count.sum()) for split, count in self.counts.items()}
            | ({"unlabeled": self.num_unlabeled} if self.num_unlabeled else {}),
            "classes": {
                name: [int(count[place]) for count in self.counts.values()]
                for place, name in enumerate(self.class_names)
            },
            "shape": list(self.shape),
            "ranges": {kind: list(ends) for kind, ends in self.remarks.ranges.items()},
            "notes": self.remarks.notes,
            "warnings": self.list_warnings(),
            "ignored": {why: {"count": len(names), "first": names[:20]} for why, names in self.remarks.ignored.items()},
        }

    def describe(self) -> list[str]:
        """A line on the images, one on the classes, and one for each kind of thing that was left out."""
        sizes = ", ".join(f"{int(count.sum()):,} {split}" for split, count in self.counts.items())
        sizes += f", {self.num_unlabeled:,} unlabeled" if self.num_unlabeled else ""
        stored = f", kept at {self.stored_size} x {self.stored_size}" if self.stored_size != self.shape[1] else ""
        shape = " x ".join(map(str, self.shape))
        lines = [f"{self.title}: {sizes} images of {shape}{stored}, values {self.values}", self._describe_classes()]
        lines += self.remarks.notes
        return lines + [f"Ignored {_count_names(why, names)}" for why, names in self.remarks.ignored.items()]

    def list_warnings(self) -> list[str]:
        """What may be a mistake: also classes of training that validation or test lack."""
        warnings = list(self.remarks.warnings)
        trained = self.counts["train"] > 0
        for split in ("val", "test"):
            lacking = [self.class_names[place] for place in np.flatnonzero(trained & (self.counts[split] == 0))]
            # Where no class is shared, as of faces, that is the design.
            if lacking and len(lacking) < trained.sum():
                warnings.append(f"{split} has no image of {_join(lacking)}, which training has.")
        return warnings

    def _describe_classes(self) -> str:
        counts, num = self.counts["train"], count_of(len(self.class_names), "class", "classes")
        there = counts[counts > 0]
        if len(there) < len(counts):  # as of people, each of whom is in one part
            each = ", ".join(f"{int((count > 0).sum()):,} in {split}" for split, count in self.counts.items())
            return f"{num}, {each}: {_join(self.class_names)}"
        if there.min() == there.max():
            return f"{num} of {count_of(int(there.min()), 'training image')} each: {_join(self.class_names)}"
        named = [f"{name} {count:,}" for name, count in zip(self.class_names, counts, strict=True)]
        smallest = np.argsort(counts, kind="stable")[:_MOST_EXAMPLES]
        fewest = f"; fewest: {', '.join(named[place] for place in smallest)}" if len(named) > _MOST_NAMES else ""
        return f"{num} of {there.min():,} to {there.max():,} training images: {_join(named)}{fewest}"


def find(data: Any, splits: Mapping[str, Images], num_unlabeled: int) -> Found:
    """What the splits of a `data.base.ImageData` hold, as they were loaded and divided."""
    num = len(data.class_names)
    counts = {split: np.bincount(splits[split].labels.numpy(), minlength=num) for split in ("train", "val", "test")}
    shape = (data.num_channels, data.image_size, data.image_size)
    remarks = data.remarks
    if dim := _describe_dimness(splits["train"]):
        remarks = Remarks(remarks.notes, [*remarks.warnings, dim], remarks.ignored, remarks.ranges)
    return Found(data.title, counts, data.class_names, shape, data.stored_size, remarks, num_unlabeled)


def _describe_dimness(images: Images) -> str:
    """A warning of images that are nearly of one shade; empty for others. Of many a sample is looked at."""
    if not len(images):
        return ""
    sample = images.stored(torch.arange(0, len(images), max(1, len(images) // _SAMPLED))).float()
    if float(sample.std(correction=0)) >= _DIM:
        return ""
    shade = float(sample.mean())
    name = "black" if shade < 8 else "white" if shade > 247 else f"of one shade ({shade:.0f} of 0..255)"
    return (
        f"The images are nearly {name}. Where their files hold other numbers than 8 bits, type what is black and what "
        "is white: data.value_range=[0,4095]."
    )


def _count_names(why: str, names: list[str]) -> str:
    more = " ..." if len(names) > _MOST_EXAMPLES else ""
    return f"{len(names):,} ({why}): {', '.join(names[:_MOST_EXAMPLES])}{more}"


def _join(names: list[str]) -> str:
    """The first and the last few of many."""
    if len(names) <= _MOST_NAMES:
        return ", ".join(names)
    half = _MOST_NAMES // 2
    return f"{', '.join(names[:half])}, ..., {', '.join(names[-half:])}"
