"""Do two networks err on the same images, and what does each see where only one is correct?"""

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
    """On which test images both networks, only one or neither is correct, and how far that differs from chance.

    Cohen's kappa of being correct is error consistency (Geirhos et al. 2020): 0 where two networks of these accuracies
    err independently, 1 where they err on the same images. For networks that do not predict the classes (but rotations,
    or nothing), the 20 nearest training images of their features vote; in a pair with one of these networks both are
    compared by the votes.

    Args:
        num_shown: images of each kind, those on which both networks are most confident.
    """

    title = "Agreement and error consistency"
    question = "Do two networks err on the same images, and what does each predict where only one is correct?"
    look_for = (
        "Read κ with its interval: 0 means that two networks of these accuracies err independently, 1 that they err on "
        "the same images. Then look at the images that only one network classifies correctly: its map of evidence "
        "often shows what the other network missed."
    )
    pitfall = (
        "Two accurate networks agree on most images by chance, so read κ and not the agreement; where errors are few, "
        "κ is uncertain. A difference between two methods means something only if it is larger than the difference "
        "between two seeds of one method. The images shown are those on which both networks are most confident, not "
        "typical ones."
    )
    needs = ("data", "features", "training images", "known classes")
    controls = "none"  # untrained networks predict one class for nearly all images
    compares = True
    glossary = Glossary(
        {
            "acc": Meaning(
                "accuracy", "Of the network's own predictions, if it predicts the classes.", "%", "higher", "num_images"
            ),
            "knn20": Meaning(
                "20-neighbor accuracy",
                "Of a vote of the 20 nearest training images, which compares networks that do not predict the classes.",
                "%",
                "higher",
                "num_images",
            ),
            "num_images": Meaning("images", "Number of images behind these numbers."),
            "same_answer of <pair>": Meaning(
                "same prediction: <pair>",
                "Share of images for which both networks predict the same class, correct or not.",
                "%",
            ),
            "kappa of <pair>": Meaning(
                "error consistency: <pair>",
                "Cohen's kappa of being correct (Geirhos et al. 2020): 0 where errors are independent, 1 where they "
                "are on the same images.",
            ),
            "kappa_low of <pair>": Meaning("error consistency, lower bound: <pair>", "Of the 95% bootstrap interval."),
            "kappa_high of <pair>": Meaning("error consistency, upper bound: <pair>", "Of the 95% bootstrap interval."),
            "same_error of <pair>": Meaning(
                "same incorrect prediction: <pair>",
                "Among images that both classify incorrectly, the share for which both predict the same class.",
                "%",
            ),
            "only_first of <pair>": Meaning("only the first correct: <pair>", "Number of images."),
            "only_second of <pair>": Meaning("only the second correct: <pair>", "Number of images."),
            "p of <pair>": Meaning(
                "McNemar's p: <pair>", "Probability of counts at least this unequal if both are equally accurate."
            ),
        }
    )

    def __init__(self, *, num_shown: int = 4):
        self.num_shown = num_shown

    def compute(self, subject: Subject) -> Finding:
        """Predictions and their confidence, [N] each: by neighbors, and its own if the network predicts the classes."""
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
        caption = f"All {len(labels):,} images of the {split} split. Shown: those on which both are most confident."
        if not subject.names_classes:
            caption += f" This network does not predict the classes: its {_K} nearest training images vote."
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
        """For each pair: same predictions, error consistency, same errors, images only one has correct, McNemar's p."""
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
        """How often two networks agree, how consistent their errors are, and which of them is correct more often."""
        duels = list_duels(findings)
        return describe_duels({labels: duels[labels] for labels in leave_out_repeats(findings, duels)})

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """The shares of all pairs, and images of the first network beside each other one."""
        return draw_duels(list_duels(findings), read_duels(findings))
