"""Linear probes of the features, with few labels and with all."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure as Picture

from netgaze.drawing.examples import balanced_choice
from netgaze.drawing.line_plot import Line, make_line_plot
from netgaze.drawing.rows import Row, lay_out
from netgaze.figure import Figure, Finding
from netgaze.glossary import Glossary, Meaning, format_named
from netgaze.measures.probe import Labeled, probe_linearly
from netgaze.subject import Subject

_TENTH = 10


class Probe(Figure):
    """Linear probes in closed form (ridge regression) of penultimate features, with few labels and with all.

    The strength of the ridge penalty is chosen by accuracy on the validation split, which has more labels than the
    smallest probes are fitted to. If validation itself is measured, as during training, the strength is chosen on every
    tenth training image, which is then not fitted.

    Args:
        per_class: labels per class, of probes beside the one on all labels; left out if there are fewer.
        draws: of the labeled images.
        seed: of the first draw; the same images for every network.
    """

    title = "Linear probe"
    question = "How well does a linear classifier on the features tell the classes apart, and from how many labels?"
    look_for = (
        "How far a line lies above those of the untrained network and of raw pixels, and how fast it rises: features "
        "that separate the classes reach most of their accuracy with few labels per class."
    )
    pitfall = (
        "With one label per class the draws differ by many points: read the band, not the line. A probe also finds "
        "what the network itself does not use, and wider features give it more to fit."
    )
    needs = ("data", "features", "training images")
    metrics = ("probe", "probe_1", "probe_10", "probe_100")
    glossary = Glossary(
        {
            "probe": Meaning(
                "linear probe",
                "Accuracy of a ridge classifier on the features, fitted in closed form to all training labels.",
                "%",
                "higher",
                "num_images",
            ),
            "probe_<n>_std": Meaning(
                "spread over draws, <n> labels per class", "Standard deviation over the draws of labels.", "%"
            ),
            "probe_<n>": Meaning(
                "linear probe, <n> labels per class", "The same with few labels: the mean over draws.", "%", "higher"
            ),
            "strength": Meaning("ridge strength", "In mean eigenvalues; of the probe on all labels."),
            "num_images": Meaning("images", "How many the accuracies are measured on."),
            "num_labels": Meaning("labels", "How many the probe on all labels is fitted to."),
        }
    )

    def __init__(self, *, per_class: Sequence[int] = (1, 10, 100), draws: int = 3, seed: int = 0):
        self.per_class, self.draws, self.seed = per_class, draws, seed

    def compute(self, subject: Subject) -> Finding:
        """Accuracies by labels per class: mean, lowest and highest over the draws, [P] each."""
        train, chosen_on, measured_on = _divide(subject)
        num_classes, sizes = len(subject.data.class_names), train.labels.bincount()
        sizes = sizes[sizes > 0]
        points: dict[float, list[float]] = {}
        for num in self.per_class:
            if num <= int(sizes.min()) and num * len(sizes) < len(train.labels):
                few = [self._draw(train, num * len(sizes), draw) for draw in range(self.draws)]
                points[num] = [probe_linearly(some, chosen_on, measured_on, num_classes).accuracy for some in few]
        numbers: dict[str, float] = {}
        for each, found in points.items():
            numbers |= {f"probe_{each}": float(np.mean(found)), f"probe_{each}_std": float(np.std(found))}
        whole = probe_linearly(train, chosen_on, measured_on, num_classes)
        numbers |= {"probe": whole.accuracy, "strength": whole.strength}
        numbers |= {"num_images": len(measured_on.labels), "num_labels": len(train.labels)}
        points[len(train.labels) / len(sizes)] = [whole.accuracy]
        arrays = {
            "per_class": np.array(list(points)),
            "mean": np.array([np.mean(found) for found in points.values()]),
            "lowest": np.array([np.min(found) for found in points.values()]),
            "highest": np.array([np.max(found) for found in points.values()]),
            "control": np.array(subject.control),
        }
        caption = (
            f"Accuracy of ridge classifiers on the features, on the {subject.split} split, by labels per class: mean "
            f"of {self.draws} draws, the same for every network, and their range. The last point is all labels."
        )
        return Finding(numbers, arrays, caption)

    def _draw(self, train: Labeled, num: int, draw: int) -> Labeled:
        """Some of the training images, the same number of each class."""
        rows = torch.from_numpy(balanced_choice(train.labels.numpy(), num, self.seed + draw))
        return Labeled(train.features[rows], train.labels[rows])

    def draw(self, findings: Mapping[str, Finding]) -> Picture:
        """A line per network."""
        lines = [_make_line(label, finding) for label, finding in findings.items()]
        axes = {"xscale": "log", "xlabel": "labels per class", "ylabel": "accuracy of the probe", "ylim": (0, 1)}
        return lay_out([Row(0.1), make_line_plot(lines, 3.2, axes)])


def _divide(subject: Subject) -> tuple[Labeled, Labeled, Labeled]:
    """The images that are fitted, those that choose the strength, and those that are measured."""
    parts = {
        split: Labeled(subject.bank(split), subject.data.labels(split))
        for split in dict.fromkeys(["train", subject.split])
    }
    train = parts["train"]
    if subject.split == "val" or not len(subject.data.labels("val")):
        held_out = torch.arange(len(train.labels)) % _TENTH == 0
        fitted, chosen_on = (Labeled(*(part[rows] for part in train)) for rows in (~held_out, held_out))
        return fitted, chosen_on, parts[subject.split]
    return train, Labeled(subject.bank("val"), subject.data.labels("val")), parts[subject.split]


def _make_line(label: str, finding: Finding) -> Line:
    arrays = finding.arrays
    words = f"{label}: {format_named(finding.numbers, 'probe', Probe.glossary)} with all labels"
    band = {"low": arrays["lowest"], "high": arrays["highest"]}
    return Line(words, arrays["per_class"], arrays["mean"], **band, control=bool(arrays["control"]))
