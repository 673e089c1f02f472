"""Tests of maps: what a network predicts without the pixels that they mark, and whether they depend on its weights.

A way to make maps is an `Explain`; all figures' maps are tested in the same way.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from netgaze.drawing.heat import enlarge, load_examples
from netgaze.errors import NetgazeError
from netgaze.inside.cascade import copy_with_model, randomize_downward
from netgaze.inside.removal import trace_removal
from netgaze.measures.faithfulness import correlate_ranks, measure_area
from netgaze.measures.uncertainty import bootstrap_mean
from netgaze.subject import Subject, evaluating

# A task, examples [B,C,H,W] and classes [B] -> maps of evidence for these [B,h,w], float32 on the CPU.
Explain = Callable[[Any, Tensor, Tensor], Tensor]

_BATCH = 100


@dataclass(frozen=True)
class Verdict:
    """The result of a trial.

    Attributes:
        maps: of the images, [N,h,w].
        numbers: those of `faithfulness_words.FAITHFULNESS`.
        arrays: `shares` [S] and `curves` [4,S], the mean probability by deletion, by insertion, and by both of noise;
            `stages` [T], the first of which is "none", and `spearman` [2,T], signed and absolute, of maps after each
            with those before; `spearman_others` [2], with those of other images.
    """

    maps: Tensor
    numbers: dict[str, float]
    arrays: dict[str, np.ndarray]


@dataclass(frozen=True)
class Trial:
    """How maps are tested.

    Attributes:
        num_dropped: at most so many images are tested.
        share: of the pixels to replace for `drop`, 0..1.
        num_steps: from an image to one without any of its pixels.
        num_randomized: at most so many of these are also shown to networks with randomized layers.
        seed: of the noise and of the layers.

    Raises:
        NetgazeError: no step, no image, or no share of the pixels.
    """

    num_dropped: int
    share: float
    num_steps: int
    num_randomized: int
    seed: int

    def __post_init__(self) -> None:
        for name in ("num_dropped", "num_steps", "num_randomized"):
            if getattr(self, name) < 1:
                raise NetgazeError(f"{name}={getattr(self, name)} of cam and attribution must be 1 or more.")
        if not 0 < self.share <= 1:
            raise NetgazeError(f"share={self.share} of cam and attribution must be above 0 and at most 1.")

    def run(self, subject: Subject, explain: Explain, images: np.ndarray) -> Verdict:
        """Make maps of images of the subject's split, the first ones of some indices, and test them."""
        images = images[: self.num_dropped]
        with evaluating(subject.task):
            maps, curves, shares = self._remove(subject, explain, images)
            some = images[: self.num_randomized]
            stages, alike, others = self._randomize(subject, explain, some, maps[: len(some)])
        arrays = {"shares": shares, "curves": curves.mean(axis=1)}
        arrays |= {"stages": np.array(stages), "spearman": alike, "spearman_others": others}
        return Verdict(maps, self._summarize(curves, shares) | _name_correlations(alike, others, len(some)), arrays)

    def _remove(self, subject: Subject, explain: Explain, images: np.ndarray) -> tuple[Tensor, np.ndarray, np.ndarray]:
        """Maps [N,h,w], probabilities [4,N,S] (deletion, insertion, both by noise), and shares [S]."""
        shares = np.union1d(np.linspace(0, 1, self.num_steps + 1), [self.share])
        generator, maps, curves = torch.Generator().manual_seed(self.seed), [], []
        for start in range(0, len(images), _BATCH):
            examples, targets = load_examples(subject, images[start : start + _BATCH])
            small = explain(subject.task, examples, targets)
            tried = [small, torch.rand(small.shape, generator=generator)]
            large = [enlarge(some, examples.shape[-2:]) for some in tried]
            traced = [trace_removal(subject.task, examples, targets, some, shares.tolist()) for some in large]
            maps.append(small)
            curves.append(torch.stack([curve for pair in traced for curve in pair]))
        return torch.cat(maps), torch.cat(curves, dim=1).double().numpy(), shares

    def _randomize(
        self, subject: Subject, explain: Explain, images: np.ndarray, maps: Tensor
    ) -> tuple[list[str], np.ndarray, np.ndarray]:
        """Names of stages [T], and mean correlations with the maps, signed and absolute [2,T]; those of others [2]."""
        twin, (examples, targets) = copy_with_model(subject.task), load_examples(subject, images)
        stages, alike = ["none"], [_correlate(maps, maps)]
        for stage in randomize_downward(twin.model, self.seed):
            stages.append(stage)
            alike.append(_correlate(maps, explain(twin, examples, targets)))
        return stages, np.stack(alike, axis=1), _correlate(maps, maps.roll(1, 0))

    def _summarize(self, curves: np.ndarray, shares: np.ndarray) -> dict[str, float]:
        at = int(np.abs(shares - self.share).argmin())
        numbers = {"drop": curves[0], "drop_random": curves[2]}
        numbers = {name: float((each[:, 0] - each[:, at]).mean()) for name, each in numbers.items()}
        areas = measure_area(curves, shares)
        for place, (kind, sign) in enumerate({"deletion": -1, "insertion": 1}.items()):
            own, noise = areas[place], areas[place + 2]
            low, high = bootstrap_mean(sign * (own - noise), seed=self.seed)
            numbers |= {f"{kind}_area": float(own.mean()), f"{kind}_area_random": float(noise.mean())}
            numbers |= {f"{kind}_gain": float(sign * (own - noise).mean())}
            numbers |= {f"{kind}_gain_low": low, f"{kind}_gain_high": high}
        return numbers | {"num_dropped": areas.shape[1]}


def _correlate(one: Tensor, other: Tensor) -> np.ndarray:
    """The mean rank correlation of maps [N,h,w] with others, signed and absolute, [2]."""
    rows = [(some.flatten(1).double().numpy(), some.flatten(1).double().abs().numpy()) for some in (one, other)]
    return np.array([correlate_ranks(*pair).mean() for pair in zip(*rows, strict=True)])


def _name_correlations(alike: np.ndarray, others: np.ndarray, num: int) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for row, name in enumerate(("spearman", "spearman_abs")):
        numbers |= {f"{name}_head": float(alike[row, 1]), f"{name}_all": float(alike[row, -1])}
        numbers |= {f"{name}_others": float(others[row])}
    return numbers | {"num_randomized": num}
