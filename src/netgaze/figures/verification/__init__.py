"""Verification: does the distance of two images tell whether they show the same person?"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure as Picture
from torch import Tensor

from netgaze.drawing.examples import balanced_choice, to_rgb
from netgaze.figure import Figure, Finding
from netgaze.figures.verification.columns import LEAST_PEOPLE, draw_pairs
from netgaze.figures.verification.plots import bin_distances, list_eers, name_comparisons, trace_curve
from netgaze.glossary import Glossary, Meaning
from netgaze.measures.verification import FARS, verify, verify_folds
from netgaze.measures.verification import Verification as Counted
from netgaze.subject import Subject

_FOLDS = 10
_FIRST = ("eer", "auc", "rank1", "acc", "acc_macro")
_AT_THRESHOLD = ("acc", "acc_macro", "far", "frr")
_MIXED, _WITHOUT = "mixed", "without glasses"


class Verification(Figure):
    """Distances of same-person and different-people pairs, ROC curves and the hardest pairs, a panel per comparison.

    The comparisons are the data's (`ImageData.comparisons`): all pairs, and by glasses; or a data set's protocols.

    Args:
        num_hardest: pairs of each kind shown.
        num_scored: images compared at most, spread evenly over the people; of many people, only those with two images.
            Galleries with separate probes are compared whole.
        replicates: of the bootstrap over people.
        seed: of the images, of the bootstrap and of the folds.
    """

    title = "Verification"
    question = "Does the distance tell the same person from another, also with glasses on?"
    look_for = (
        "How little the two histograms overlap, and how far the ROC curves lie above chance at small FAR. The hardest "
        "pairs show what misleads the network: lighting, pose, glasses."
    )
    pitfall = (
        "Pairs share people, so thousands of pairs of a few people are weak evidence: read the intervals, which are "
        "over people. The equal error rate uses the best threshold in hindsight, the accuracy one chosen beforehand."
    )
    needs = ("data", "verifier")
    metrics = (
        "eer",
        "auc",
        "rank1",
        "tar_far0.1",
        "tar_far0.01",
        "tar_far0.001",
        "eer_without_glasses",
        "eer_with_glasses",
        "eer_mixed",
    )
    glossary = Glossary(
        {
            "threshold": Meaning(
                "threshold", "Distance up to which two images count as the same person; - if there is none."
            ),
            "eer": Meaning(
                "equal error rate (EER)",
                "Error rate at the threshold where false accepts and false rejects are equally frequent; first "
                "comparison.",
                "%",
                "lower",
            ),
            "auc": Meaning("AUC", "Area under the ROC curve; 0.5 is chance; first comparison.", "", "higher"),
            "rank1": Meaning(
                "rank-1 accuracy",
                "Share of images whose nearest other image is of the same person; first comparison.",
                "%",
                "higher",
            ),
            "acc": Meaning(
                "accuracy at the threshold",
                "Share of pairs classified correctly, first comparison. Pairs share people: its interval is in the "
                "picture.",
                "%",
                "higher",
            ),
            "acc_macro": Meaning(
                "balanced accuracy", "Mean of the accuracies on same and on different pairs.", "%", "higher"
            ),
            "tar_far<far>": Meaning(
                "true accepts at FAR <far>",
                "Share of same pairs accepted at the threshold that accepts this share of different pairs (FAR); left "
                "out if fewer than 30 different pairs support it.",
                "%",
                "higher",
            ),
            "ten_folds_mean": Meaning(
                "accuracy over ten folds",
                "Threshold chosen on nine folds, tested on the tenth; first comparison.",
                "%",
                "higher",
            ),
            "ten_folds_error": Meaning("its standard error", "Over the ten folds.", "%", "lower"),
            "ten_folds_pairs": Meaning("pairs in the folds"),
            "eer_<comparison>": Meaning("EER, <comparison>", "The same for this comparison.", "%", "lower"),
            "EER, <comparison>: <network>": Meaning("EER, <comparison>: <network>", "", "%", "lower"),
            "comparisons": Meaning("all comparisons", "All numbers of each, with 95% intervals."),
        }
    )

    def __init__(self, *, num_hardest: int = 4, num_scored: int = 2000, replicates: int = 200, seed: int = 0):
        self.num_hardest, self.num_scored, self.replicates, self.seed = num_hardest, num_scored, replicates, seed

    def compute(self, subject: Subject) -> Finding:
        """Histograms, ROC curves and hardest pairs of each comparison, as `<comparison>/<name>`; the numbers."""
        split, threshold = subject.split, subject.threshold
        people = subject.data.labels(split)
        said: dict[str, dict[str, Any]] = {}
        flat: dict[str, float] = {}
        arrays: dict[str, np.ndarray] = {}
        notes = []
        for place, (name, (gallery, probe)) in enumerate(subject.data.comparisons(split).items()):
            kept = gallery if probe is not None else gallery[draw_images(people[gallery], self.num_scored, self.seed)]
            if len(kept) < len(gallery):
                notes.append(f"{name}: {len(kept)} of {len(gallery)} images, drawn at random.")
            pairs = [(some, people[some]) for some in (kept, probe) if some is not None]
            if not all(count_pairs(*(who for _, who in pairs))):
                notes.append(f"{name} is left out: it has no pairs of the same person or none of different people.")
                continue
            compared = [part for some, who in pairs for part in (subject.embeddings(split, some), who)]
            found, said[name] = self._count(compared, threshold)
            flat |= self._first(said[name], compared) if place == 0 else {f"eer_{slugify(name)}": found.eer}
            seen = bin_distances(found) | trace_curve(found)
            seen |= _hardest(found, threshold, subject, kept, kept if probe is None else probe)
            arrays |= {f"{name}/{key}": values for key, values in seen.items()}
        caption = " ".join([*_said_of(subject, threshold), *_unsupported(said), *notes, self._intervals()])
        return Finding({"threshold": threshold} | flat | {"comparisons": said}, arrays, caption.strip())

    def _count(self, compared: list[Tensor], threshold: float | None) -> tuple[Counted, dict[str, Any]]:
        cut = 0.0 if threshold is None else threshold
        found = verify(*compared, cuts=[cut], replicates=self.replicates, seed=self.seed, num_hardest=self.num_hardest)
        numbers = found.numbers(cut)
        if threshold is None:
            numbers = {name: value for name, value in numbers.items() if not name.startswith(_AT_THRESHOLD)}
        return found, numbers

    def _first(self, numbers: dict[str, Any], compared: list[Tensor]) -> dict[str, float]:
        """The numbers of the first comparison, which represent the run."""
        flat: dict[str, float] = {name: numbers[name] for name in _FIRST if name in numbers}
        flat |= {f"tar_far{far}": rate["value"] for far, rate in numbers["tar"].items() if rate["supported"]}
        if min(numbers["num_same"], numbers["num_different"]) >= _FOLDS:
            folds = verify_folds(*compared, seed=self.seed, num_folds=_FOLDS)
            flat |= {f"ten_folds_{name}": value for name, value in folds.items()}
        return flat

    def _intervals(self) -> str:
        if not self.replicates:
            return ""
        return (
            f"95% intervals by a bootstrap over people ({self.replicates} replicates); none for fewer than "
            f"{LEAST_PEOPLE} people."
        )

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A column per network: histograms, ROC curves, the hardest pairs."""
        return draw_pairs(findings)

    def compare(self, findings: Mapping[str, Finding]) -> dict[str, float]:
        """The EER of each comparison and network, and how much glasses on one of two images raise it."""
        found = {label: list_eers(finding) for label, finding in findings.items()}
        compared = {
            f"EER, {name}: {label}": some[name]
            for name in name_comparisons(findings.values())
            for label, some in found.items()
            if name in some
        }
        both = {label: some for label, some in found.items() if {_MIXED, _WITHOUT} <= set(some)}
        gaps = {
            f"EER, {_MIXED} minus {_WITHOUT}: {label}": some[_MIXED] - some[_WITHOUT] for label, some in both.items()
        }
        return compared | gaps

    def summary(self, findings: Mapping[str, Finding]) -> str:
        """A table, a line per network."""
        compared = name_comparisons(findings.values())
        lines = [["", *(f"EER {name}" for name in compared), "accuracy", "AUC", "TAR at FAR 0.01"]]
        for label, finding in findings.items():
            values = [list_eers(finding).get(name) for name in compared]
            values += [finding.numbers.get(name) for name in ("acc", "auc", "tar_far0.01")]
            lines.append([label, *("-" if value is None else f"{value:.4f}" for value in values)])
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines
        )


