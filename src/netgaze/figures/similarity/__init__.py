"""Representation similarity of two networks, stage by stage."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure as Picture

from netgaze.drawing.shown_layers import choose_layers, pool_layers
from netgaze.figure import Figure, Finding, leave_out_repeats, name_settings
from netgaze.figures.similarity.page import draw_pairs
from netgaze.figures.similarity.pairs import Pair, describe_pairs, list_pairs, read_pairs
from netgaze.glossary import Glossary, Meaning
from netgaze.measures.similarity import list_neighbors
from netgaze.subject import Subject


class Similarity(Figure):
    """Debiased linear CKA of every stage of a network with every stage of another, and mutual kNN of their features.

    CKA (centered kernel alignment, Kornblith et al. 2019, with the estimator of Song et al. 2012) is 1 for features
    that are equal up to a rotation and a scale, 0 for unrelated ones. Both scores are given raw and above chance
    (Gröger et al. 2026): chance is the 95% quantile over permutations of the images, for neighbors within classes,
    because shared labels alone give overlap. Every network is compared with every other, with the untrained network and
    with raw pixels; if two runs differ only in their seed, their similarity is the ceiling.

    Args:
        num_images: of the split, evenly spaced over all, the same for every network.
        k: neighbors of each image.
        num_permutations: of the images, the same for all stages.
        grid: side of the grid of positions kept of each stage's maps; 1 averages over all. Time grows with its cube.
        seed: of the permutations.
    """

    title = "Representation similarity"
    question = "How similar are the features of two networks, stage by stage, compared with chance and another seed?"
    look_for = (
        "A bright diagonal: stages of the same depth are most similar. Compare the last stages with the ceiling, two "
        "seeds of one training, and with the untrained network, which can be similar in early stages already."
    )
    pitfall = (
        "Linear CKA is dominated by the few directions of largest variance, and a high value does not mean that the "
        "networks make the same predictions (see figure=agreement). Scores depend on the number of images: compare "
        "only values above chance."
    )
    needs = ("data", "features")
    compares = True
    glossary = Glossary(
        {
            "cka_first of <pair>": Meaning(
                "CKA of the first stages, above chance: <pair>",
                "Debiased linear CKA: 0 at the 95% quantile over permutations of the images, 1 for features that are "
                "equal up to a rotation and a scale.",
            ),
            "cka_last of <pair>": Meaning(
                "CKA of the last stages, above chance: <pair>", "The same for the last stages."
            ),
            "mutual_knn of <pair>": Meaning(
                "mutual kNN, above chance: <pair>",
                "Share of an image's nearest neighbors that both networks have in common: 0 at the 95% quantile over "
                "permutations within classes.",
            ),
            "mutual_knn_raw of <pair>": Meaning(
                "mutual kNN: <pair>", "The raw share, of the last features by cosine.", "%"
            ),
            "num_images": Meaning("images"),
            "k": Meaning("neighbors"),
            "num_permutations": Meaning("permutations"),
            "other": Meaning("other network"),
            "stage": Meaning("stage"),
            "other_stage": Meaning("stage of the other network"),
            "cka": Meaning("CKA"),
            "chance": Meaning("chance", "The 95% quantile over permutations of the images."),
            "above_chance": Meaning("above chance"),
            "error": Meaning("standard error", "Of the CKA, from ten groups of the images."),
        }
    )

    def __init__(
        self, *, num_images: int = 2000, k: int = 10, num_permutations: int = 50, grid: int = 1, seed: int = 0
    ):
        self.num_images, self.k, self.num_permutations, self.grid, self.seed = (
            num_images,
            k,
            num_permutations,
            grid,
            seed,
        )

    def compute(self, subject: Subject) -> Finding:
        """Features of each stage, `stage <place>` [N,C], and each image's nearest neighbors by the last ones, [N,k]."""
        data, split = subject.data, subject.split
        labels = data.labels(split)
        rows = torch.linspace(0, len(labels) - 1, min(self.num_images, len(labels))).long()
        names = [] if subject.pixels else choose_layers(subject.task.model, None, False, "figure.similarity.layers")
        stages = pool_layers(subject, split, rows, names, self.grid)
        k = min(self.k, len(rows) - 1)
        arrays = {f"stage {place}": rows.numpy() for place, rows in enumerate(stages.values())}
        arrays |= {
            "stages": np.array(list(stages)),
            "neighbors": list_neighbors(subject.bank(split)[rows], k).astype(np.int32),
            "labels": labels[rows].numpy(),
            "images": np.array(data.images_fingerprint),
        }
        numbers = {"num_images": len(rows), "k": k, "num_permutations": self.num_permutations}
        return Finding(numbers, arrays, self._write_caption(subject.split, len(rows), k))

    def _write_caption(self, split: str, num: int, k: int) -> str:
        places = "averaged over positions" if self.grid == 1 else f"averaged to {self.grid} x {self.grid} positions"
        return (
            f"Debiased linear CKA of stages, {places}, on {num:,} images of the {split} split, above chance: 0 is the "
            f"95% quantile over {self.num_permutations} permutations of the images, 1 means equal up to a rotation and "
            f"a scale. Mutual kNN: share of the {k} nearest neighbors by the last features that both networks have in "
            "common; chance permutes images within classes."
        )

    def relate(
        self, findings: Mapping[str, Finding], subjects: Mapping[str, Subject]
    ) -> dict[str, dict[str, np.ndarray]]:
        """The similarity of each pair, for the first network's finding."""
        found = name_settings(subjects)
        for first, second in list_pairs(findings, subjects):
            is_repeat = not subjects[second].control and subjects[first].setting == subjects[second].setting
            pair = Pair.measure(findings[first], findings[second], self.num_permutations, self.seed, is_repeat)
            found[first] |= pair.as_arrays(second)
        return found

    def compare(self, findings: Mapping[str, Finding]) -> dict[str, Any]:
        """For each pair the CKA of the first and of the last stages, and mutual kNN."""
        numbers: dict[str, Any] = {}
        for (first, second), pair in read_pairs(findings).items():
            name = f"{first} and {second}"
            numbers |= {
                f"cka_first of {name}": float(pair.above_chance[0, 0]),
                f"cka_last of {name}": float(pair.above_chance[-1, -1]),
                f"mutual_knn of {name}": float(pair.shared_above_chance),
                f"mutual_knn_raw of {name}": float(pair.shared),
            }
        return {name: value for name, value in numbers.items() if np.isfinite(value)}

    def differences(self, findings: Mapping[str, Finding]) -> list[str]:
        """For each pair, whether first and last stages are as similar as those of two seeds, beyond chance."""
        pairs = {labels: pair for labels, pair in read_pairs(findings).items() if labels[1] in findings}
        return describe_pairs({labels: pairs[labels] for labels in leave_out_repeats(findings, pairs)})

    def table(self, finding: Finding) -> list[dict[str, Any]]:
        """A row for every stage with every stage of every other network."""
        rows = []
        for (_, other), pair in read_pairs({"": finding}).items():
            for place, stage in enumerate(pair.stages):
                for column, other_stage in enumerate(pair.other_stages):
                    named = {"other": other, "stage": str(stage), "other_stage": str(other_stage)}
                    found = {"cka": pair.cka, "chance": pair.chance, "above_chance": pair.above_chance}
                    found["error"] = pair.error
                    rows.append(named | {name: float(values[place, column]) for name, values in found.items()})
        return rows

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A grid for each pair, stage by stage."""
        return draw_pairs(read_pairs(findings))
