"""Robustness: accuracy under fifteen kinds of image corruption."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure as Picture
from torch import Tensor
from tqdm import tqdm

from netgaze.corruptions.kinds import KINDS, SEVERITIES, corrupt, is_large
from netgaze.corruptions.official import OfficialFiles, stamp_files
from netgaze.drawing.examples import to_rgb
from netgaze.errors import NetgazeError
from netgaze.figure import Figure, Finding, name_settings
from netgaze.figures.robustness.answers import choose_measure
from netgaze.figures.robustness.page import draw_page
from netgaze.figures.robustness.words import describe_losses
from netgaze.glossary import Glossary, Meaning
from netgaze.measures.corruption_errors import mean_corruption_error
from netgaze.ranks import shows_progress
from netgaze.subject import Subject


class Robustness(Figure):
    """Accuracy under fifteen kinds of corruption (Hendrycks and Dietterich 2019, arXiv 1903.12261).

    The images are corrupted here, by the paper's formulas (see `netgaze.corruptions`), or read from the official files
    of CIFAR-10-C. If a network's outputs are the data's classes, they are its predictions; for any other (rotation, two
    views) the nearest training images by its features vote, as in `knn`, because its accuracy at its own task would
    not compare with the others.

    Args:
        num_images: of the split, evenly spaced over all, the same for every network.
        severities: which of 1 to 5.
        reference: the label of the network whose errors divide the others', as AlexNet's do in the paper; null for
            none.
        dir: the folder CIFAR-10-C with its official files; null to corrupt the images here.
        seed: of the corruptions' random draws.

    Raises:
        NetgazeError: a value that makes no sense.
    """

    title = "Robustness to corruptions"
    question = "How much accuracy is left when images are noisy, blurred, snowed on or compressed?"
    look_for = (
        "How steeply each line falls with severity, and which kinds of corruption cost most. If the lines of two "
        "networks cross, one is more accurate but less robust."
    )
    pitfall = (
        "The mean corruption error mixes robustness with accuracy on clean images: compare the loss, too. A network "
        "trained with an augmentation that resembles a corruption has an advantage there, and networks that predict in "
        "two ways (outputs, neighbors) do not compare exactly."
    )
    needs = ("task", "data", "features", "training images", "known classes")
    metrics = ("mean_corruption_error",)
    glossary = Glossary(
        {
            "mean_corruption_error": Meaning(
                "mean corruption error",
                "Share classified incorrectly, averaged over fifteen kinds of corruption and the severities shown.",
                "%",
                "lower",
            ),
            "clean_acc": Meaning(
                "accuracy without corruption", "On the same images, uncorrupted.", "%", "higher", "num_images"
            ),
            "hardest": Meaning(
                "hardest corruption", "The kind with the lowest accuracy, averaged over the severities shown."
            ),
            "num_images": Meaning("images", "How many each accuracy is measured on."),
            "answers": Meaning(
                "predicted by",
                "The network's outputs or, if these are not the data's classes, a vote of nearest training images.",
            ),
            "mCE of <network>": Meaning(
                "mCE of <network>",
                "Mean over kinds of the ratio of its errors to the reference's: below 100% it makes fewer errors.",
                "%",
                "lower",
            ),
            "reference": Meaning("reference", "The network whose errors divide the others'."),
            "group": Meaning("group"),
            "kind": Meaning("corruption"),
            "acc_<severity>": Meaning(
                "accuracy, severity <severity>", "Share of the corrupted images classified correctly.", "%", "higher"
            ),
            "acc_mean": Meaning("mean accuracy", "Over the severities shown.", "%", "higher"),
        }
    )

    def __init__(
        self,
        *,
        num_images: int = 2000,
        severities: Sequence[int] = (1, 3, 5),
        reference: str | None = None,
        dir: str | None = None,
        seed: int = 0,
    ):
        if num_images < 1:
            raise NetgazeError(f"figure.robustness.num_images={num_images} must be 1 or more.")
        if not severities or not set(severities) <= set(SEVERITIES):
            raise NetgazeError(f"figure.robustness.severities={list(severities)} must be some of {list(SEVERITIES)}.")
        if seed < 0:
            raise NetgazeError(f"figure.robustness.seed={seed} must be 0 or more.")
        self.num_images, self.severities = num_images, sorted(set(severities))
        self.reference, self.dir, self.seed = reference, dir, seed
        self._stamps = [] if dir is None else stamp_files(dir)

    def compute(self, subject: Subject) -> Finding:
        """Which images are correct, bool [K,S,N], accuracies [K,S], and one image per corruption [K,S+1,H,W,3]."""
        data, split = subject.data, subject.split
        labels = data.labels(split)
        index = torch.linspace(0, len(labels) - 1, min(self.num_images, len(labels))).long()
        images, labels = data.images(split, index), labels[index]
        make, source = self._choose_source(subject, images, index)
        measure, answers = choose_measure(subject, labels)
        right, examples = [], []
        for kind in tqdm(KINDS, "Corrupting", leave=False, delay=5, disable=not shows_progress()):
            corrupted = [make(kind, severity) for severity in self.severities]
            right.append([measure(some) for some in corrupted])
            examples.append(to_rgb(torch.stack([some[0] for some in (images, *corrupted)])))
        arrays = {
            "right": np.array(right),
            "right_clean": measure(images),
            "acc": np.mean(right, axis=2),
            "images": np.array(data.images_fingerprint),
            "labels": labels.numpy(),
            "severities": np.array(self.severities),
            "examples": np.stack(examples),
            "control": np.array(subject.control),
        }
        numbers = {
            "mean_corruption_error": mean_corruption_error(1 - arrays["acc"]),
            "clean_acc": float(arrays["right_clean"].mean()),
            "hardest": list(KINDS.values())[arrays["acc"].mean(axis=1).argmin()].words,
            "num_images": len(index),
            "answers": answers,
        }
        caption = (
            f"Accuracy on {len(index):,} images of the {split} split, evenly spaced over all. Above each plot: one of "
            f"them, uncorrupted and at each severity. Predicted by {answers}. "
            f"{source}"
        )
        return Finding(numbers, arrays, caption)

    def _choose_source(
        self, subject: Subject, images: Tensor, index: Tensor
    ) -> tuple[Callable[[str, int], Tensor], str]:
        """A function that gives the images [N,C,H,W] under a kind at a severity, and their source in words."""
        data, split = subject.data, subject.split
        if self.dir is not None:
            if split != "test":
                raise NetgazeError(
                    f"figure.robustness.dir={self.dir} holds test images, but this figure shows the {split} split. "
                    "Set figure.robustness.dir=null."
                )
            files = OfficialFiles(self.dir, len(data.labels(split)), tuple(images.shape[1:]))
            files.check_labels(data.labels(split))
            return lambda kind, severity: files.read(
                kind, severity, index
            ), f"Corrupted images from the files in {self.dir}."
        some = range(0, len(index), data.test_batch_size)

        def make(kind: str, severity: int) -> Tensor:
            parts = [slice(start, start + data.test_batch_size) for start in some]
            return torch.cat([corrupt(images[part], kind, severity, index[part], self.seed) for part in parts])

        constants = "ImageNet-C" if is_large(images.shape[-1]) else "CIFAR-10-C"
        return make, (
            f"Corrupted by the formulas and constants of {constants}, with other random draws; frost is synthetic, "
            "because its photographs are not included."
        )

    def relate(
        self, findings: Mapping[str, Finding], subjects: Mapping[str, Subject]
    ) -> dict[str, dict[str, np.ndarray]]:
        """Which networks differ only in their seeds."""
        return name_settings(subjects)

    def differences(self, findings: Mapping[str, Finding]) -> list[str]:
        """Which of two networks loses less under corruption, and the kind they differ most under, beyond chance."""
        return describe_losses(findings)

    def compare(self, findings: Mapping[str, Finding]) -> dict[str, Any]:
        """`mCE of <network>`: the paper's mean corruption error relative to the reference, if one is named."""
        if self.reference is None:
            return {}
        found = self._divide_errors(findings)
        return {"reference": self.reference} | {f"mCE of {label}": value for label, value in found.items()}

    def _divide_errors(self, findings: Mapping[str, Finding]) -> dict[str, float]:
        """The mCE of each network by its label; empty without a reference."""
        if self.reference is None:
            return {}
        if self.reference not in findings:
            raise NetgazeError(
                f"figure.robustness.reference={self.reference} is the label of none of the networks. Choose one of "
                f"{', '.join(findings)}."
            )
        reference = 1 - findings[self.reference].arrays["acc"]
        return {label: mean_corruption_error(1 - it.arrays["acc"], reference) for label, it in findings.items()}

    def table(self, finding: Finding) -> list[dict[str, Any]]:
        """A row per kind: its accuracy at each severity, and their mean."""
        severities = [f"acc_{severity}" for severity in finding.arrays["severities"]]
        return [
            {"kind": kind.words, "group": kind.group}
            | dict(zip(severities, map(float, row), strict=True))
            | {"acc_mean": float(row.mean())}
            for kind, row in zip(KINDS.values(), finding.arrays["acc"], strict=True)
        ]

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A plot per kind, a line of plots per group: accuracy over severity, a line per network."""
        return draw_page(findings, self._divide_errors(findings), self.reference)