def slugify(name: str) -> str:
    """A comparison's name as part of a number's: "without glasses" is without_glasses."""
    return re.sub(r"\W+", "_", name.lower()).strip("_")


def count_pairs(gallery: Tensor, probe: Tensor | None = None) -> tuple[int, int]:
    """Pairs of the same and of different people: each of int64 [G] with each of [Q], or among themselves."""
    others = gallery if probe is None else probe
    num = max((int(who.amax()) + 1 for who in (gallery, others) if len(who)), default=0)
    same = int((gallery.bincount(minlength=num) * others.bincount(minlength=num)).sum())
    total = len(gallery) * len(others)
    if probe is None:
        same, total = (same - len(gallery)) // 2, (total - len(gallery)) // 2
    return same, total - same


def draw_images(people: Tensor, num: int, seed: int) -> Tensor:
    """At most `num` indices into `people` [N], ascending: the people take turns; of too many people, two images each.

    Without a second image a person would have no pair.
    """
    if len(people) <= num:
        return torch.arange(len(people))
    who, counts = people.unique(return_counts=True)
    if len(who) > num // 2:
        paired = who[counts > 1]
        who = paired[torch.randperm(len(paired), generator=torch.Generator().manual_seed(seed))[: num // 2]]
    index = torch.isin(people, who).nonzero().flatten()
    return index[balanced_choice(people[index].numpy(), num, seed)].sort().values


def _hardest(
    found: Counted, threshold: float | None, subject: Subject, gallery: Tensor, probe: Tensor
) -> dict[str, np.ndarray]:
    """For both kinds of pairs: images [n,2], pictures [n,2,H,W,3], distances [n], and whether they are correct [n]."""
    seen = {}
    for kind in ("same", "different"):
        index, distances = getattr(found, f"hardest_{kind}"), getattr(found, f"hardest_{kind}_distances")
        pairs = torch.stack([gallery[index[:, 0]], probe[index[:, 1]]], dim=1)
        flat = to_rgb(subject.data.images(subject.split, pairs.flatten()))
        seen[f"{kind}_pairs"], seen[f"{kind}_distances"] = pairs.numpy(), distances
        seen[f"{kind}_pictures"] = flat.reshape(-1, 2, *flat.shape[1:])
        if threshold is not None:
            seen[f"{kind}_right"] = (distances <= threshold) == (kind == "same")
    return seen


def _said_of(subject: Subject, threshold: float | None) -> list[str]:
    """What is compared, and on which people the threshold was chosen."""
    what = "normalized features" if subject.verifier is None else "embeddings"
    said = [f"Euclidean distances of {what}."]
    if threshold is None:
        return [*said, "There is no threshold, because there are no validation people to choose it on."]
    where = subject.threshold_choice.people
    people = {"val": "the validation people", "train": "the training people"}[where]
    if where == subject.split:
        return [*said, f"The threshold was chosen on {people}, the same as shown here: the accuracy is optimistic."]
    return [*said, f"The threshold was chosen on {people}, not on the people of the {subject.split} split."]


def _unsupported(said: dict[str, dict[str, Any]]) -> list[str]:
    """The FARs that too few pairs support, and in which comparisons."""
    fars: dict[str, list[str]] = {}
    for far in FARS:
        of = [name for name, numbers in said.items() if not numbers["tar"][far]["supported"]]
        if of:
            fars.setdefault(f" ({', '.join(of)})" if len(of) < len(said) else "", []).append(far)
    words = "TAR at FAR {} is left out{}: fewer than 30 different pairs support it."
    return [words.format(", ".join(few), which) for which, few in fars.items()]
