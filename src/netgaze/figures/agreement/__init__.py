"""Are two networks right about the same images, and what does each see where only one is right?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Picture

from netgaze.figure import Figure, Finding, leave_out_repeats, name_settings
from netgaze.figures.agreement.duels import choose_rows, describe_duels, list_duels, read_duels, show_rows
from netgaze.figures.agreement.page import MOST_SHOWN, draw_duels
from netgaze.glossary import Glossary, Meaning
from netgaze.measures.metrics import vote_weighted
from netgaze.measures.neighbors import find_nearest
from netgaze.subject import Subject

_K = 20


class Agreement(Figure):
    """On which test images two networks are both right, one alone, or none; and how far that is beyond chance.

    Cohen's kappa of being right is error consistency (Geirhos et al. 2020): 0 where two networks of these accuracies
    err independently, 1 where they err on the same images. Networks that predict something else than the classes
    (rotations, or nothing) answer by a vote of the 20 nearest training images of their features; two such networks, or
    one of them and a classifier, are both held against each other by that vote.

    Args:
        num_shown: images of each kind, those that both networks are surest of.
    """

    title = "Agreement"
    question = "Are two networks right about the same images, and what does each say where only one is?"
    needs = ("data", "features", "training images", "known classes")
    controls = "none"  # untrained networks answer nearly all images with one class
    compares = True
    glossary = Glossary(
        {
            "acc": Meaning(
                "accuracy", "Of the network's own answers, where it names the classes.", "%", "higher", "num_images"
            ),
            "knn20": Meaning(
                "kNN-20 accuracy",
                "Of a vote of the 20 nearest training images: the answers of a network that names no classes.",
                "%",
                "higher",
                "num_images",
            ),
            "num_images": Meaning("images", "Of how many the numbers are."),
            "same_answer of <pair>": Meaning(
                "same answer: <pair>", "Share of the images to which both give one answer, right or wrong.", "%"
            ),
            "kappa of <pair>": Meaning(
                "error consistency: <pair>",
                "Cohen's kappa of being right (Geirhos et al. 2020): 0 where errors are independent, 1 where they are "
                "on the same images.",
            ),
            "kappa_low of <pair>": Meaning("error consistency, at least: <pair>", "Of a 95 % bootstrap interval."),
            "kappa_high of <pair>": Meaning("error consistency, at most: <pair>", "Of a 95 % bootstrap interval."),
            "same_error of <pair>": Meaning(
                "same wrong answer: <pair>",
                "Share of the images that both have wrong to which they give one answer.",
                "%",
            ),
            "only_first of <pair>": Meaning("only the first right: <pair>", "Images."),
            "only_second of <pair>": Meaning("only the second right: <pair>", "Images."),
            "p of <pair>": Meaning(
                "McNemar's p: <pair>", "How likely so unequal a result is if both are right equally often."
            ),
        }
    )

    def __init__(self, *, num_shown: int = 4):
        self.num_shown = num_shown

    def compute(self, subject: Subject) -> Finding:
        """Answers and how sure they are, [N] each: of its neighbors, and of itself where it names the classes."""
        data, split = subject.data, subject.split
        labels, bank_labels = data.labels(split), data.labels("train")
        similar, near = find_nearest(subject.bank(split), subject.bank("train"), min(_K, len(bank_labels)))
        voted = vote_weighted(similar, bank_labels[near], len(data.class_names))
        arrays = {
            "labels": labels.numpy(),
            "names": np.array(data.class_names),
            "images": np.array(data.images_fingerprint),
            "knn_answers": voted.numpy(),
            "knn_confidence": (bank_labels[near] == voted[:, None]).double().mean(dim=1).numpy(),
        }
        numbers = {"num_images": len(labels), "knn20": float((voted == labels).double().mean())}
        caption = f"All {len(labels):,} images of the {split} split. Shown are those that both networks are surest of."
        if not subject.names_classes:
            caption += f" Networks that name no classes answer by a vote of their {_K} nearest training images."
        else:
            outputs = subject.class_outputs(split)
            arrays["own_answers"] = outputs.logits.argmax(axis=1)
            arrays["own_confidence"] = outputs.probabilities.max(axis=1)
            numbers["acc"] = float((arrays["own_answers"] == arrays["labels"]).mean())
        return Finding(numbers, arrays, caption)

    def relate(
        self, findings: Mapping[str, Finding], subjects: Mapping[str, Subject]
    ) -> dict[str, dict[str, np.ndarray]]:
        """The images that are shown of the first network with the others, and both networks' maps of these."""
        arrays = name_settings(subjects)
        label = next(iter(findings))
        for (first, second), duel in list(list_duels(findings).items())[:MOST_SHOWN]:
            if first == label:
                shown = choose_rows(duel, self.num_shown)
                arrays[label] |= show_rows(duel, *shown, subjects[first], subjects[second])
        return arrays

    def compare(self, findings: Mapping[str, Finding]) -> dict[str, Any]:
        """Of each two networks: same answers, error consistency, same errors, who alone is right, McNemar's p."""
        numbers: dict[str, Any] = {}
        for (first, second), duel in list_duels(findings).items():
            found, kappa = duel.agreement, duel.agreement.kappa
            own = {
                "same_answer": found.same_answer.value,
                "kappa": kappa.value,
                "kappa_low": kappa.low,
                "kappa_high": kappa.high,
                "same_error": found.same_error.value,
                "only_first": int(found.counts[1]),
                "only_second": int(found.counts[2]),
                "p": found.p,
            }
            numbers |= {f"{name} of {first} and {second}": it for name, it in own.items() if np.isfinite(it)}
        return numbers

    def differences(self, findings: Mapping[str, Finding]) -> list[str]:
        """How often two networks agree, how consistent their errors are, and which of them is right more often."""
        duels = list_duels(findings)
        return describe_duels({labels: duels[labels] for labels in leave_out_repeats(findings, duels)})

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """The shares of all pairs, and images of the first network beside each other one."""
        return draw_duels(list_duels(findings), read_duels(findings))
